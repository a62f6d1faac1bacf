import { errorText } from '../core/errors.js'
import { guarded } from '../core/guarded.js'
import { measuringIn } from '../core/tracing/measured-span.js'
import {
  type ExecuteTurnDeps,
  executeTurn,
  type TurnExecution,
  type TurnSink,
} from '../execution/execute-turn.js'
import type { Outcome } from '../execution/outcome.js'
import type { TurnResult } from '../execution/turn-result.js'
import type { KeptExecution } from '../journal/comparison.js'
import { countedAs } from '../protocol/execution-results.js'
import type { ShadowHandle } from '../shadow/run/shadow-runner.js'
import { type DecidedTurn, isOnlyOverride } from './decide-turn.js'
import { NOT_STARTED } from './end-turn.js'
import type { RunningTurn } from './running-turn.js'
import { turnBroke } from './turn-log.js'
import type { TurnReader } from './turn-reader.js'

/**
 * Executes the turn; what one read brings is written to the reader in the same call. A slow reader holds the execution, an
 * abort frees it. The request is on its way when it returns; never rejects.
 */
export function relay(
  decided: DecidedTurn,
  reader: TurnReader,
  running: RunningTurn,
  shadow?: ShadowHandle,
): Promise<TurnResult> {
  const { turn, decision, flags } = decided
  const { who, text, recorder, deps } = running
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
          recorder.saw(events)
          if (shadow !== undefined) guarded(logger, 'shadow', () => shadow.saw(events))
          return reader.write(events)
        } catch (thrown) {
          broke(thrown)
          return false
        }
      },
      end(result) {
        try {
          // Also after a stop, which left the reader waiting. Writing to a reader that is gone does nothing.
          if (result.kind !== 'answered' && result.closing !== undefined) reader.write(result.closing)
          end(result)
        } catch (thrown) {
          broke(thrown)
        }
      },
    }
    try {
      reader.onRelief(() => execution?.resume())
      const told = depsOf(decided, running, shadow)
      execution = executeTurn(turn, decision.mode, deps.backends, flags.guardrails, told, sink)
    } catch (thrown) {
      broke(thrown)
    }
  })
}

/** What the execution needs, and whom it tells. */
function depsOf(
  decided: DecidedTurn,
  { place, outcomes, after, recorder, deps }: RunningTurn,
  shadow: ShadowHandle | undefined,
): ExecuteTurnDeps {
  const { clock, logger, metrics, fallback, rollout, windows, journal } = deps
  return {
    clock,
    logger,
    signal: place.signal,
    watch: (mode) => recorder.watch(mode),
    onConnected: () => shadow?.underWay(),
    onRuntimeLost: (listener) => fallback.onRuntimeLost(listener),
    ...(isOnlyOverride(decided) ? { mayReturn: () => fallback.mayReturn(decided.turn.caller) } : {}),
    record(ended) {
      const isRollout = decided.decision.reason === 'rollout' && ended.mode === 'runtime_orchestrator'
      const outcome = isRollout ? ({ ...ended, isRollout } as const) : ended
      outcomes.push(outcome)
      guarded(logger, 'traces', () => recorder.ended(outcome))
      guarded(logger, 'metrics', () => measuringIn(recorder.span, () => metrics.recordOutcome(outcome)))
      guarded(logger, 'fallback', () => fallback.record(outcome))
      if (isRollout) guarded(logger, 'rollout', () => rollout.record(outcome))
      // What our own machine lacks is in no rate.
      if (outcome.localFault === undefined) guarded(logger, 'windows', () => windows.record(outcome))
      guarded(logger, 'shadow', () => shadow?.ended(outcome))
      guarded(logger, 'journal', () => {
        const execution = keptExecution(outcome, clock.wall())
        if (execution !== undefined) journal.keepExecution(execution)
      })
    },
    after: (task) => after.push(task),
  }
}

/**
 * An execution of a user's turn as it is kept; undefined for an aborted one: its user ended it, whatever the
 * backend would have done. Who waited for long before leaving is kept for a replay: the fallback judges that. @param at wall-clock ms of its end
 */
function keptExecution(outcome: Outcome, at: number): KeptExecution | undefined {
  const { mode, orgId, agentId, sessionId, latencyMs, firstContentMs } = outcome
  const result = countedAs(outcome)
  if (result === 'aborted') return undefined
  return {
    at,
    mode,
    orgId,
    agentId,
    ...(sessionId === undefined ? {} : { sessionId }),
    result,
    latencyMs,
    ...(firstContentMs === undefined ? {} : { firstContentMs }),
  }
}
