import type { EvaluationDetails, FlagValue } from '@openfeature/server-sdk'
import type { FallbackPolicy } from '../../protocol/fallback.js'
import { NOBODY } from '../caller.js'
import type { TurnDefaults } from '../code-defaults.js'
import { FLAG_KEYS, type FlagKey, type ServiceFlags } from '../flags.js'
import { type Guardrails, guardrailsSchema, resolveGuardrails } from '../guardrails.js'
import { parseMode, parsePolicy, reasonOf, resultOf } from './flag-result.js'
import type { KeptFlags } from './kept-flags.js'
import { revisionOf } from './override-values.js'
import type { RefusedFlags } from './refused-flags.js'
import { DEFAULT_POLICY, type ServiceAnswers } from './service-flag-reader.js'
import type { AnswerContext } from './turn-flag-values.js'
import { createValueParser, type Parsed } from './value-parser.js'

/**
 * Makes the service's own flags from OpenFeature's answers. Guardrails and policy work like a turn's flags: the value; if it is
 * refused or there is no answer, the last known good value; then the code default. The override is never a remembered one,
 * because its reader wants to see that a write came back.
 */
export class ServiceFlagValues {
  readonly #parseGuardrails: (raw: unknown) => Parsed<Guardrails>
  #guardrails: Guardrails
  #policy: FallbackPolicy = DEFAULT_POLICY

  constructor(
    private readonly defaults: TurnDefaults,
    private readonly answers: Pick<AnswerContext, 'whenAbsent'>,
    private readonly refused: RefusedFlags,
  ) {
    this.#guardrails = defaults.guardrails
    this.#parseGuardrails = createValueParser(guardrailsSchema, (value) =>
      resolveGuardrails(value, defaults.guardrails),
    )
  }

  /** What was good in an earlier run, until the flags' source answers. */
  startFrom(kept: Pick<KeptFlags, 'guardrails' | 'policy'>): void {
    this.resolve({ guardrails: kept.guardrails(NOBODY), policy: kept.policy() }, false)
  }

  /** An absent answer is one that did not come in time; `ready` is the provider's state when they came. */
  resolve({ guardrails, policy, override, rollout, mode }: ServiceAnswers, ready: boolean): ServiceFlags {
    const given = overrideGiven(override)
    const found = given !== undefined
    this.#guardrails = this.#valueOf(
      FLAG_KEYS.guardrails,
      guardrails,
      this.#parseGuardrails,
      found,
      this.#guardrails,
      this.defaults.guardrails,
    )
    this.#policy = this.#valueOf(FLAG_KEYS.policy, policy, parsePolicy, found, this.#policy, DEFAULT_POLICY)
    const rolloutRevision = rollout === undefined ? undefined : revisionOf(rollout)
    return {
      guardrails: this.#guardrails,
      policy: this.#policy,
      ready,
      modeForAll: this.#modeForAll(mode, found),
      ...(given === undefined ? {} : { override: given }),
      ...(rolloutRevision === undefined ? {} : { rolloutRevision }),
    }
  }

  #modeForAll(
    details: EvaluationDetails<string> | undefined,
    overrideFound: boolean,
  ): ServiceFlags['modeForAll'] {
    const result = resultOf(details, parseMode, () => this.answers.whenAbsent(overrideFound, FLAG_KEYS.mode))
    switch (result.kind) {
      case 'value':
        if (details !== undefined && reasonOf(details) === 'targeting_match') return 'targeting'
        return result.value === 'direct_llm' ? 'direct' : 'runtime'
      case 'default':
        return this.defaults.mode(NOBODY.orgId) === 'direct_llm' ? 'direct' : 'runtime'
      case 'refused':
      case 'away':
        return 'unknown'
    }
  }

  #valueOf<T>(
    key: FlagKey,
    details: EvaluationDetails<FlagValue> | undefined,
    parse: (raw: unknown) => Parsed<T>,
    overrideFound: boolean,
    lastGood: T,
    codeDefault: T,
  ): T {
    const result = resultOf(details, parse, () => this.answers.whenAbsent(overrideFound, key))
    if (result.kind === 'refused') this.refused.refuse(key, result.message)
    else if (result.kind === 'value') this.refused.accept(key, result.unknown)
    else if (result.kind === 'default') this.refused.accept(key)
    switch (result.kind) {
      case 'value':
        return result.value
      case 'default':
        return codeDefault
      case 'refused':
      case 'away':
        return lastGood
    }
  }
}

function overrideGiven(details: EvaluationDetails<boolean> | undefined): ServiceFlags['override'] {
  if (details === undefined || details.errorCode !== undefined) return undefined
  if (typeof details.value !== 'boolean') return undefined
  return { on: details.value, metadata: flat(details.flagMetadata) }
}

/** A copy (the SDK's is the provider's own object) of what is flat: a person may have written anything into it. */
function flat(metadata: Readonly<Record<string, unknown>>): Record<string, string | number | boolean> {
  const entries = Object.entries(metadata).filter(
    (entry): entry is [string, string | number | boolean] =>
      typeof entry[1] === 'string' || typeof entry[1] === 'number' || typeof entry[1] === 'boolean',
  )
  return Object.fromEntries(entries)
}
