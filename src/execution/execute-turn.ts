import { guarded } from '../core/guarded.js'
import type { Failover, MessageBody } from '../protocol/events.js'
import type { AbortCode } from '../protocol/execution-codes.js'
import { type ExecutionMode, otherMode } from '../protocol/modes.js'
import { type ChatBackend, logIds, type Turn } from './backend.js'
import { leftAllowance, limitsOf, runtimeAllowance } from './deadlines.js'
import { Execution, type ExecutionDeps, type ExecutionLimits, type ExecutionSink } from './execution.js'
import type { ExecutionEnd } from './execution-end.js'
import type { ExecutionError } from './execution-error.js'
import { TurnAborted, type TurnResult } from './turn-result.js'

export type Backends = Readonly<Record<ExecutionMode, ChatBackend>>

export interface ExecuteTurnDeps extends ExecutionDeps {
  /** Aborted with a `TurnAborted` by the code that gives the turn up; any other reason reads as `client_gone`. */
  readonly signal: AbortSignal
  /** Calls back when the runtime is known to be dead; returns how to forget the listener. */
  onRuntimeLost?(listener: () => void): () => void
  /**
   * Asked when a turn that began on the direct LLM failed there before the commit point: whether only the override keeps it away
   * from the runtime, and that is well. Absent: no.
   */
  mayReturn?(): boolean
}

/** What a turn feeds. */
export interface TurnSink {
  /** What the client gets to see of one network read, never empty. False: nothing more comes, nor the end, before `resume`. */
  batch(events: readonly MessageBody[]): boolean
  /** How the turn ended. Called exactly once, perhaps from within `executeTurn`; nothing comes after it. */
  end(result: TurnResult): void
}

/** A turn on its way. */
export interface TurnExecution {
  /** More may come, after `batch` said false. */
  resume(): void
  /** Frees everything; the sink hears nothing more. */
  leave(): void
}

/**
 * Runs one turn on the backend of its execution mode and feeds the sink what the client gets to see; throws nothing that
 * the sink does not throw. The only place where a failover happens: a runtime that fails before the commit point is
 * replaced, once, by the direct LLM in the same stream; or the direct LLM by the runtime (`mayReturn`).
 * While the sink holds, gap, first content and total stand still.
 */
export function executeTurn(
  turn: Turn,
  mode: ExecutionMode,
  backends: Backends,
  limits: ExecutionLimits,
  deps: ExecuteTurnDeps,
  sink: TurnSink,
): TurnExecution {
  const run = new TurnRun(turn, mode, backends, limits, deps, sink)
  run.start()
  return run
}

type Stage =
  | { readonly kind: 'executing'; readonly execution: Execution }
  /** The first backend failed, and the sink holds what closes its plan; `start` takes over. */
  | { readonly kind: 'failing_over'; readonly start: () => void }
  | { readonly kind: 'ended' }

class TurnRun implements TurnExecution, ExecutionSink {
  #stage: Stage = { kind: 'ended' }
  #first: FailedOver | undefined
  #earlierAttempts = 0
  readonly #startedAt: number
  #forgetRuntime: (() => void) | undefined

  constructor(
    private readonly turn: Turn,
    private readonly mode: ExecutionMode,
    private readonly backends: Backends,
    private readonly limits: ExecutionLimits,
    private readonly deps: ExecuteTurnDeps,
    private readonly sink: TurnSink,
  ) {
    this.#startedAt = deps.clock.monotonic()
  }

  start(): void {
    const { signal } = this.deps
    if (signal.aborted) {
      this.sink.end(abortedBeforeStart(this.mode, signal))
      return
    }
    signal.addEventListener('abort', this.#onAbort, { once: true })
    this.#forgetRuntime = this.deps.onRuntimeLost?.(this.#onRuntimeLost)
    this.#execute(this.mode, 0)
  }

  resume(): void {
    const stage = this.#stage
    if (stage.kind === 'executing') stage.execution.resume()
    else if (stage.kind === 'failing_over') stage.start()
  }

  leave(): void {
    const stage = this.#stage
    this.#close()
    if (stage.kind === 'executing') stage.execution.abort('client_gone')
  }

  readonly #onAbort = (): void => {
    const stage = this.#stage
    const { signal } = this.deps
    if (stage.kind === 'executing') stage.execution.abort(abortCode(signal), unreadMs(signal))
    else if (stage.kind === 'failing_over') stage.start()
  }

  readonly #onRuntimeLost = (): void => {
    const stage = this.#stage
    // Where the direct LLM has failed before, nobody is left to take over.
    if (stage.kind !== 'executing' || this.#first !== undefined) return
    if (stage.execution.mode === 'runtime_orchestrator') stage.execution.lose('runtime_unavailable')
  }

  #execute(which: ExecutionMode, usedMs: number): void {
    const { turn, mode, limits, deps } = this
    const leavesTime = which === 'runtime_orchestrator' && which === mode
    const allowance = leavesTime ? runtimeAllowance(limits) : leftAllowance(limits, usedMs)
    const own = limitsOf(which, limits)
    const execution = new Execution(this.backends[which], turn, own, allowance, deps)
    this.#stage = { kind: 'executing', execution }
    execution.start(this)
  }

  /** Of the execution: see `ExecutionSink`. */
  batch(events: readonly MessageBody[]): boolean {
    return this.sink.batch(events)
  }

  /** Of the execution: see `ExecutionSink`. */
  end(end: ExecutionEnd): void {
    if (this.#stage.kind === 'executing') this.#executed(this.#stage.execution, end)
  }

  #executed(execution: Execution, end: ExecutionEnd): void {
    const { turn, deps } = this
    if (end.kind !== 'failed' || this.#first !== undefined || !mayFailOver(execution, end.error, deps)) {
      if (end.kind === 'failed') logFailure(turn, execution, end.error, deps)
      this.#finish(resultOf(end, execution, this.#first, this.#earlierAttempts))
    } else if (deps.signal.aborted)
      this.#finish({ ...abortedBeforeStart(this.mode, deps.signal), usage: execution.usage })
    else this.#failOver(execution, end.error)
  }

  #failOver(execution: Execution, error: ExecutionError): void {
    const { turn, deps } = this
    const first = failOver(execution.mode, error, deps.clock.monotonic() - this.#startedAt)
    this.#first = first
    logFailover(turn, first, deps)
    const skipped = execution.closingEvents
    const stage: Stage = { kind: 'failing_over', start: () => this.#takeOver(execution, first) }
    this.#stage = stage
    if (skipped.length > 0 && !this.sink.batch(skipped)) return
    // Given up meanwhile, it has ended already.
    if (this.#stage === stage) stage.start()
  }

  #takeOver(execution: Execution, { failover }: FailedOver): void {
    const { signal } = this.deps
    const other = otherMode(execution.mode)
    if (signal.aborted) {
      this.#finish({ ...abortedBeforeStart(other, signal), failover, usage: execution.usage })
      return
    }
    this.#earlierAttempts += execution.facts.attempts
    this.#execute(other, execution.activeMs)
  }

  #finish(result: TurnResult): void {
    this.#close()
    this.sink.end(result)
  }

  #close(): void {
    this.#stage = { kind: 'ended' }
    this.#forgetRuntime?.()
    this.deps.signal.removeEventListener('abort', this.#onAbort)
  }
}

/** What is left of a backend that failed before the commit point. */
interface FailedOver {
  readonly failover: Failover
  readonly error: ExecutionError
}

function mayFailOver({ mode, committed }: Execution, error: ExecutionError, deps: ExecuteTurnDeps): boolean {
  if (committed) return false
  if (mode === 'runtime_orchestrator') return true
  // What was refused for its content is no failure, and not sent elsewhere behind the back of a filter.
  if (error.details.rejected === true) return false
  return guarded(deps.logger, 'return to the runtime', () => deps.mayReturn?.()) === true
}

function failOver(from: ExecutionMode, error: ExecutionError, afterMs: number): FailedOver {
  const { code, phase } = error
  return { failover: { from, cause: code, phase, afterMs: Math.round(afterMs) }, error }
}

function resultOf(
  end: ExecutionEnd,
  execution: Execution,
  first: FailedOver | undefined,
  earlierAttempts: number,
): TurnResult {
  const shared = {
    executionMode: execution.mode,
    ...(first === undefined ? {} : { failover: first.failover }),
  }
  const { facts: own, usage } = execution
  const facts = { ...own, attempts: own.attempts + earlierAttempts }
  if (end.kind === 'ended') return { kind: 'answered', ...shared, usage, facts }
  const open = execution.closingEvents
  const closing = open.length === 0 ? {} : { closing: open }
  if (end.kind === 'aborted') return { kind: 'aborted', ...shared, ...closing, code: end.code, usage, facts }
  const failed = { kind: 'failed', ...shared, ...closing } as const
  if (first === undefined) return { ...failed, ...toldOf(end.error) }
  if (first.failover.from === 'runtime_orchestrator')
    return { ...failed, ...toldOf(end.error), runtime: placeOf(first.error) }
  // The runtime had begun to answer: what the reader sees broken is its answer.
  if (execution.committed) return { ...failed, ...toldOf(end.error) }
  return { ...failed, executionMode: 'direct_llm', ...toldOf(first.error), runtime: placeOf(end.error) }
}

const toldOf = ({ code, phase, details }: ExecutionError) => ({ code, phase, details })
const placeOf = ({ code, phase }: ExecutionError) => ({ code, phase })

function abortedBeforeStart(executionMode: ExecutionMode, signal: AbortSignal) {
  const usage = { tokens: 0, estimated: true }
  return { kind: 'aborted' as const, executionMode, code: abortCode(signal), usage }
}

function abortCode(signal: AbortSignal): AbortCode {
  return signal.reason instanceof TurnAborted ? signal.reason.code : 'client_gone'
}

function unreadMs(signal: AbortSignal): number {
  return signal.reason instanceof TurnAborted ? signal.reason.unreadMs : 0
}

function logFailure(turn: Turn, { mode }: Execution, error: ExecutionError, deps: ExecuteTurnDeps): void {
  const { code, phase, details, message: detail } = error
  guarded(deps.logger, 'log', () =>
    deps.logger.warn({ ...logIds(turn), mode, code, phase, ...details, detail }, 'an execution failed'),
  )
}

function logFailover(turn: Turn, { failover, error }: FailedOver, deps: ExecuteTurnDeps): void {
  const { cause, phase, afterMs } = failover
  guarded(deps.logger, 'log', () =>
    deps.logger.warn(
      { ...logIds(turn), cause, phase, afterMs, detail: error.message },
      failover.from === 'direct_llm'
        ? '[Chat] direct 失败，改由 Runtime 回答'
        : '[Chat] 自动回退到 direct 模式',
    ),
  )
}
