import type { EvaluationDetails, FlagValue, JsonValue } from '@openfeature/server-sdk'
import type { ExecutionMode } from '../../protocol/modes.js'
import { type AgentProfile, agentProfileSchema } from '../agent-profile.js'
import { type Caller, evaluationContext, NOBODY } from '../caller.js'
import type { TurnDefaults } from '../code-defaults.js'
import { type Evaluated, isTargeted, type OverrideValue } from '../decide.js'
import { FLAG_KEYS, type FlagKey, TURN_FLAG_KEYS, type TurnFlags } from '../flags.js'
import { type Guardrails, guardrailsSchema, resolveGuardrails } from '../guardrails.js'
import { type LlmRoute, llmRouteSchema, routeFault } from '../llm-route.js'
import {
  evaluatedMode,
  type FlagResult,
  isUnanswered,
  parseBoolean,
  parseMode,
  reasonOf,
  resultOf,
  staleMode,
} from './flag-result.js'
import type { KeptFlags } from './kept-flags.js'
import { type Known, LastKnownGood } from './last-known-good.js'
import type { OrDefault } from './newest-values.js'
import { OVERRIDE_OFF, OverrideValues } from './override-values.js'
import type { RefusedFlags } from './refused-flags.js'
import type { TurnAnswers, TurnDetails } from './turn-flag-reader.js'
import { createValueParser, type Parsed } from './value-parser.js'

/** What only the resolver knows about the provider's answers. */
export interface AnswerContext {
  /** Sees the answers to a turn before the other two are asked about them. */
  look?(answers: TurnAnswers): void
  /** The provider answers for this flag, but from what it last knew. */
  isStale(key: FlagKey): boolean
  /** The provider has no such flag: its owner took it away (`default`), or the flags are not here at all (`away`). */
  whenAbsent(overrideFound: boolean, key: FlagKey): 'default' | 'away'
}

/**
 * Makes a turn's flags from OpenFeature's answers: the value; if it is refused or there is no answer, the last known good
 * value of the session, of its org, of any session; then the code default.
 */
export class TurnFlagValues {
  readonly #memory = new LastKnownGood()
  readonly #overrides = new OverrideValues()
  readonly #rollouts = new OverrideValues()
  readonly #parseGuardrails: (raw: unknown) => Parsed<Guardrails>
  readonly #codeDefaults = new Map<FlagKey, number>(TURN_FLAG_KEYS.map((key) => [key, 0]))
  readonly #parseProfile = createValueParser<AgentProfile, AgentProfile>(agentProfileSchema, (value) => value)

  readonly #parseRoute = createValueParser<LlmRoute, LlmRoute>(llmRouteSchema, (value) => value)

  constructor(
    private readonly defaults: TurnDefaults,
    private readonly answers: AnswerContext,
    private readonly refused: RefusedFlags,
    private readonly kept: Pick<KeptFlags, 'mode' | 'shadow' | 'guardrails' | 'profile' | 'route'>,
  ) {
    this.#parseGuardrails = createValueParser(guardrailsSchema, (value) =>
      resolveGuardrails(value, defaults.guardrails),
    )
  }

  /** How often the code default decided for a turn, because nothing was known of a flag; by flag of a turn, since the start. */
  get codeDefaults(): ReadonlyMap<FlagKey, number> {
    return this.#codeDefaults
  }

  /** Flags changed: these, or, without any, nobody knows which. */
  flagsChanged(keys: readonly string[]): void {
    this.#memory.newest.flagsChanged(keys)
  }

  /** The turn's flags, remembered for its caller. An absent answer is one that did not come in time. */
  resolve(caller: Caller, details: TurnAnswers): TurnFlags {
    this.answers.look?.(details)
    const found = details.override !== undefined && details.override.errorCode === undefined
    if (!found && this.#isNobodyThere(details)) return this.recall(caller)
    const known = this.#memory.of(caller)
    const flags = {
      mode: this.#mode(known, details.mode, found),
      shadow: this.#shadow(known, details.shadow, found),
      override: this.#override(known, details.override, found),
      rollout: this.#rollout(known, details.rollout, found),
      guardrails: this.#guardrails(known, details.guardrails, found),
      profile: this.#profile(known, details.profile, found),
      route: this.#route(known, details.route, found),
    }
    // What nobody knew is nothing to remember: it would hide what becomes known. Nor is what was only recalled.
    return known.isLacking || isRecalled(details) ? flags : this.#memory.remember(caller, known.last, flags)
  }

  /** What is known without asking anybody. Remembers nothing: an outage must not push out what is known. */
  recall(caller: Caller): TurnFlags {
    const known = this.#memory.of(caller)
    return {
      mode: this.#lastMode(known),
      shadow: this.#lastShadow(known),
      override: this.#lastOverride(known),
      rollout: this.#lastRollout(known),
      guardrails: known.guardrails ?? this.#keptGuardrails(known),
      profile: known.profile ?? this.#keptProfile(known),
      route: known.route ?? this.#keptRoute(known),
    }
  }

  /** What is remembered of the caller; to be handed back with an answer that came too late. */
  known(caller: Caller): TurnFlags | undefined {
    return this.#memory.turn(caller)
  }

  /** Keeps answers that came too late for their turn, unless the caller has got others since `known`. */
  resolveLate(caller: Caller, details: TurnDetails, known: TurnFlags | undefined): void {
    if (this.#memory.turn(caller) === known) this.resolve(caller, details)
  }

  #isNobodyThere(details: TurnAnswers): boolean {
    return (
      this.answers.whenAbsent(false, FLAG_KEYS.mode) === 'away' && Object.values(details).every(isUnanswered)
    )
  }

  #mode(
    known: Known,
    details: EvaluationDetails<string> | undefined,
    found: boolean,
  ): Evaluated<ExecutionMode> {
    const result = this.#resultOf(FLAG_KEYS.mode, details, parseMode, found)
    if (result.kind === 'value' && details !== undefined) {
      const reason = reasonOf(details)
      const mode = this.answers.isStale(FLAG_KEYS.mode)
        ? staleMode(result.value, reason === 'targeting_match')
        : evaluatedMode(result.value, reason)
      this.#memory.newest.note(known.caller, { mode })
      return mode
    }
    if (result.kind !== 'default') return this.#lastMode(known)
    this.#memory.newest.note(known.caller, { mode: 'code_default' })
    return evaluatedMode(this.defaults.mode(known.caller.orgId), 'code_default')
  }

  #lastMode(known: Known): Evaluated<ExecutionMode> {
    const mode = known.mode ?? this.#keptMode(known)
    if (mode !== undefined && mode !== 'code_default') return staleMode(mode.value, isTargeted(mode))
    const byDefault = evaluatedMode(this.defaults.mode(known.caller.orgId), 'code_default')
    return mode === undefined ? this.#codeDefault(known, FLAG_KEYS.mode, byDefault) : byDefault
  }

  #keptMode({ caller }: Known): OrDefault<Evaluated<ExecutionMode>> | undefined {
    const details = this.kept.mode(caller)
    const mode = this.#keptOf(details, parseMode)
    if (mode === undefined || mode === 'code_default' || details === undefined) return mode && 'code_default'
    return evaluatedMode(mode, reasonOf(details))
  }

  #shadow(known: Known, details: EvaluationDetails<boolean> | undefined, found: boolean): boolean {
    const result = this.#resultOf(FLAG_KEYS.shadow, details, parseBoolean, found)
    if (result.kind === 'away' || result.kind === 'refused') return this.#lastShadow(known)
    const shadow = result.kind === 'value' ? result.value : 'code_default'
    this.#memory.newest.note(known.caller, { shadow })
    return shadow === 'code_default' ? this.defaults.shadow(evaluationContext(known.caller)) : shadow
  }

  #lastShadow(known: Known): boolean {
    const shadow = known.shadow ?? this.#keptOf(this.kept.shadow(known.caller), parseBoolean)
    if (typeof shadow === 'boolean') return shadow
    const byDefault = this.defaults.shadow(evaluationContext(known.caller))
    return shadow === undefined ? this.#codeDefault(known, FLAG_KEYS.shadow, byDefault) : byDefault
  }

  #override(known: Known, details: EvaluationDetails<boolean> | undefined, found: boolean): OverrideValue {
    const result = this.#resultOf(FLAG_KEYS.override, details, parseBoolean, found)
    if (details === undefined || result.kind === 'away' || result.kind === 'refused')
      return this.#lastOverride(known)
    const override = this.#overrides.of(result.kind === 'value' && result.value, details)
    this.#memory.newest.note(known.caller, { override })
    return override
  }

  #lastOverride(known: Known): OverrideValue {
    const { override } = known
    if (override === undefined) return this.#codeDefault(known, FLAG_KEYS.override, OVERRIDE_OFF)
    return override === known.last?.override ? override : this.#overrides.guess(override)
  }

  #rollout(known: Known, details: EvaluationDetails<boolean> | undefined, found: boolean): OverrideValue {
    const result = this.#resultOf(FLAG_KEYS.rollout, details, parseBoolean, found)
    if (details === undefined || result.kind === 'away' || result.kind === 'refused')
      return this.#lastRollout(known)
    const rollout = this.#rollouts.of(result.kind === 'value' && result.value, details)
    this.#memory.newest.note(known.caller, { rollout })
    return rollout
  }

  #lastRollout(known: Known): OverrideValue {
    const { rollout } = known
    if (rollout === undefined) return this.#codeDefault(known, FLAG_KEYS.rollout, OVERRIDE_OFF)
    return rollout === known.last?.rollout ? rollout : this.#rollouts.guess(rollout)
  }

  #guardrails(known: Known, details: EvaluationDetails<JsonValue> | undefined, found: boolean): Guardrails {
    const result = this.#resultOf(FLAG_KEYS.guardrails, details, this.#parseGuardrails, found)
    if (result.kind === 'value' || result.kind === 'default') {
      const guardrails = result.kind === 'value' ? result.value : this.defaults.guardrails
      this.#memory.rememberGuardrails(known.caller.orgId, guardrails)
      return guardrails
    }
    const guardrails = result.kind === 'refused' ? known.newestGuardrails : known.guardrails
    return guardrails ?? this.#keptGuardrails(known)
  }

  #keptGuardrails(known: Known): Guardrails {
    const kept = this.#keptOf(this.kept.guardrails(known.caller), this.#parseGuardrails)
    if (kept === undefined) return this.#codeDefault(known, FLAG_KEYS.guardrails, this.defaults.guardrails)
    return kept === 'code_default' ? this.defaults.guardrails : kept
  }

  #profile(known: Known, details: EvaluationDetails<JsonValue> | undefined, found: boolean): AgentProfile {
    const result = this.#resultOf(FLAG_KEYS.profile, details, this.#parseProfile, found)
    if (result.kind === 'value' || result.kind === 'default') {
      const profile = result.kind === 'value' ? result.value : this.defaults.profile
      this.#memory.rememberProfile(known.caller.agentId, profile)
      return profile
    }
    const profile = result.kind === 'refused' ? known.newestProfile : known.profile
    return profile ?? this.#keptProfile(known)
  }

  #route(known: Known, details: EvaluationDetails<JsonValue> | undefined, found: boolean): LlmRoute {
    const result = this.#resultOf(FLAG_KEYS.route, details, this.#parseRoute, found)
    if (result.kind === 'value' || result.kind === 'default') {
      const route = result.kind === 'value' ? result.value : this.defaults.route
      const { llmEndpoints } = this.defaults
      if (llmEndpoints.length > 0) this.refused.note(FLAG_KEYS.route, routeFault(route, llmEndpoints)?.en)
      this.#memory.rememberRoute(known.caller.orgId, route)
      return route
    }
    const route = result.kind === 'refused' ? known.newestRoute : known.route
    return route ?? this.#keptRoute(known)
  }

  #keptRoute(known: Known): LlmRoute {
    const kept = this.#keptOf(this.kept.route(known.caller), this.#parseRoute)
    if (kept === undefined) return this.#codeDefault(known, FLAG_KEYS.route, this.defaults.route)
    return kept === 'code_default' ? this.defaults.route : kept
  }

  #keptProfile(known: Known): AgentProfile {
    const kept = this.#keptOf(this.kept.profile(known.caller), this.#parseProfile)
    if (kept === undefined) return this.#codeDefault(known, FLAG_KEYS.profile, this.defaults.profile)
    return kept === 'code_default' ? this.defaults.profile : kept
  }

  /** What was good in an earlier run; nothing if that was not kept, or is not good any more. */
  #keptOf<T>(
    details: EvaluationDetails<FlagValue> | undefined,
    parse: (raw: unknown) => Parsed<T>,
  ): OrDefault<T> | undefined {
    const result = resultOf(details, parse, () => 'away')
    if (result.kind === 'value') return result.value
    return result.kind === 'default' ? 'code_default' : undefined
  }

  #codeDefault<T>(known: Known, key: FlagKey, value: T): T {
    known.isLacking = true
    if (known.caller !== NOBODY) this.#codeDefaults.set(key, (this.#codeDefaults.get(key) ?? 0) + 1)
    return value
  }

  #resultOf<T>(
    key: FlagKey,
    details: EvaluationDetails<FlagValue> | undefined,
    parse: (raw: unknown) => Parsed<T>,
    overrideFound: boolean,
  ): FlagResult<T> {
    const result = resultOf(details, parse, () => this.answers.whenAbsent(overrideFound, key))
    if (result.kind === 'refused') this.refused.refuse(key, result.message)
    else if (result.kind === 'value') this.refused.accept(key, result.unknown)
    else if (result.kind === 'default') this.refused.accept(key)
    return result
  }
}

/** None of the operators' flags was answered: all values of them are those that are known anyway. */
const isRecalled = ({ mode, shadow, guardrails, profile, route }: TurnAnswers): boolean =>
  (mode ?? shadow ?? guardrails ?? profile ?? route) === undefined
