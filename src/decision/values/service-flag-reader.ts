import type { EvaluationDetails } from '@openfeature/server-sdk'
import { evaluationContext, NOBODY } from '../caller.js'
import type { TurnDefaults } from '../code-defaults.js'
import { FLAG_KEYS } from '../flags.js'
import type { FlagReader, TurnDetails } from './turn-flag-reader.js'

/** The flags the service asks for itself, as OpenFeature answered them. */
export interface ServiceDetails extends Pick<TurnDetails, 'guardrails' | 'override' | 'rollout' | 'mode'> {
  readonly policy: EvaluationDetails<string>
}

/** What of it came in time. */
export type ServiceAnswers = { readonly [Flag in keyof ServiceDetails]?: ServiceDetails[Flag] | undefined }

/** The same, under way. None rejects: the SDK turns every failure into an error code. */
export type ServiceEvaluations = { readonly [Flag in keyof ServiceDetails]: Promise<ServiceDetails[Flag]> }

/** the code default of `chat-runtime-fallback-policy` */
export const DEFAULT_POLICY = 'auto'

/** Starts the evaluation of the policy alone. */
export const evaluatePolicy = (client: FlagReader): ServiceEvaluations['policy'] =>
  client.getStringDetails(FLAG_KEYS.policy, DEFAULT_POLICY, evaluationContext(NOBODY))

/** Starts their evaluation side by side, for nobody in particular. */
export function evaluateService(client: FlagReader, defaults: TurnDefaults): ServiceEvaluations {
  const context = evaluationContext(NOBODY)
  return {
    guardrails: client.getObjectDetails(FLAG_KEYS.guardrails, defaults.guardrailsValue, context),
    policy: evaluatePolicy(client),
    override: client.getBooleanDetails(FLAG_KEYS.override, false, context),
    rollout: client.getBooleanDetails(FLAG_KEYS.rollout, false, context),
    mode: client.getStringDetails(FLAG_KEYS.mode, defaults.mode(NOBODY.orgId), context),
  }
}

/** Waits for all of them, however long that takes: for resolvers that evaluate in this process. */
export async function serviceDetails(evaluations: ServiceEvaluations): Promise<ServiceDetails> {
  const [guardrails, policy, override, rollout, mode] = await Promise.all([
    evaluations.guardrails,
    evaluations.policy,
    evaluations.override,
    evaluations.rollout,
    evaluations.mode,
  ])
  return { guardrails, policy, override, rollout, mode }
}
