import { guarded } from '../core/guarded.js'
import type { Failover, MessageBody } from '../protocol/events.js'
import type { AbortCode } from '../protocol/execution-codes.js'
import type { ExecutionMode } from '../protocol/modes.js'
import type { ChatBackend, Turn } from './backend.js'
import { leftAllowance, limitsOf, runtimeAllowance } from './deadlines.js'
import { Execution, type ExecutionDeps, type ExecutionEnd, type ExecutionLimits } from './execution.js'
import type { ExecutionError } from './execution-error.js'
import { TurnAborted, type TurnResult } from './turn-result.js'

export type Backends = Readonly<Record<ExecutionMode, ChatBackend>>

export interface ExecuteTurnDeps extends ExecutionDeps {
  /** Aborted with a `TurnAborted` by whoever gives the turn up; any other reason reads as `client_gone`. */
  readonly signal: AbortSignal
  /** Calls back when the runtime is known to be dead; returns how to forget the listener. */
  onRuntimeLost?(listener: () => void): () => void
  /**
   * Asked when a turn that began on the direct LLM failed there before the commit point: whether only the override keeps it away
   * from the runtime, and that is well. Absent: no.
   */
  mayReturn?(): boolean
}

/**
 * Runs one turn on the backend of its execution mode and yields what the client gets to see, one batch a network read.
 * Returns how the turn ended, and throws nothing. The only place where a failover happens: a runtime that fails before
 * the commit point is replaced, once, by the direct LLM in the same stream; or the direct LLM by the runtime (`mayReturn`).
 * While the consumer holds a batch, gap, first content and total stand still. `return()` frees everything.
 */
export async function* executeTurn(
  turn: Turn,
  mode: ExecutionMode,
  backends: Backends,
  limits: ExecutionLimits,
  deps: ExecuteTurnDeps,
): AsyncGenerator<readonly MessageBody[], TurnResult, undefined> {
  const { signal, clock } = deps
  if (signal.aborted) return abortedBeforeStart(mode, signal)
  const startedAt = clock.monotonic()
  let execution = startExecution(mode, 0)
  let first: FailedOver | undefined
  let earlierAttempts = 0
  const onAbort = (): void => execution.abort(abortCode(signal))
  signal.addEventListener('abort', onAbort, { once: true })
  const forgetRuntime = deps.onRuntimeLost?.(() => {
    // Where the direct LLM has failed before, nobody is left to take over.
    if (execution.mode === 'runtime_orchestrator' && first === undefined)
      execution.lose('runtime_unavailable')
  })
  try {
    for (;;) {
      const step = await execution.pull()
      if (step.kind === 'batch') {
        if (step.events.length > 0) yield step.events
        continue
      }
      if (step.kind !== 'failed' || first !== undefined || !mayFailOver(execution, step.error, deps)) {
        if (step.kind === 'failed') logFailure(turn, execution, step.error, deps)
        return resultOf(step, execution, first, earlierAttempts)
      }
      if (signal.aborted) return { ...abortedBeforeStart(mode, signal), usage: execution.usage }
      first = failOver(execution.mode, step.error, clock.monotonic() - startedAt)
      const other = execution.mode === 'direct_llm' ? 'runtime_orchestrator' : 'direct_llm'
      logFailover(turn, first, deps)
      const skipped = execution.closingEvents
      if (skipped.length > 0) yield skipped
      if (signal.aborted)
        return {
          ...abortedBeforeStart(other, signal),
          failover: first.failover,
          usage: execution.usage,
        }
      earlierAttempts += execution.facts.attempts
      execution = startExecution(other, execution.activeMs)
    }
  } finally {
    forgetRuntime?.()
    signal.removeEventListener('abort', onAbort)
    execution.abort('client_gone')
  }

  function startExecution(which: ExecutionMode, usedMs: number): Execution {
    const leavesTime = which === 'runtime_orchestrator' && which === mode
    const allowance = leavesTime ? runtimeAllowance(limits) : leftAllowance(limits, usedMs)
    return new Execution(backends[which], turn, limitsOf(which, limits), allowance, deps)
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

function logFailure(
  { requestId, sessionId }: Turn,
  { mode }: Execution,
  error: ExecutionError,
  deps: ExecuteTurnDeps,
): void {
  const { code, phase, details, message: detail } = error
  guarded(deps.logger, 'log', () =>
    deps.logger.warn({ requestId, sessionId, mode, code, phase, ...details, detail }, 'an execution failed'),
  )
}

function logFailover(turn: Turn, { failover, error }: FailedOver, deps: ExecuteTurnDeps): void {
  const { cause, phase, afterMs } = failover
  const { requestId, sessionId } = turn
  guarded(deps.logger, 'log', () =>
    deps.logger.warn(
      { requestId, sessionId, cause, phase, afterMs, detail: error.message },
      failover.from === 'direct_llm'
        ? '[Chat] direct 失败，改由 Runtime 回答'
        : '[Chat] 自动回退到 direct 模式',
    ),
  )
}
