import type { Decision, DecisionReason, ExecutionMode } from '../protocol/modes.js'

/** A flag's value and how it came about. `stale`: a last known good value, its source being broken or away. */
export interface Evaluated<T> {
  readonly value: T
  readonly reason: Exclude<DecisionReason, 'fallback'>
}

/** The flags that decide a turn, already evaluated for its caller. */
export interface FlagValues {
  readonly mode: Evaluated<ExecutionMode>
  readonly shadow: boolean
}

/** The override (`chat-runtime-fallback`) as evaluated for the caller. */
export interface OverrideValue {
  readonly on: boolean
  /** of the flag as the provider gave it */
  readonly revision?: number
  /** what others got: nobody answered for this caller, whom a scoped override may treat otherwise */
  readonly isGuess?: true
}

/**
 * Execution mode, shadow and reason of one turn. The override wins over `chat-execution-mode`; while it is on for this
 * caller nothing is shadowed, for the runtime is to be spared.
 */
export function decide(flags: FlagValues, override: OverrideValue): Decision {
  if (override.on) return { mode: 'direct_llm', reason: 'fallback', shadow: false }
  return { mode: flags.mode.value, reason: flags.mode.reason, shadow: flags.shadow }
}
