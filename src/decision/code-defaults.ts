import { FlagdCore, MemoryStorage } from '@openfeature/flagd-core'
import type { EvaluationContext, JsonValue } from '@openfeature/server-sdk'
import type { CodeDefaults } from '../config.js'
import type { ExecutionMode } from '../protocol/modes.js'
import type { AgentProfile } from './agent-profile.js'
import { FLAG_KEYS } from './flags.js'
import { type Guardrails, guardrailsSchema, resolveGuardrails } from './guardrails.js'
import { ALL_ENDPOINTS, type LlmRoute } from './llm-route.js'
import { silentSdkLogger } from './sdk-logger.js'

/** The environment's say about one turn: handed to OpenFeature as the default values. */
export interface TurnDefaults {
  mode(orgId: string): ExecutionMode
  shadow(context: EvaluationContext): boolean
  readonly guardrails: Guardrails
  readonly profile: AgentProfile
  readonly route: LlmRoute
  /** of the direct LLM; empty: not known */
  readonly llmEndpoints: readonly string[]
  /** the same three as the SDK takes them */
  readonly guardrailsValue: JsonValue
  readonly profileValue: JsonValue
  readonly routeValue: JsonValue
}

/**
 * What decides while the flags yield no variant: an enabled org gets the runtime, any other the environment's mode; the
 * shadow share is bucketed as the flag itself would; guardrails are the shipped ones.
 */
export function createTurnDefaults(
  environment: CodeDefaults,
  llmEndpoints: readonly string[] = [],
): TurnDefaults {
  const enabledOrgs = new Set(environment.enabledOrgs)
  const guardrails = defaultGuardrails(environment)
  return {
    mode: (orgId) => (enabledOrgs.has(orgId) ? 'runtime_orchestrator' : environment.mode),
    shadow: shadowDefault(environment.shadowPercent),
    guardrails,
    profile: {},
    route: ALL_ENDPOINTS,
    llmEndpoints,
    guardrailsValue: { ...guardrails },
    profileValue: {},
    routeValue: { endpoints: [] },
  }
}

/** The shipped guardrails, with the environment's values. */
export function defaultGuardrails(environment: CodeDefaults): Guardrails {
  return resolveGuardrails(guardrailsSchema.parse({}), environment)
}

/** A flag of the same key, for flagd buckets by key and session: moving the percentage to the file moves no session. */
function shadowDefault(percent: number): (context: EvaluationContext) => boolean {
  if (percent <= 0) return () => false
  if (percent >= 100) return () => true
  const storage = new MemoryStorage(silentSdkLogger)
  storage.setConfigurations(JSON.stringify(shadowDocument(percent)), true)
  const core = new FlagdCore(storage, silentSdkLogger)
  return (context) => core.resolveBooleanEvaluation(FLAG_KEYS.shadow, false, context, silentSdkLogger).value
}

function shadowDocument(percent: number): object {
  return {
    flags: {
      [FLAG_KEYS.shadow]: {
        state: 'ENABLED',
        variants: { on: true, off: false },
        defaultVariant: 'off',
        targeting: {
          fractional: [
            ['on', percent],
            ['off', 100 - percent],
          ],
        },
      },
    },
  }
}
