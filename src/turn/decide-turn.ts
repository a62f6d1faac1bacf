import { guarded } from '../core/guarded.js'
import { wellFormed } from '../core/text.js'
import { decide } from '../decision/decide.js'
import type { TurnFlags } from '../decision/flags.js'
import type { Turn } from '../execution/backend.js'
import { limitsOf } from '../execution/deadlines.js'
import type { Decision } from '../protocol/modes.js'
import { historyMessages } from '../sessions/trim-history.js'
import type { BegunTurn } from './begin-turn.js'
import type { RunningTurn } from './running-turn.js'
import type { TurnDeps } from './turn-deps.js'
import { TurnRefused } from './turn-refused.js'

/** Of a session that this process has not met, while the database cannot be read. */
const UNKNOWN_AGENT = ''

/** The turn as a backend gets it, and where it goes. */
export interface DecidedTurn {
  readonly turn: Turn
  readonly decision: Decision
  readonly flags: TurnFlags
}

/**
 * Asks the flags and the fallback where the turn goes, and the direct LLM for a place where it goes there. Whoever calls it gives
 * the place back.
 * @throws TurnRefused `llm_overloaded` where the direct LLM has neither a place nor room in its queue
 */
export async function decideTurn(
  message: string,
  begun: BegunTurn,
  { who, owner, deps }: RunningTurn,
): Promise<DecidedTurn> {
  const caller = { ...owner, agentId: begun.agentId ?? UNKNOWN_AGENT, sessionId: who.sessionId }
  const flags = await deps.flags.forTurn(caller)
  const decided = decide(flags, deps.fallback.overrideFor(caller, flags.override))
  // The runtime would refuse an agent that it does not know.
  const decision: Decision =
    begun.agentId === undefined ? { ...decided, mode: 'direct_llm', shadow: false } : decided
  const turn: Turn = {
    sessionId: who.sessionId,
    messageId: who.messageId,
    requestId: who.requestId,
    caller,
    // Half a surrogate pair: some servers refuse the whole body for it.
    message: wellFormed(message),
    history: historyMessages(begun.history),
    profile: flags.profile,
    llmRoute: flags.route.endpoints,
  }
  // Before anything is recorded: a refused turn tells against nobody.
  if (decision.mode === 'direct_llm') admit(turn, flags, deps)
  guarded(deps.logger, 'metrics', () => deps.metrics.recordDecision(decision))
  guarded(deps.logger, 'fallback', () => deps.fallback.turnDecided(decision, flags.mode.value, caller))
  return { turn, decision, flags }
}

/** The flags give this turn the runtime, and only the override keeps it away from there. */
export function isOnlyOverride({ turn, decision, flags }: DecidedTurn): boolean {
  const isRuntimes = flags.mode.value === 'runtime_orchestrator' && turn.caller.agentId !== UNKNOWN_AGENT
  return decision.reason === 'fallback' && isRuntimes
}

function admit(turn: Turn, flags: TurnFlags, { admission }: Pick<TurnDeps, 'admission'>): void {
  const { connectMs, headersMs } = limitsOf('direct_llm', flags.guardrails)
  const seconds = admission.admit(turn, connectMs + headersMs)
  if (seconds !== undefined) throw new TurnRefused('llm_overloaded', seconds)
}
