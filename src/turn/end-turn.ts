import { bounded } from '../core/bounded.js'
import { errorText } from '../core/errors.js'
import { guarded } from '../core/guarded.js'
import { measuringIn } from '../core/tracing/measured-span.js'
import type { TurnResult } from '../execution/turn-result.js'
import type { TurnStatus } from '../protocol/api.js'
import type { Decision } from '../protocol/modes.js'
import type { RunningTurn } from './running-turn.js'
import type { RecordedEnd } from './trace/turn-spans.js'
import { sessionNotReleased, turnEnded, turnNotKept } from './turn-log.js'
import type { TurnKept } from './turn-reader.js'

/** ms in which work after an execution ends; it is bounded to 1 s by itself, this is the net below. */
const AFTER_MS = 1_500

/** How a turn is kept that broke before its stream was open; the client gets a 500. */
export const NOT_STARTED = {
  kind: 'failed',
  executionMode: 'direct_llm',
  code: 'internal_error',
  phase: 'connect',
  details: {},
} as const satisfies TurnResult

/** The same for one for which the direct LLM had no place; the client gets a 503. */
export const NOT_ADMITTED = { ...NOT_STARTED, code: 'llm_overloaded' } as const satisfies TurnResult

/**
 * Keeps how the turn ended. With nothing left to wait for, the session is released in the same write: a transaction saved
 * for nearly every turn.
 */
export async function keepTurn(
  result: TurnResult,
  { who, text, after, recorder, timing, deps }: RunningTurn,
  event: RecordedEnd['event'] = eventOf(result),
): Promise<TurnKept> {
  const { executionMode } = result
  const release = after.length === 0
  const finishReason = result.kind === 'failed' ? undefined : result.facts?.finishReason
  const status = statusOf(result)
  const trace = guarded(deps.logger, 'traces', () => recorder.end({ result, status, event }))
  const end = {
    status,
    text: text.value,
    executionMode,
    ...(finishReason === undefined ? {} : { finishReason }),
    ...(trace === undefined ? {} : { trace }),
  }
  try {
    const done = await bounded(deps.sessions.finish(who.messageId, end, release), timing.finishMs, deps.clock)
    if (done !== 'late') return done
    throw new Error(`the session store did not answer within ${timing.finishMs} ms`)
  } catch (thrown) {
    turnNotKept(deps.logger, { ...who, error: errorText(thrown) })
    return 'unknown'
  }
}

/** The one log line of the turn, itself and its failover in the metrics. */
export function tellTurnEnded(
  result: TurnResult,
  decision: Decision,
  latencyMs: number,
  { who, owner, startedAt, outcomes, recorder, deps }: RunningTurn,
): void {
  const last = outcomes.at(-1)
  const firstContentMs =
    last?.firstContentMs === undefined ? undefined : last.startedAt - startedAt + last.firstContentMs
  const { failover } = result
  if (result.kind !== 'failed')
    guarded(deps.logger, 'limits', () => deps.usage.add(owner.orgId, result.usage.tokens))
  if (failover !== undefined) guarded(deps.logger, 'metrics', () => deps.metrics.recordFailover(failover))
  guarded(deps.logger, 'metrics', () =>
    measuringIn(recorder.span, () =>
      deps.metrics.recordTurn({
        mode: result.executionMode,
        outcome: statusOf(result),
        latencyMs,
        ...(firstContentMs === undefined ? {} : { firstContentMs }),
      }),
    ),
  )
  turnEnded(deps.logger, {
    ...who,
    decision,
    executionMode: result.executionMode,
    outcome: statusOf(result),
    latencyMs: Math.round(latencyMs),
    ...(result.kind === 'answered' ? {} : { code: result.code }),
    ...(result.kind === 'failed' ? { phase: result.phase } : { tokens: result.usage.tokens }),
    ...(firstContentMs === undefined ? {} : { firstContentMs: Math.round(firstContentMs) }),
    ...(failover === undefined ? {} : { failover }),
  })
}

/** The session takes its next turn once every cancel of this one is through: a late one would hit the next. */
export async function releaseSession(
  kept: TurnKept,
  { who, after, timing, deps }: RunningTurn,
): Promise<void> {
  // Released as it was kept; a store that could not keep it is asked to release it all the same.
  if (after.length === 0 && kept !== 'unknown') return
  await bounded(Promise.allSettled(after), AFTER_MS, deps.clock)
  try {
    const done = await bounded(deps.sessions.release(who.messageId), timing.finishMs, deps.clock)
    if (done === 'late') throw new Error(`the session store did not answer within ${timing.finishMs} ms`)
  } catch (thrown) {
    sessionNotReleased(deps.logger, { ...who, error: errorText(thrown) })
  }
}

/** The terminal event; an abort leaves a reader only where a stop or the service itself was its cause. */
function eventOf(result: TurnResult): RecordedEnd['event'] {
  if (result.kind !== 'aborted') return result.kind === 'answered' ? 'done' : 'error'
  switch (result.code) {
    case 'stopped':
      return 'done'
    case 'shutting_down':
    case 'superseded':
      return 'error'
    case 'client_gone':
    case 'client_too_slow':
      return 'none'
  }
}

/** How the turn is kept in the history. */
export function statusOf(result: TurnResult): Exclude<TurnStatus, 'running'> {
  if (result.kind !== 'aborted') return result.kind
  return result.code === 'stopped' ? 'stopped' : 'aborted'
}
