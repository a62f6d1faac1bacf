import { bounded } from '../core/bounded.js'
import type { Clock } from '../core/clock.js'
import { guarded } from '../core/guarded.js'
import type { Logger } from '../core/logger.js'
import type { MessageBody } from '../protocol/events.js'
import type { AbortCode, ExecutionErrorCode } from '../protocol/execution-codes.js'
import type { ExecutionMode } from '../protocol/modes.js'
import { ActiveTime } from './active-time.js'
import {
  type AnswerFacts,
  type BackendEvent,
  type BackendSink,
  type ChatBackend,
  type ExecutionCall,
  logIds,
  type RunningExecution,
  type Turn,
  type Usage,
} from './backend.js'
import { commits } from './commit-point.js'
import { DeadlineTimer } from './deadline-timer.js'
import {
  type Allowance,
  type Deadlines,
  dueAt,
  ExecutionProgress,
  type LlmDeadlines,
  missed,
  phaseOf,
} from './deadlines.js'
import { estimatePrompt, TokenMeter } from './estimate-tokens.js'
import { type ExecutionEnd, inPhaseSeen, localFault, outcomeResult } from './execution-end.js'
import { ExecutionError } from './execution-error.js'
import type { ExecutionWatch } from './execution-watch.js'
import { OpenSteps } from './open-steps.js'
import type { Outcome } from './outcome.js'

/** What an execution feeds. */
export interface ExecutionSink {
  /** What the client gets to see of one network read, never empty. False: nothing more comes, nor the end, before `resume`. */
  batch(events: readonly MessageBody[]): boolean
  /** Called exactly once; nothing comes after it. */
  end(end: ExecutionEnd): void
}

export interface ExecutionLimits extends Deadlines {
  /** in place of the four others for the direct LLM; absent: they hold for it too */
  readonly llm?: LlmDeadlines
  readonly softFailures: readonly string[]
  /** ms; who leaves before the commit point after waiting longer has abandoned it; absent: nobody does */
  readonly abandonAfterMs?: number
}

export interface ExecutionDeps {
  readonly clock: Clock
  readonly logger: Logger
  /** Asked as the execution begins; what it returns looks on. */
  watch?(mode: ExecutionMode): ExecutionWatch
  /** Its connection stands, and the request goes out on it. */
  onConnected?(): void
  /** Called exactly once, when the execution ended. */
  record(outcome: Outcome): void
  /** Work that outlives the execution; bounded, never rejects. */
  after(task: Promise<void>): void
}

/** ms a given-up backend has to free itself and to tell its upstream. */
const AFTER_MS = 1000

/** The consumer holds: its backend sends nothing, time stands still, and an end of it waits. */
interface Hold {
  /** how the backend ended meanwhile */
  end?: { readonly failure: unknown }
}

/**
 * One run of a backend under its deadlines: what one network read brings goes through it in one call, from the backend to
 * the sink. Gap, first content and total count only while the consumer takes what comes and this process runs.
 */
export class Execution implements BackendSink {
  readonly mode: ExecutionMode
  readonly #controller = new AbortController()
  #sink: ExecutionSink | undefined
  #isStarted = false
  #backend: RunningExecution | undefined
  /** the backend has ended and freed everything */
  #isFreed = false
  #onFreed: () => void = nothing
  readonly #progress = new ExecutionProgress()
  readonly #startedAt: number
  readonly #time: ActiveTime
  readonly #deadlines: DeadlineTimer
  readonly #meter = new TokenMeter()
  readonly #steps = new OpenSteps()
  /** the answer is: what is late now is only its count */
  #complete = false
  #hold: Hold | undefined
  #firstContentMs: number | undefined
  #usage: Usage | undefined
  #facts: AnswerFacts = {}
  #end: ExecutionEnd | undefined
  #endedMs = 0
  readonly #tasks: Promise<void>[] = []

  constructor(
    private readonly backend: ChatBackend,
    private readonly turn: Turn,
    private readonly limits: ExecutionLimits,
    private readonly allowance: Allowance,
    private readonly deps: ExecutionDeps,
  ) {
    this.mode = backend.mode
    this.#startedAt = deps.clock.monotonic()
    this.#time = new ActiveTime(deps.clock)
    const due = () => dueAt(limits, allowance, this.#progress)
    this.#deadlines = new DeadlineTimer(deps.clock, this.#time, due, () => this.#missed())
  }

  get committed(): boolean {
    return this.#progress.committed
  }

  /** ms spent waiting for the upstream, so far or in all. */
  get activeMs(): number {
    return this.#end === undefined ? this.#time.ms : this.#endedMs
  }

  /** The backend's count, or an estimate from the text that passed. */
  get usage(): Usage {
    if (this.#usage !== undefined) return this.#usage
    const promptTokens = estimatePrompt(this.turn)
    const completionTokens = this.#meter.tokens
    return { tokens: promptTokens + completionTokens, estimated: true, promptTokens, completionTokens }
  }

  /** What the backend told of its answer; `attempts` counts at least the one request. */
  get facts(): AnswerFacts & { readonly attempts: number } {
    return { attempts: 1, ...this.#facts }
  }

  /** Events that close what the client still sees as open: plan steps and calls. */
  get closingEvents(): readonly MessageBody[] {
    return this.#steps.closing()
  }

  /** Once. Where it was given up before, the sink only hears of that. */
  start(sink: ExecutionSink): void {
    this.#sink = sink
    if (this.#end !== undefined) {
      sink.end(this.#end)
      return
    }
    this.#isStarted = true
    this.#arm()
    try {
      this.#backend = this.backend.execute(this.turn, this.#call(), this)
    } catch (thrown) {
      this.#isFreed = true
      this.#finish({ kind: 'failed', error: this.#failure(thrown) })
    }
  }

  /** The consumer takes more, after its `batch` said false. */
  resume(): void {
    const hold = this.#hold
    if (hold === undefined || this.#end !== undefined) return
    this.#time.goOn()
    this.#hold = undefined
    if (hold.end !== undefined) {
      this.#endWith(hold.end.failure)
      return
    }
    this.#arm()
    this.#backend?.resume()
  }

  /**
   * Gives the execution up: the upstream is aborted, and it ends at once. Nothing once it has ended.
   * @param unreadMs for so long there has been no reader
   */
  abort(code: AbortCode, unreadMs = 0): void {
    if (this.#end === undefined) this.#giveUp({ kind: 'aborted', code, unreadMs })
  }

  /** Its backend is known to be dead: ends in an error before the commit point, and goes on after it. */
  lose(code: ExecutionErrorCode): void {
    if (this.#end !== undefined || this.#progress.committed) return
    const error = new ExecutionError(code, phaseOf(this.#progress), 'the backend is known to be dead')
    this.#giveUp({ kind: 'failed', error })
  }

  /** Of the backend: see `BackendSink`. */
  batch(events: readonly BackendEvent[]): boolean {
    if (this.#end !== undefined) return false
    const active = this.#time.ms
    const progress = this.#progress
    // From the second event on an armed timer stays: no deadline gets nearer by an event.
    const isArmed = progress.lastEventAt !== undefined && this.#deadlines.isArmed
    progress.headersAt ??= active
    progress.lastEventAt = active
    for (const event of events) {
      this.#see(event)
      if (!progress.committed) this.#beforeCommit(event, active)
    }
    const messages = events.every(isMessage) ? events : events.filter(isMessage)
    if (messages.length === 0 || this.#sink?.batch(messages) !== false) {
      if (!isArmed) this.#arm()
      return true
    }
    if (this.#end === undefined) {
      this.#hold = {}
      this.#time.hold(active)
    }
    return false
  }

  /** Of the backend: see `BackendSink`. */
  end(failure?: unknown): void {
    this.#isFreed = true
    this.#onFreed()
    if (this.#end !== undefined) return
    if (this.#hold === undefined) this.#endWith(failure)
    else this.#hold.end = { failure }
  }

  #call(): ExecutionCall {
    const watch = guarded(this.deps.logger, 'watch', () => this.deps.watch?.(this.mode))
    // The optional ones last: behind a leading spread V8 gives each object a form of its own.
    return {
      signal: this.#controller.signal,
      connectMs: this.limits.connectMs,
      headersMs: this.limits.headersMs,
      softFailures: this.limits.softFailures,
      onConnected: () => {
        this.#progress.connected = true
        guarded(this.deps.logger, 'connected', () => this.deps.onConnected?.())
        guarded(this.deps.logger, 'watch', () => watch?.connected())
      },
      onHeaders: () => {
        guarded(this.deps.logger, 'watch', () => watch?.headers())
        this.#headersCame()
      },
      onRetry: () => this.#startOver(),
      onComplete: () => {
        this.#complete = true
        this.#deadlines.stop()
      },
      after: (task) => {
        this.#tasks.push(task)
      },
      ...(watch === undefined ? {} : { watch }),
      ...(watch?.span === undefined ? {} : { span: watch.span }),
    }
  }

  #endWith(failure: unknown): void {
    if (failure !== undefined) this.#finish({ kind: 'failed', error: this.#failure(failure) })
    else if (this.#progress.committed) this.#finish({ kind: 'ended' })
    else {
      const error = new ExecutionError('empty_answer', 'first_content', 'ended with nothing committed')
      this.#finish({ kind: 'failed', error })
    }
  }

  #see(event: BackendEvent): void {
    switch (event.type) {
      case 'text':
        this.#meter.add(event.data.content)
        // More came where the end was thought to be: deadlines count again.
        this.#complete = false
        return
      case 'usage':
        this.#usage = event.data
        return
      case 'facts':
        this.#facts = { ...this.#facts, ...event.data }
        return
      default:
        this.#steps.see(event)
    }
  }

  #beforeCommit(event: BackendEvent, active: number): void {
    if (event.type === 'thinking' && this.mode === 'direct_llm') this.#progress.thinkingAt = active
    if (!commits(event)) return
    this.#progress.committed = true
    this.#firstContentMs = active
  }

  /** All requests of an execution share the time until a response head. */
  #startOver(): void {
    if (this.#end !== undefined) return
    const progress = this.#progress
    progress.connected = false
    progress.headersAt = undefined
    progress.thinkingAt = undefined
    progress.lastEventAt = undefined
    this.#complete = false
    this.#arm()
  }

  #headersCame(): void {
    if (this.#end !== undefined) return
    this.#progress.connected = true
    this.#progress.headersAt ??= this.#time.ms
    this.#arm()
  }

  #arm(): void {
    if (!this.#complete && this.#end === undefined) this.#deadlines.arm()
  }

  #missed(): void {
    const { code, phase } = missed(this.limits, this.allowance, this.#progress)
    this.#giveUp({ kind: 'failed', error: new ExecutionError(code, phase, 'deadline missed', true) })
  }

  /** Ends at once; the backend frees itself afterwards, and what it leaves behind is waited for elsewhere. */
  #giveUp(end: ExecutionEnd): void {
    this.#close(end)
    // The backend tells a deadline from a user who left.
    this.#controller.abort(end.kind === 'failed' ? end.error : undefined)
    if (this.#isStarted) this.deps.after(this.#freed())
    this.#tell(end)
  }

  #freed(): Promise<void> {
    const freed = async (): Promise<void> => {
      if (!this.#isFreed) await new Promise<void>((resolve) => (this.#onFreed = resolve))
      await Promise.allSettled(this.#tasks)
    }
    return bounded(freed(), AFTER_MS, this.deps.clock).then(nothing)
  }

  #finish(end: ExecutionEnd): void {
    this.#close(end)
    for (const task of this.#tasks) this.deps.after(task)
    this.#tell(end)
  }

  #close(end: ExecutionEnd): void {
    this.#endedMs = this.#time.ms
    this.#end = end
    this.#deadlines.stop()
  }

  #tell(end: ExecutionEnd): void {
    // Everyone who waits for the end gets it, also when an observer throws.
    guarded(this.deps.logger, 'record', () => this.deps.record(this.#outcome(end)))
    this.#sink?.end(end)
  }

  #failure(thrown: unknown): ExecutionError {
    if (thrown instanceof ExecutionError) return inPhaseSeen(thrown, this.#progress.committed)
    const name = thrown instanceof Error ? thrown.name : typeof thrown
    // The message of a stray error may quote what it choked on: its place is enough to find it.
    const at = thrown instanceof Error ? thrown.stack?.split('\n').slice(-6) : undefined
    const { logger } = this.deps
    guarded(logger, 'log', () =>
      logger.error({ ...logIds(this.turn), name, at }, 'a backend threw a stray error'),
    )
    return new ExecutionError('internal_error', phaseOf(this.#progress), `stray ${name}`)
  }

  /** A hang that no deadline has struck yet: the user was faster. */
  #isAbandoned(end: ExecutionEnd): boolean {
    if (end.kind !== 'aborted' || end.code !== 'client_gone' || this.#progress.committed) return false
    const waitedMs = this.#endedMs - (end.unreadMs ?? 0)
    return waitedMs > (this.limits.abandonAfterMs ?? Number.POSITIVE_INFINITY)
  }

  #outcome(end: ExecutionEnd): Outcome {
    return {
      ...outcomeResult(end),
      mode: this.mode,
      orgId: this.turn.caller.orgId,
      agentId: this.turn.caller.agentId,
      sessionId: this.turn.caller.sessionId,
      startedAt: this.#startedAt,
      latencyMs: this.#endedMs,
      ...localFault(end),
      ...(this.#isAbandoned(end) ? { abandoned: phaseOf(this.#progress) } : {}),
      ...(this.#firstContentMs === undefined ? {} : { firstContentMs: this.#firstContentMs }),
      ...(this.#usage === undefined ? {} : { tokens: this.#usage.tokens }),
    }
  }
}

function isMessage(event: BackendEvent): event is MessageBody {
  return event.type !== 'usage' && event.type !== 'facts' && event.type !== 'committed'
}

function nothing(): void {}
