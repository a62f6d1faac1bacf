import { createLru } from '../../core/lru.js'
import type { ExecutionMode } from '../../protocol/modes.js'
import type { AgentProfile } from '../agent-profile.js'
import { type Caller, NOBODY } from '../caller.js'
import type { Evaluated, OverrideValue } from '../decide.js'
import type { TurnFlags } from '../flags.js'
import type { Guardrails } from '../guardrails.js'
import type { LlmRoute } from '../llm-route.js'
import { NewestValues, type OrDefault, type SessionValues } from './newest-values.js'

/** callers, orgs and agents remembered */
const CAPACITY = 10_000

/**
 * What was last in effect, for the time when the flags are away: by org and targeting key (the session), for targeting may
 * give each its own. A session never answered takes what is newest of its org, then of anybody. So does a refused object
 * (guardrails and route of the org, the profile of the agent).
 */
export class LastKnownGood {
  readonly #turns = createLru<string, TurnFlags>(CAPACITY)
  readonly #guardrailsByOrg = createLru<string, Guardrails>(CAPACITY)
  readonly #profileByAgent = createLru<string, AgentProfile>(CAPACITY)
  readonly #routeByOrg = createLru<string, LlmRoute>(CAPACITY)
  readonly newest = new NewestValues()
  #guardrails: Guardrails | undefined

  of(caller: Caller): Known {
    return new Known(caller, this)
  }

  turn(caller: Caller): TurnFlags | undefined {
    return this.#turns.get(keyOf(caller))
  }

  guardrails(orgId: string): Guardrails | undefined {
    return this.#guardrailsByOrg.get(orgId) ?? this.#guardrailsByOrg.get(NOBODY.orgId) ?? this.#guardrails
  }

  profile(agentId: string): AgentProfile | undefined {
    return this.#profileByAgent.get(agentId) ?? this.#profileByAgent.get(NOBODY.agentId)
  }

  route(orgId: string): LlmRoute | undefined {
    return this.#routeByOrg.get(orgId) ?? this.#routeByOrg.get(NOBODY.orgId)
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

  rememberRoute(orgId: string, route: LlmRoute): void {
    if (this.#routeByOrg.get(orgId) !== route) this.#routeByOrg.set(orgId, route)
  }

  rememberProfile(agentId: string, profile: AgentProfile): void {
    if (this.#profileByAgent.get(agentId) !== profile) this.#profileByAgent.set(agentId, profile)
  }
}

/** What is remembered for a caller: what it got last, else what is newest of its org, of anybody. */
export class Known {
  readonly last: TurnFlags | undefined
  /** of some flag nothing is known at all */
  isLacking = false
  #newest: SessionValues | undefined

  constructor(
    readonly caller: Caller,
    private readonly memory: LastKnownGood,
  ) {
    this.last = memory.turn(caller)
  }

  get mode(): OrDefault<Evaluated<ExecutionMode>> | undefined {
    if (this.last === undefined) return this.#others.mode
    const { mode } = this.last
    return mode.reason === 'code_default' ? 'code_default' : mode
  }

  get shadow(): OrDefault<boolean> | undefined {
    return this.last === undefined ? this.#others.shadow : this.last.shadow
  }

  /** A newer write that others of the org have seen goes before what the session saw last. */
  get override(): OverrideValue | undefined {
    return newer(this.last?.override, this.#others.override)
  }

  get rollout(): OverrideValue | undefined {
    return newer(this.last?.rollout, this.#others.rollout)
  }

  get guardrails(): Guardrails | undefined {
    return this.last?.guardrails ?? this.newestGuardrails
  }

  get newestGuardrails(): Guardrails | undefined {
    return this.memory.guardrails(this.caller.orgId)
  }

  get profile(): AgentProfile | undefined {
    return this.last?.profile ?? this.newestProfile
  }

  get newestProfile(): AgentProfile | undefined {
    return this.memory.profile(this.caller.agentId)
  }

  get route(): LlmRoute | undefined {
    return this.last?.route ?? this.newestRoute
  }

  get newestRoute(): LlmRoute | undefined {
    return this.memory.route(this.caller.orgId)
  }

  get #others(): SessionValues {
    this.#newest ??= this.memory.newest.of(this.caller)
    return this.#newest
  }
}

function newer(
  mine: OverrideValue | undefined,
  others: OverrideValue | undefined,
): OverrideValue | undefined {
  if (mine === undefined || others === undefined) return mine ?? others
  return (others.revision ?? -1) > (mine.revision ?? -1) ? others : mine
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
    a.rollout === b.rollout &&
    a.guardrails === b.guardrails &&
    a.profile === b.profile &&
    a.route === b.route
  )
}
