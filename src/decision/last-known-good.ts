import type { AgentProfile } from './agent-profile.js'
import type { Caller } from './caller.js'
import type { TurnFlags } from './flags.js'
import type { Guardrails } from './guardrails.js'
import { LruMap } from './lru-map.js'

/** callers, orgs and agents remembered */
const CAPACITY = 10_000

/**
 * What was last in force, for the time when the flags are away: by org and targeting key (the session), for targeting may
 * give each its own. A refused object falls back to the last good one of the whole org (guardrails) or agent (profile).
 */
export class LastKnownGood {
  readonly #turns = new LruMap<string, TurnFlags>(CAPACITY)
  readonly #guardrailsByOrg = new LruMap<string, Guardrails>(CAPACITY)
  readonly #profileByAgent = new LruMap<string, AgentProfile>(CAPACITY)
  #guardrails: Guardrails | undefined

  turn(caller: Caller): TurnFlags | undefined {
    return this.#turns.get(keyOf(caller))
  }

  guardrails(orgId: string): Guardrails | undefined {
    return this.#guardrailsByOrg.get(orgId) ?? this.#guardrails
  }

  profile(agentId: string): AgentProfile | undefined {
    return this.#profileByAgent.get(agentId)
  }

  /** Keeps the turn; gives back the object kept before where nothing changed, so that turns share one. */
  remember(caller: Caller, last: TurnFlags | undefined, flags: TurnFlags): TurnFlags {
    if (last !== undefined && isSame(last, flags)) return last
    this.#turns.set(keyOf(caller), flags)
    return flags
  }

  rememberGuardrails(orgId: string, guardrails: Guardrails): void {
    this.#guardrails = guardrails
    if (this.#guardrailsByOrg.get(orgId) !== guardrails) this.#guardrailsByOrg.set(orgId, guardrails)
  }

  rememberProfile(agentId: string, profile: AgentProfile): void {
    if (this.#profileByAgent.get(agentId) !== profile) this.#profileByAgent.set(agentId, profile)
  }
}

/** Neither an org's id nor ours of a session holds a line break. */
function keyOf(caller: Caller): string {
  return `${caller.orgId}\n${caller.sessionId}`
}

/** The parts are constants or parsed once, so identity is enough; a wrong "no" costs one entry. */
function isSame(a: TurnFlags, b: TurnFlags): boolean {
  return (
    a.mode === b.mode &&
    a.shadow === b.shadow &&
    a.override === b.override &&
    a.guardrails === b.guardrails &&
    a.profile === b.profile
  )
}
