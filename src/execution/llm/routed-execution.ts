import type { Clock, Timer } from '../../core/clock.js'
import { guarded } from '../../core/guarded.js'
import type { Logger } from '../../core/logger.js'
import type { TraceSpan } from '../../core/tracing/trace-span.js'
import type { LlmGate } from '../../llm/gate/gate.js'
import { type FailedRequest, nextStep } from '../../llm/gate/next-step.js'
import type { Entry, Refusal, Seat } from '../../llm/gate/seat.js'
import { DEADLINE_CODES } from '../../protocol/execution-codes.js'
import {
  type BackendEvent,
  type BackendSink,
  type ChatBackend,
  type ExecutionCall,
  logIds,
  type RunningExecution,
  type Turn,
} from '../backend.js'
import { commits } from '../commit-point.js'
import { ExecutionError } from '../execution-error.js'

/** A request under way. */
export interface OpenRequest {
  /** what it carries on; absent: it is in no trace */
  readonly span?: TraceSpan
  /** @param cause `ok`, `aborted`, or the code of its failure */
  end(cause: string): void
}

export interface RoutedLlmDeps {
  readonly clock: Clock
  readonly logger: Logger
  /** 0 to 1, 1 excluded */
  readonly random: () => number
  /** one for the whole process: limits and rests hold for users and shadows together */
  readonly gate: LlmGate
  /** A request begins. */
  onRequest(endpoint: string, turn: Turn, call: ExecutionCall): OpenRequest
  /** A turn was not admitted. */
  onRefused?(): void
}

type Batch = readonly BackendEvent[]

/**
 * One execution of the direct LLM: its requests one after the other, each behind a seat of the gate. What the last of them
 * brings is passed on; once something was shown there is no other.
 */
export class RoutedExecution implements RunningExecution, BackendSink {
  readonly #deadline: number
  /** endpoints that this turn has asked, and those that had their retry */
  readonly #asked = new Set<string>()
  readonly #retried = new Set<string>()
  #entry: Entry
  #seat: Seat | undefined
  #open: OpenRequest | undefined
  /** the request under way, which feeds us */
  #answer: RunningExecution | undefined
  #isAnswering = false
  /** requests sent */
  #sent = 0
  #sleep: Timer | undefined
  /** requests that failed */
  #failedRequests = 0
  #isFirstBatch = true
  #shown = false
  /** the user sees an answer: more than thinking and blanks */
  #committed = false
  #over = false
  #failure: ExecutionError | undefined

  constructor(
    private readonly turn: Turn,
    private readonly call: ExecutionCall,
    private readonly route: readonly string[],
    entry: Entry,
    private readonly backends: ReadonlyMap<string, ChatBackend>,
    private readonly deps: RoutedLlmDeps,
    private readonly sink: BackendSink,
  ) {
    this.#entry = entry
    this.#deadline = this.#running() + call.connectMs + call.headersMs
  }

  /** Sends the first request, or waits for a seat. */
  start(): void {
    this.call.signal.addEventListener('abort', this.#onAbort, { once: true })
    if (this.call.signal.aborted) this.#onAbort()
    else this.#ask()
  }

  resume(): void {
    this.#answer?.resume()
  }

  /** Of the request under way: see `BackendSink`. */
  batch(batch: Batch): boolean {
    if (!this.#shown && batch.some(isShown)) {
      this.#shown = true
      this.#seat?.content()
    }
    if (!this.#committed && batch.some(commits)) this.#committed = true
    return this.sink.batch(this.#isFirstBatch ? this.#withAttempts(batch) : batch)
  }

  /** Of the request under way: see `BackendSink`. */
  end(failure?: unknown): void {
    this.#isAnswering = false
    this.#answer = undefined
    if (this.call.signal.aborted) this.#finish()
    else if (failure !== undefined) this.#failed(failure)
    else {
      if (this.#committed) this.#seat?.answered()
      else this.#seat?.failed({ code: 'empty_answer' })
      this.#settle(this.#committed ? 'ok' : 'empty_answer')
      this.#finish()
    }
  }

  #ask(): void {
    const { now, seat } = this.#entry
    if (now !== undefined) this.#seated(now)
    // Never rejects.
    else void seat.then(this.#seated)
  }

  readonly #seated = (seat: Seat | Refusal): void => {
    if (this.#over) return
    if (seat.kind === 'refused') {
      this.#finish(this.#failure ?? refusedBy(seat))
      return
    }
    this.#seat = seat
    this.#open = this.deps.onRequest(seat.endpoint, this.turn, this.call)
    const backend = this.backends.get(seat.endpoint)
    if (backend === undefined) {
      this.#settle('internal_error')
      this.#finish(new ExecutionError('internal_error', 'connect', 'no endpoint'))
      return
    }
    if (!this.#asked.has(seat.endpoint)) this.deps.gate.countRequest(seat.endpoint)
    this.#asked.add(seat.endpoint)
    this.#request(backend)
  }

  #request(backend: ChatBackend): void {
    this.#isFirstBatch = true
    this.#isAnswering = true
    const leftMs = Math.max(1, this.#leftMs())
    const { connectMs, headersMs } = this.call
    const call = {
      ...this.call,
      connectMs: Math.min(connectMs, leftMs),
      headersMs: Math.min(headersMs, leftMs),
      ...(this.#open?.span === undefined ? {} : { span: this.#open.span }),
    }
    this.#sent += 1
    const sent = this.#sent
    try {
      const answer = backend.execute(this.turn, call, this)
      if (this.#isAnswering && sent === this.#sent) this.#answer = answer
    } catch (thrown) {
      this.end(thrown)
    }
  }

  /** Makes another request, or ends with the failure. */
  #failed(thrown: unknown): void {
    const endpoint = this.#seat?.endpoint ?? ''
    const failure = this.#settleFailed(thrown)
    this.#failedRequests += failure?.details.attempts ?? 1
    if (failure === undefined || this.#shown) {
      this.#finish(thrown)
      return
    }
    this.#failure = failure
    const { gate, random, clock } = this.deps
    const open = this.route.filter((name) => !this.#asked.has(name))
    const step = nextStep(requestOf(failure, this.turn), {
      shown: false,
      retried: this.#retried.has(endpoint) || this.turn.shadow === true,
      hasNext: open.length > 0,
      leftMs: this.#leftMs(),
      random: random(),
      takeRetry: () => gate.takeRetry(endpoint),
    })
    if (step.kind === 'end') {
      this.#finish(failure)
      return
    }
    const what = step.kind === 'retry' ? { afterMs: Math.round(step.afterMs) } : { next: open[0] }
    this.#tell(endpoint, failure, what)
    this.call.onRetry?.()
    if (step.kind !== 'retry') {
      this.#enter(open)
      return
    }
    this.#retried.add(endpoint)
    open.unshift(endpoint)
    this.#sleep = clock.schedule(step.afterMs, () => this.#enter(open))
  }

  #enter(open: readonly string[]): void {
    const waitMs = Math.max(1, this.#leftMs())
    this.#entry = this.deps.gate.enter(open, this.turn.shadow === true ? 0 : waitMs)
    this.#ask()
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
    this.#isFirstBatch = false
    if (this.#failedRequests === 0) return batch
    const own = batch.flatMap((event) => (event.type === 'facts' ? [event.data.attempts ?? 1] : []))
    return [...batch, { type: 'facts', data: { attempts: this.#failedRequests + (own.at(-1) ?? 1) } }]
  }

  /** The request under way hears of it too, and ends by itself. */
  readonly #onAbort = (): void => {
    this.#sleep?.cancel()
    // What tells against the endpoint is said before the seat is left: a probe that has left tells nothing.
    if (this.#isAnswering) this.#settle(this.#givenUp())
    else {
      this.#entry.leave()
      this.#finish()
    }
  }

  /** The failure, where it is one of the request and not ours. */
  #settleFailed(thrown: unknown): ExecutionError | undefined {
    const failure = thrown instanceof ExecutionError ? thrown : undefined
    this.#seat?.failed(failure === undefined ? { code: 'internal_error' } : requestOf(failure, this.turn))
    this.#settle(failure?.code ?? 'internal_error')
    return failure
  }

  /** The cause where the execution was given up: a deadline tells against the endpoint, a user who left does not. */
  #givenUp(): string {
    const reason: unknown = this.call.signal.reason
    if (!(reason instanceof ExecutionError)) return 'aborted'
    this.#seat?.failed(requestOf(reason, this.turn))
    return reason.code
  }

  #settle(cause: string): void {
    const seat = this.#seat
    this.#seat = undefined
    if (seat === undefined) return
    this.#open?.end(cause)
    seat.leave()
  }

  #finish(failure?: unknown): void {
    if (this.#over) return
    this.#over = true
    this.call.signal.removeEventListener('abort', this.#onAbort)
    this.sink.end(this.#withAllAttempts(failure))
  }

  #withAllAttempts(failure: unknown): unknown {
    if (!(failure instanceof ExecutionError) || this.#failedRequests <= 1) return failure
    const { code, phase, message, timeout, details } = failure
    const all = { ...details, attempts: this.#failedRequests }
    return new ExecutionError(code, phase, message, timeout, all, { cause: failure })
  }

  #tell(endpoint: string, { code, details: { httpStatus } }: ExecutionError, what: object): void {
    const { logger } = this.deps
    guarded(logger, 'log', () =>
      logger.warn(
        { ...logIds(this.turn), endpoint, code, httpStatus, ...what },
        '[LLM] a request failed before anything was shown; another one follows',
      ),
    )
  }
}

function isShown({ type }: BackendEvent): boolean {
  return type !== 'usage' && type !== 'facts'
}

function requestOf({ code, details }: ExecutionError, { profile }: Turn): FailedRequest {
  const { httpStatus, retryAfterMs, rejected, localFault, unknownModel } = details
  // A model that an agent's profile names wrongly must not keep the other agents from a server that works.
  const isOurs = localFault !== undefined || (unknownModel === true && profile.model !== undefined)
  return {
    code,
    ...(httpStatus === undefined ? {} : { httpStatus }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(rejected === undefined ? {} : { rejected }),
    ...(isOurs ? { ours: true } : {}),
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
