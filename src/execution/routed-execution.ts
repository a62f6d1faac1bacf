import { type FailedRequest, nextStep } from '../llm/next-step.js'
import type { Entry, Refusal, Seat } from '../llm/seat.js'
import { DEADLINE_CODES } from '../protocol/execution-codes.js'
import type { BackendEvent, ChatBackend, ExecutionCall, Turn } from './backend.js'
import { ExecutionError } from './execution-error.js'
import type { RoutedLlmDeps } from './routed-llm.js'

type Batch = readonly BackendEvent[]
type Pulled = IteratorResult<Batch, void>
type Answer = AsyncGenerator<Batch, void, undefined>

/**
 * One execution of the direct LLM: its requests one after the other, each behind a seat of the gate. What the last of them
 * brings is passed on; once something was shown there is no other. No async generator: around another one it would cost
 * every batch some turns of the microtask queue.
 */
export class RoutedExecution implements Answer {
  readonly #deadline: number
  /** endpoints that this turn has asked, and those that had their retry */
  readonly #asked = new Set<string>()
  readonly #retried = new Set<string>()
  #entry: Entry
  #seat: Seat | undefined
  #answer: Answer | undefined
  #starting: Promise<Pulled> | undefined
  /** requests that failed */
  #failed = 0
  #isFirstBatch = true
  #shown = false
  #over = false
  #failure: ExecutionError | undefined

  constructor(
    private readonly turn: Turn,
    private readonly call: ExecutionCall,
    private readonly route: readonly string[],
    entry: Entry,
    private readonly backends: ReadonlyMap<string, ChatBackend>,
    private readonly deps: RoutedLlmDeps,
  ) {
    this.#entry = entry
    this.#deadline = this.#running() + call.connectMs + call.headersMs
    call.signal.addEventListener('abort', this.#onAbort, { once: true })
    if (call.signal.aborted) this.#onAbort()
  }

  next(): Promise<Pulled> {
    if (this.#over) return Promise.resolve({ done: true, value: undefined })
    if (this.#shown && this.#answer !== undefined)
      return this.#answer.next().then(this.#streamed, this.#broke)
    this.#starting = this.#start()
    return this.#starting
  }

  async return(): Promise<Pulled> {
    this.#over = true
    this.#entry.leave()
    await this.#starting?.catch(nothing)
    await this.#answer?.return(undefined).catch(nothing)
    this.#settle(this.#givenUp())
    return { done: true, value: undefined }
  }

  async throw(thrown: unknown): Promise<Pulled> {
    await this.return()
    throw thrown
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Up to the first batch that shows something. */
  async #start(): Promise<Pulled> {
    for (;;) {
      const answer = this.#answer ?? (await this.#ask())
      let pulled: Pulled
      try {
        pulled = await answer.next()
      } catch (thrown) {
        await this.#goOn(thrown)
        continue
      }
      if (pulled.done === true) return this.#streamed(pulled)
      if (pulled.value.some(isShown)) {
        this.#shown = true
        this.#seat?.content()
      }
      return { done: false, value: this.#withAttempts(pulled.value) }
    }
  }

  /** The next request; its answer is pulled by the caller. @throws ExecutionError where no endpoint takes it */
  async #ask(): Promise<Answer> {
    const seat = this.#entry.now ?? (await this.#entry.seat)
    if (this.call.signal.aborted || this.#over) throw this.#end(givenUp())
    if (seat.kind === 'refused') throw this.#end(this.#failure ?? refusedBy(seat))
    this.#seat = seat
    const backend = this.backends.get(seat.endpoint)
    if (backend === undefined) throw this.#end(new ExecutionError('internal_error', 'connect', 'no endpoint'))
    if (!this.#asked.has(seat.endpoint)) this.deps.gate.countRequest(seat.endpoint)
    this.#asked.add(seat.endpoint)
    this.#isFirstBatch = true
    const leftMs = Math.max(1, this.#leftMs())
    const { connectMs, headersMs } = this.call
    this.#answer = backend.execute(this.turn, {
      ...this.call,
      connectMs: Math.min(connectMs, leftMs),
      headersMs: Math.min(headersMs, leftMs),
    })
    return this.#answer
  }

  /** Ends where another request follows. @throws what the execution ends with */
  async #goOn(thrown: unknown): Promise<void> {
    const endpoint = this.#seat?.endpoint ?? ''
    const failure = this.#settleFailed(thrown)
    if (failure === undefined || this.call.signal.aborted || this.#over) throw this.#end(thrown)
    this.#failed += failure.details.attempts ?? 1
    this.#failure = failure
    const { gate, random } = this.deps
    const open = this.route.filter((name) => !this.#asked.has(name))
    const step = nextStep(requestOf(failure), {
      shown: this.#shown,
      retried: this.#retried.has(endpoint) || this.turn.shadow === true,
      hasNext: open.length > 0,
      leftMs: this.#leftMs(),
      random: random(),
      takeRetry: () => gate.takeRetry(endpoint),
    })
    if (step.kind === 'end') throw this.#end(failure)
    this.#tell(
      endpoint,
      failure,
      step.kind === 'retry' ? { afterMs: Math.round(step.afterMs) } : { next: open[0] },
    )
    this.call.onRetry?.()
    if (step.kind === 'retry') {
      this.#retried.add(endpoint)
      open.unshift(endpoint)
      await this.#sleep(step.afterMs)
    }
    const waitMs = Math.max(1, this.#leftMs())
    this.#entry = gate.enter(open, this.turn.shadow === true ? 0 : waitMs)
    if (this.call.signal.aborted || this.#over) this.#entry.leave()
  }

  #leftMs(): number {
    return this.#deadline - this.#running()
  }

  /** ms in which this process ran: a stall of ours takes no time from the endpoints. */
  #running(): number {
    const { clock } = this.deps
    return clock.monotonic() - (clock.stalledMs?.() ?? 0)
  }

  /** `attempts` counts the requests of the whole execution, whatever the present backend knows. */
  #withAttempts(batch: Batch): Batch {
    const isFirst = this.#isFirstBatch
    this.#isFirstBatch = false
    if (!isFirst || this.#failed === 0) return batch
    const own = batch.flatMap((event) => (event.type === 'facts' ? [event.data.attempts ?? 1] : []))
    return [...batch, { type: 'facts', data: { attempts: this.#failed + (own.at(-1) ?? 1) } }]
  }

  readonly #streamed = (pulled: Pulled): Pulled => {
    if (pulled.done !== true) return pulled
    this.#over = true
    if (this.call.signal.aborted) this.#settle(this.#givenUp())
    else if (this.#shown) {
      this.#seat?.answered()
      this.#settle('ok')
    } else {
      this.#seat?.failed({ code: 'empty_answer' })
      this.#settle('empty_answer')
    }
    return pulled
  }

  readonly #broke = (thrown: unknown): never => {
    this.#settleFailed(thrown)
    throw this.#end(thrown)
  }

  readonly #onAbort = (): void => {
    this.#entry.leave()
    this.#wakeUp()
  }

  #wakeUp: () => void = nothing

  #sleep(ms: number): Promise<void> {
    if (this.call.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.deps.clock.schedule(ms, resolve)
      this.#wakeUp = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  /** The failure, where it is one of the request and not ours. */
  #settleFailed(thrown: unknown): ExecutionError | undefined {
    if (this.call.signal.aborted) {
      this.#settle(this.#givenUp())
      return undefined
    }
    const failure = thrown instanceof ExecutionError ? thrown : undefined
    this.#seat?.failed(failure === undefined ? { code: 'internal_error' } : requestOf(failure))
    this.#settle(failure?.code ?? 'internal_error')
    return failure
  }

  /** The cause where the execution was given up: a deadline tells against the endpoint, a user who left does not. */
  #givenUp(): string {
    const reason: unknown = this.call.signal.reason
    if (!(reason instanceof ExecutionError)) return 'aborted'
    this.#seat?.failed(requestOf(reason))
    return reason.code
  }

  #settle(cause: string): void {
    const seat = this.#seat
    this.#seat = undefined
    this.#answer = undefined
    if (seat === undefined) return
    this.deps.onRequest(seat.endpoint, cause)
    seat.leave()
  }

  #end(thrown: unknown): unknown {
    this.#over = true
    this.#settle('internal_error')
    this.call.signal.removeEventListener('abort', this.#onAbort)
    if (!(thrown instanceof ExecutionError) || this.#failed <= 1) return thrown
    const { code, phase, message, timeout, details } = thrown
    const all = { ...details, attempts: this.#failed }
    return new ExecutionError(code, phase, message, timeout, all, { cause: thrown })
  }

  #tell(endpoint: string, { code, details: { httpStatus } }: ExecutionError, what: object): void {
    const { requestId, sessionId } = this.turn
    this.deps.logger.warn(
      { requestId, sessionId, endpoint, code, httpStatus, ...what },
      '[LLM] a request failed before anything was shown; another one follows',
    )
  }
}

function isShown({ type }: BackendEvent): boolean {
  return type !== 'usage' && type !== 'facts'
}

function requestOf({ code, details }: ExecutionError): FailedRequest {
  const { httpStatus, retryAfterMs, rejected, ownFault } = details
  return {
    code,
    ...(httpStatus === undefined ? {} : { httpStatus }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(rejected === undefined ? {} : { rejected }),
    ...(ownFault === undefined ? {} : { ours: true }),
  }
}

const isDeadline = (code: string): boolean => DEADLINE_CODES.some((deadline) => deadline === code)

/** Why nothing was sent. Full is nobody's failure; where all endpoints rest, the latest failure of one still holds. */
function refusedBy({ why, last }: Refusal): ExecutionError {
  if (why === 'full') {
    const said = 'all places are taken and the time to wait is over, or too many wait'
    return new ExecutionError('llm_overloaded', 'connect', said, false, { rejected: true })
  }
  const said = 'every endpoint of the route rests after failures'
  const code = last === undefined || isDeadline(last.code) ? 'llm_unreachable' : last.code
  const status = last?.httpStatus === undefined ? {} : { httpStatus: last.httpStatus }
  return new ExecutionError(code, 'connect', said, false, status)
}

/** Nobody reads it. */
function givenUp(): ExecutionError {
  return new ExecutionError('internal_error', 'connect', 'given up')
}

function nothing(): void {}
