import type { TurnFlags } from '../decision/flags.js'
import type { Turn } from '../execution/backend.js'
import type { Decision } from '../protocol/modes.js'

/** Of a session that this process has not met, while the database cannot be read. */
export const UNKNOWN_AGENT = ''

/** The flags give this turn the runtime, and only the override keeps it away from there. */
export function isOnlyOverride(turn: Turn, decision: Decision, flags: TurnFlags): boolean {
  const isRuntimes = flags.mode.value === 'runtime_orchestrator' && turn.caller.agentId !== UNKNOWN_AGENT
  return decision.reason === 'fallback' && isRuntimes
}
