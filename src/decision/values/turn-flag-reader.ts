import type { EvaluationContext, EvaluationDetails, JsonValue } from '@openfeature/server-sdk'
import { evaluationContext } from '../caller.js'
import type { TurnDefaults } from '../code-defaults.js'
import { FLAG_KEYS } from '../flags.js'
import { callerOfOrg } from './limit-values.js'

/** The flags of a turn as OpenFeature answered them. */
export interface TurnDetails {
  readonly mode: EvaluationDetails<string>
  readonly shadow: EvaluationDetails<boolean>
  readonly override: EvaluationDetails<boolean>
  readonly rollout: EvaluationDetails<boolean>
  readonly guardrails: EvaluationDetails<JsonValue>
  readonly profile: EvaluationDetails<JsonValue>
  readonly route: EvaluationDetails<JsonValue>
}

/** What of it came in time. */
export type TurnAnswers = { readonly [Flag in keyof TurnDetails]?: TurnDetails[Flag] | undefined }

/** The same, under way. None rejects: the SDK turns every failure into an error code. */
export type TurnEvaluations = { readonly [Flag in keyof TurnDetails]: Promise<TurnDetails[Flag]> }

/** What asks for a flag: a client of the SDK, or several of them behind one. */
export interface FlagReader {
  getStringDetails(
    key: string,
    fallback: string,
    context: EvaluationContext,
  ): Promise<EvaluationDetails<string>>
  getBooleanDetails(
    key: string,
    fallback: boolean,
    context: EvaluationContext,
  ): Promise<EvaluationDetails<boolean>>
  getObjectDetails(
    key: string,
    fallback: JsonValue,
    context: EvaluationContext,
  ): Promise<EvaluationDetails<JsonValue>>
}

/** Starts the evaluation of a turn's flags side by side. */
export function evaluateTurn(
  client: FlagReader,
  defaults: TurnDefaults,
  orgId: string,
  context: EvaluationContext,
): TurnEvaluations {
  return {
    mode: client.getStringDetails(FLAG_KEYS.mode, defaults.mode(orgId), context),
    shadow: client.getBooleanDetails(FLAG_KEYS.shadow, defaults.shadow(context), context),
    override: client.getBooleanDetails(FLAG_KEYS.override, false, context),
    rollout: client.getBooleanDetails(FLAG_KEYS.rollout, false, context),
    guardrails: client.getObjectDetails(FLAG_KEYS.guardrails, defaults.guardrailsValue, context),
    profile: client.getObjectDetails(FLAG_KEYS.profile, defaults.profileValue, context),
    route: client.getObjectDetails(FLAG_KEYS.route, defaults.routeValue, context),
  }
}

/** Starts the evaluation of an org's limits. */
export function evaluateLimits(client: FlagReader, orgId: string): Promise<EvaluationDetails<JsonValue>> {
  return client.getObjectDetails(FLAG_KEYS.limits, {}, evaluationContext(callerOfOrg(orgId)))
}

/** Waits for all of them, however long that takes: for resolvers that evaluate in this process. */
export async function allDetails(evaluations: TurnEvaluations): Promise<TurnDetails> {
  const [mode, shadow, override, rollout, guardrails, profile, route] = await Promise.all([
    evaluations.mode,
    evaluations.shadow,
    evaluations.override,
    evaluations.rollout,
    evaluations.guardrails,
    evaluations.profile,
    evaluations.route,
  ])
  return { mode, shadow, override, rollout, guardrails, profile, route }
}
