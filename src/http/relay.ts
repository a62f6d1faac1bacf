import { errorText } from '../core/errors.js'
import { guarded } from '../core/guarded.js'
import type { TurnFlags } from '../decision/flags.js'
import type { Turn } from '../execution/backend.js'
import {
  type ExecuteTurnDeps,
  executeTurn,
  type TurnExecution,
  type TurnSink,
} from '../execution/execute-turn.js'
import type { TurnResult } from '../execution/turn-result.js'
import type { Decision } from '../protocol/modes.js'
import type { ShadowHandle } from '../shadow/run/shadow-runner.js'
import { NOT_STARTED } from './end-turn.js'
import { turnBroke } from './events.js'
import { keptExecution } from './kept-execution.js'
import { isOnlyOverride } from './only-override.js'
import type { RunningTurn } from './running-turn.js'
import type { SseStream } from './stream/sse-stream.js'

/**
 * Executes the turn; what one read brings is written to the reader in the same call. A slow reader holds the execution, an
 * abort frees it. The request is on its way when it returns; never rejects.
 */
export function relay(
  turn: Turn,
  decision: Decision,
  flags: TurnFlags,
  stream: SseStream,
  running: RunningTurn,
  shadow?: ShadowHandle,
): Promise<TurnResult> {
  const { who, text, deps } = running
  const { logger } = deps
  return new Promise((resolve) => {
    let execution: TurnExecution | undefined
    const end = (result: TurnResult): void => {
      guarded(logger, 'shadow', () => shadow?.left())
      resolve(result)
    }
    const broke = (thrown: unknown): void => {
      turnBroke(logger, { ...who, error: errorText(thrown) })
      execution?.leave()
      end({ ...NOT_STARTED, executionMode: decision.mode, phase: 'streaming' })
    }
    const sink: TurnSink = {
      batch(events) {
        try {
          text.add(events)
          if (shadow !== undefined) guarded(logger, 'shadow', () => shadow.saw(events))
          return stream.write(events)
        } catch (thrown) {
          broke(thrown)
          return false
        }
      },
      end(result) {
        try {
          // Also after a stop, which left the reader waiting. A reader that is gone is written to in vain.
          if (result.kind !== 'answered' && result.closing !== undefined) stream.write(result.closing)
          end(result)
        } catch (thrown) {
          broke(thrown)
        }
      },
    }
    try {
      stream.onRelief(() => execution?.resume())
      const told = depsOf(turn, decision, flags, running, shadow)
      execution = executeTurn(turn, decision.mode, deps.backends, flags.guardrails, told, sink)
    } catch (thrown) {
      broke(thrown)
    }
  })
}

/** What the execution needs, and whom it tells. */
function depsOf(
  turn: Turn,
  decision: Decision,
  flags: TurnFlags,
  { place, outcomes, after, deps }: RunningTurn,
  shadow: ShadowHandle | undefined,
): ExecuteTurnDeps {
  const { clock, logger, metrics, fallback, windows, journal } = deps
  return {
    clock,
    logger,
    signal: place.signal,
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
  }
}
