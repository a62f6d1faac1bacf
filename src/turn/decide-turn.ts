import { guarded } from '../core/guarded.js'
import { wellFormed } from '../core/text.js'
import type { AgentProfile } from '../decision/agent-profile.js'
import { decide, withoutOverride } from '../decision/decide.js'
import type { TurnFlags } from '../decision/flags.js'
import type { Turn } from '../execution/backend.js'
import { limitsOf } from '../execution/deadlines.js'
import type { Decision, ExecutionMode } from '../protocol/modes.js'
import { historyMessages } from '../sessions/trim-history.js'
import type { BegunTurn, SingleTurn, TurnRequest } from './begin-turn.js'
import type { RunningTurn } from './running-turn.js'
import { endDeciding, startDeciding } from './trace/turn-spans.js'
import type { TurnDeps } from './turn-deps.js'
import { TurnRefused } from './turn-refused.js'

/** Of a session that this process has not met, while the database cannot be read. */
const UNKNOWN_AGENT = ''

/** The turn as a backend gets it, and where it goes. */
export interface DecidedTurn {
  readonly turn: Turn
  readonly decision: Decision
  /** where it would go without the override, by the flags and the rollout */
  readonly intended: ExecutionMode
  readonly flags: TurnFlags
  /** The runtime cannot take it: an agent that it would not know, or a wish that it cannot fulfil. */
  readonly directOnly: boolean
}

/**
 * Asks the flags and the fallback where the turn goes and, if it goes to the direct LLM, takes a place there. The caller gives
 * the place back.
 * @throws TurnRefused `llm_overloaded` if the direct LLM has neither a place nor room in its queue
 */
export async function decideTurn(
  request: TurnRequest,
  begun: BegunTurn,
  { who, owner, recorder, deps }: RunningTurn,
): Promise<DecidedTurn> {
  const { span } = recorder
  const deciding = span && guarded(deps.logger, 'traces', () => startDeciding(span, begun.agentId))
  const { orgId, userId } = owner
  const caller = { orgId, userId, agentId: begun.agentId ?? UNKNOWN_AGENT, sessionId: who.sessionId }
  const flags = await deps.flags.forTurn(caller)
  const override = deps.fallback.overrideFor(caller, flags.override)
  const single = request.kind === 'single' ? request : undefined
  const directOnly = begun.agentId === undefined || single?.directOnly === true
  const rollout = directOnly ? { on: false } : deps.rollout.shareFor(caller, flags.rollout)
  const decided = decide(flags, override, rollout)
  const decision: Decision = directOnly ? { ...decided, mode: 'direct_llm', shadow: false } : decided
  const turn: Turn = {
    // The runtime cancels by it: turns that run side by side must not share one.
    sessionId: single === undefined ? who.sessionId : who.messageId,
    messageId: who.messageId,
    requestId: who.requestId,
    caller,
    // Half a surrogate pair: some servers refuse the whole body for it.
    message: wellFormed(request.message),
    history: single?.history ?? historyMessages(begun.history),
    profile: single === undefined ? flags.profile : profileFor(single, flags.profile),
    ...(single === undefined ? {} : { parameters: single.parameters }),
    llmRoute: flags.route.endpoints,
    ...(span === undefined ? {} : { span }),
  }
  guarded(deps.logger, 'traces', () => {
    const counting = { override: override.on, rollout: rollout.on }
    recorder.decided(decision, flags, counting)
    if (deciding === undefined) return
    const { resolver } = deps.flags.status()
    endDeciding(deciding, { decision, flags, counting, sessionId: who.sessionId, resolver })
  })
  // Before anything is recorded: a refused turn tells against nobody.
  if (decision.mode === 'direct_llm') admit(turn, flags, deps)
  guarded(deps.logger, 'metrics', () => deps.metrics.recordDecision(decision))
  // What the runtime cannot do is no turn that it might have got.
  const intended = single?.directOnly === true ? 'direct_llm' : withoutOverride(flags, rollout).mode
  guarded(deps.logger, 'fallback', () => deps.fallback.turnDecided(decision, intended, caller))
  return { turn, decision, intended, flags, directOnly }
}

/** The flags give this turn the runtime, and only the override keeps it away from there. */
export function isOnlyOverride({ decision, intended, directOnly }: DecidedTurn): boolean {
  return decision.reason === 'fallback' && intended === 'runtime_orchestrator' && !directOnly
}

/** The agent's profile with what the client asked for. */
function profileFor({ systemPrompt, parameters }: SingleTurn, profile: AgentProfile): AgentProfile {
  const prompts = [profile.systemPrompt, systemPrompt].filter((prompt) => prompt !== undefined)
  const { temperature, max_tokens: maxTokens } = parameters
  return {
    ...profile,
    ...(prompts.length === 0 ? {} : { systemPrompt: prompts.join('\n\n') }),
    ...(typeof temperature === 'number' ? { temperature } : {}),
    ...(typeof maxTokens === 'number' ? { maxTokens } : {}),
  }
}

function admit(turn: Turn, flags: TurnFlags, { admission }: Pick<TurnDeps, 'admission'>): void {
  const { connectMs, headersMs } = limitsOf('direct_llm', flags.guardrails)
  const seconds = admission.admit(turn, connectMs + headersMs)
  if (seconds !== undefined) throw new TurnRefused('llm_overloaded', seconds)
}
