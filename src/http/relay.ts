import { errorText } from '../core/errors.js'
import { guarded } from '../core/guarded.js'
import type { TurnFlags } from '../decision/flags.js'
import type { Turn } from '../execution/backend.js'
import { executeTurn } from '../execution/execute-turn.js'
import type { TurnResult } from '../execution/turn-result.js'
import type { Decision } from '../protocol/modes.js'
import type { ShadowHandle } from '../shadow/shadow-runner.js'
import { NOT_STARTED } from './end-turn.js'
import { turnBroke } from './events.js'
import { keptExecution } from './kept-execution.js'
import { isOnlyOverride } from './only-override.js'
import type { RunningTurn } from './running-turn.js'
import type { SseStream } from './sse-stream.js'

/** Executes the turn and hands every batch to the reader; a slow reader holds the execution, an abort frees it. */
export async function relay(
  turn: Turn,
  decision: Decision,
  flags: TurnFlags,
  stream: SseStream,
  { who, place, text, outcomes, after, deps }: RunningTurn,
  shadow?: ShadowHandle,
): Promise<TurnResult> {
  const { signal } = place
  const { clock, logger, metrics, fallback, windows, journal } = deps
  const execution = executeTurn(turn, decision.mode, deps.backends, flags.guardrails, {
    clock,
    logger,
    signal,
    onConnected: () => shadow?.underWay(),
    onRuntimeLost: (listener) => fallback.onRuntimeLost(listener),
    ...(isOnlyOverride(turn, decision, flags) ? { mayReturn: () => fallback.mayReturn(turn.caller) } : {}),
    record(outcome) {
      outcomes.push(outcome)
      guarded(logger, 'metrics', () => metrics.recordOutcome(outcome))
      guarded(logger, 'fallback', () => fallback.record(outcome))
      // What our own machine lacks is in no rate.
      if (outcome.ownFault === undefined) guarded(logger, 'windows', () => windows.record(outcome))
      guarded(logger, 'shadow', () => shadow?.ended(outcome))
      guarded(logger, 'journal', () => {
        const execution = keptExecution(outcome, clock.wall())
        if (execution !== undefined) journal.keepExecution(execution)
      })
    },
    after: (task) => after.push(task),
  })
  // Looked at with every batch, where the signal's own getter is dear.
  let givenUp = signal.aborted
  const onAbort = (): void => {
    givenUp = true
    stream.unblock()
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    for (;;) {
      const step = await execution.next()
      if (step.done) {
        // Also after a stop, which left the reader waiting. A reader that is gone is written to in vain.
        if (step.value.kind !== 'answered' && step.value.closing !== undefined)
          void stream.write(step.value.closing)
        return step.value
      }
      // Given up: what still comes is neither shown nor kept.
      if (givenUp) continue
      text.add(step.value)
      if (shadow !== undefined) guarded(logger, 'shadow', () => shadow.saw(step.value))
      const blocked = stream.write(step.value)
      if (blocked !== undefined) await blocked
    }
  } catch (thrown) {
    turnBroke(logger, { ...who, error: errorText(thrown) })
    const broken: TurnResult = { ...NOT_STARTED, executionMode: decision.mode, phase: 'streaming' }
    await execution.return(broken)
    return broken
  } finally {
    signal.removeEventListener('abort', onAbort)
    guarded(logger, 'shadow', () => shadow?.left())
  }
}
