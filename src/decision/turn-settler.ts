import type { EvaluationDetails, FlagValue, JsonValue } from '@openfeature/server-sdk'
import type { ExecutionMode } from '../protocol/modes.js'
import { type AgentProfile, agentProfileSchema } from './agent-profile.js'
import { type Caller, evaluationContext } from './caller.js'
import type { TurnDefaults } from './code-defaults.js'
import type { Evaluated, OverrideValue } from './decide.js'
import {
  evaluatedMode,
  type FlagResult,
  isUnanswered,
  parseBoolean,
  parseMode,
  reasonOf,
  resultOf,
} from './flag-result.js'
import { FLAG_KEYS, type FlagKey, type TurnFlags } from './flags.js'
import { type Guardrails, guardrailsSchema, resolveGuardrails } from './guardrails.js'
import { LastKnownGood } from './last-known-good.js'
import { OVERRIDE_OFF, OverrideValues } from './override-values.js'
import type { RefusedFlags } from './refused-flags.js'
import type { TurnAnswers, TurnDetails } from './turn-reader.js'
import { createValueParser, type Parsed } from './value-parser.js'

/** What only the resolver knows about the provider's answers. */
export interface AnswerContext {
  /** The provider answers for this flag, but from what it last knew. */
  isStale(key: FlagKey): boolean
  /** The provider has no such flag: its owner took it away (`default`), or the flags are not here at all (`away`). */
  whenAbsent(overrideFound: boolean): 'default' | 'away'
}

/**
 * Makes a turn's flags from what OpenFeature answered: the value; where it is refused or nobody answered, the last known
 * good one; then the code default.
 */
export class TurnSettler {
  readonly #memory = new LastKnownGood()
  readonly #overrides = new OverrideValues()
  readonly #parseGuardrails: (raw: unknown) => Parsed<Guardrails>
  readonly #parseProfile = createValueParser<AgentProfile, AgentProfile>(agentProfileSchema, (value) => value)

  constructor(
    private readonly defaults: TurnDefaults,
    private readonly answers: AnswerContext,
    private readonly refused: RefusedFlags,
  ) {
    this.#parseGuardrails = createValueParser(guardrailsSchema, (value) =>
      resolveGuardrails(value, defaults.guardrails),
    )
  }

  /** The turn's flags, remembered for its caller. An absent answer is one that did not come in time. */
  settle(caller: Caller, details: TurnAnswers): TurnFlags {
    const found = details.override !== undefined && details.override.errorCode === undefined
    if (!found && this.#isNobodyThere(details)) return this.recall(caller)
    const last = this.#memory.turn(caller)
    return this.#memory.remember(caller, last, {
      mode: this.#mode(caller, details.mode, found, last),
      shadow: this.#shadow(caller, details.shadow, found, last),
      override: this.#override(details.override, found, last),
      guardrails: this.#guardrails(caller, details.guardrails, found, last),
      profile: this.#profile(caller, details.profile, found, last),
    })
  }

  /** What is known without asking anybody. Remembers nothing: an outage must not push out what is known. */
  recall(caller: Caller): TurnFlags {
    const last = this.#memory.turn(caller)
    return {
      mode: this.#lastMode(caller, last),
      shadow: last?.shadow ?? this.defaults.shadow(evaluationContext(caller)),
      override: last?.override ?? OVERRIDE_OFF,
      guardrails: last?.guardrails ?? this.defaults.guardrails,
      profile: last?.profile ?? this.defaults.profile,
    }
  }

  /** Keeps answers that came too late for their turn, unless the caller has got newer ones. */
  settleLate(caller: Caller, details: TurnDetails): void {
    if (this.#memory.turn(caller) === undefined) this.settle(caller, details)
  }

  #isNobodyThere(details: TurnAnswers): boolean {
    return this.answers.whenAbsent(false) === 'away' && Object.values(details).every(isUnanswered)
  }

  #mode(
    caller: Caller,
    details: EvaluationDetails<string> | undefined,
    found: boolean,
    last: TurnFlags | undefined,
  ): Evaluated<ExecutionMode> {
    const result = this.#resultOf(FLAG_KEYS.mode, details, parseMode, found)
    if (result.kind === 'value' && details !== undefined)
      return evaluatedMode(result.value, this.answers.isStale(FLAG_KEYS.mode) ? 'stale' : reasonOf(details))
    if (result.kind === 'default') return evaluatedMode(this.defaults.mode(caller.orgId), 'code_default')
    return this.#lastMode(caller, last)
  }

  #lastMode(caller: Caller, last: TurnFlags | undefined): Evaluated<ExecutionMode> {
    if (last === undefined || last.mode.reason === 'code_default')
      return evaluatedMode(this.defaults.mode(caller.orgId), 'code_default')
    return evaluatedMode(last.mode.value, 'stale')
  }

  #shadow(
    caller: Caller,
    details: EvaluationDetails<boolean> | undefined,
    found: boolean,
    last: TurnFlags | undefined,
  ): boolean {
    const result = this.#resultOf(FLAG_KEYS.shadow, details, parseBoolean, found)
    if (result.kind === 'value') return result.value
    if (result.kind !== 'default' && last !== undefined) return last.shadow
    return this.defaults.shadow(evaluationContext(caller))
  }

  #override(
    details: EvaluationDetails<boolean> | undefined,
    found: boolean,
    last: TurnFlags | undefined,
  ): OverrideValue {
    const result = this.#resultOf(FLAG_KEYS.override, details, parseBoolean, found)
    if (details === undefined || result.kind === 'away' || result.kind === 'refused')
      return last?.override ?? OVERRIDE_OFF
    return this.#overrides.of(result.kind === 'value' && result.value, details)
  }

  #guardrails(
    caller: Caller,
    details: EvaluationDetails<JsonValue> | undefined,
    found: boolean,
    last: TurnFlags | undefined,
  ): Guardrails {
    const result = this.#resultOf(FLAG_KEYS.guardrails, details, this.#parseGuardrails, found)
    if (result.kind === 'value') {
      this.#memory.rememberGuardrails(caller.orgId, result.value)
      return result.value
    }
    if (result.kind === 'default') return this.defaults.guardrails
    const known = result.kind === 'refused' ? this.#memory.guardrails(caller.orgId) : last?.guardrails
    return known ?? this.defaults.guardrails
  }

  #profile(
    caller: Caller,
    details: EvaluationDetails<JsonValue> | undefined,
    found: boolean,
    last: TurnFlags | undefined,
  ): AgentProfile {
    const result = this.#resultOf(FLAG_KEYS.profile, details, this.#parseProfile, found)
    if (result.kind === 'value') {
      this.#memory.rememberProfile(caller.agentId, result.value)
      return result.value
    }
    if (result.kind === 'default') return this.defaults.profile
    const known = result.kind === 'refused' ? this.#memory.profile(caller.agentId) : last?.profile
    return known ?? this.defaults.profile
  }

  #resultOf<T>(
    key: FlagKey,
    details: EvaluationDetails<FlagValue> | undefined,
    parse: (raw: unknown) => Parsed<T>,
    overrideFound: boolean,
  ): FlagResult<T> {
    const result = resultOf(details, parse, () => this.answers.whenAbsent(overrideFound))
    if (result.kind === 'refused') this.refused.refuse(key, result.message)
    else if (result.kind === 'value') this.refused.accept(key, result.unknown)
    else if (result.kind === 'default') this.refused.accept(key)
    return result
  }
}
