import type { Decision, DecisionReason, ExecutionMode } from '../protocol/modes.js'

/** A flag's value and how it came about. `stale`: a last known good value, its source being broken or away. */
export interface Evaluated<T> {
  readonly value: T
  readonly reason: Exclude<DecisionReason, 'fallback' | 'rollout'>
  /** of a `stale` one: a targeting rule had chosen it */
  readonly targeted?: true
}

/** The flags that decide a turn, already evaluated for its caller. */
export interface FlagValues {
  readonly mode: Evaluated<ExecutionMode>
  readonly shadow: boolean
}

/** One of the service's own flags (the override, the rollout) as evaluated for the caller. */
export interface OverrideValue {
  readonly on: boolean
  /** of the flag as the provider gave it */
  readonly revision?: number
  /** what others got: nobody answered for this caller, whom a scoped override may treat otherwise */
  readonly isGuess?: true
}

/**
 * Execution mode, shadow and reason of one turn. The override (`chat-runtime-fallback`) wins over everything; while it is on
 * for this caller nothing is shadowed, for the runtime is to be spared. Then the rollout (`chat-runtime-rollout`), where
 * `chat-execution-mode` leaves the caller on the direct LLM by default; else `chat-execution-mode`.
 */
export function decide(
  flags: FlagValues,
  override: Pick<OverrideValue, 'on'>,
  rollout: Pick<OverrideValue, 'on'>,
): Decision {
  if (override.on) return { mode: 'direct_llm', reason: 'fallback', shadow: false }
  return withoutOverride(flags, rollout)
}

/** The same while no override is on. */
export function withoutOverride({ mode, shadow }: FlagValues, rollout: Pick<OverrideValue, 'on'>): Decision {
  if (rollout.on && isOpenToRollout(mode)) return { mode: 'runtime_orchestrator', reason: 'rollout', shadow }
  return { mode: mode.value, reason: mode.reason, shadow }
}

/** The direct LLM by default: no rule of the operators has chosen it for this caller. */
export function isOpenToRollout(mode: Evaluated<ExecutionMode>): boolean {
  return mode.value === 'direct_llm' && !isTargeted(mode)
}

export function isTargeted({ reason, targeted }: Evaluated<ExecutionMode>): boolean {
  return reason === 'targeting_match' || targeted === true
}
