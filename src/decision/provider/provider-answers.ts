import {
  type Client,
  ErrorCode,
  type EvaluationContext,
  type EvaluationDetails,
  type FlagValue,
  type JsonValue,
  StandardResolutionReasons,
} from '@openfeature/server-sdk'
import { errorText } from '../../core/errors.js'
import { FLAGS_OF_FILE } from '../flags.js'
import type { FlagReader } from '../values/turn-flag-reader.js'

/** Default values that no flag has: an answer that is one of them says that the provider has no value. */
const NO_TEXT = 'chat-cutover:no-value'
const NO_OBJECT = { [NO_TEXT]: true }

/** characters of another's error text that are told */
const MAX_TEXT = 200

/** The error text of a provider, without the paths and queries of addresses: they may carry keys. */
export function shortText(thrown: unknown): string {
  const text = errorText(thrown).replace(
    /([a-z][a-z\d+.-]*:\/\/)(?:[^/?#\s]*@)?([^/?#\s"')]+)[^\s"')]*/gi,
    '$1$2',
  )
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text
}

/** Reads the override and the rollout by `own`, all other flags by the client that `ops` gives. */
export function routedReader(ops: () => Client | undefined, own: Client): FlagReader {
  return {
    getStringDetails: async (key, fallback, context) => {
      const client = ops()
      if (client === undefined) return notReady(key, fallback)
      const details = await client.getStringDetails(key, NO_TEXT, context)
      return answered(details, fallback, details.value === NO_TEXT)
    },
    getBooleanDetails: async (key, fallback, context) => {
      if (FLAGS_OF_FILE.override.has(key)) return own.getBooleanDetails(key, fallback, context)
      const client = ops()
      if (client === undefined) return notReady(key, fallback)
      const details = await client.getBooleanDetails(key, fallback, context)
      return answered(details, fallback, isUnnamedDefault(details, fallback))
    },
    getObjectDetails: async (key: string, fallback: JsonValue, context: EvaluationContext) => {
      const client = ops()
      if (client === undefined) return notReady(key, fallback)
      const details = await client.getObjectDetails<JsonValue>(key, NO_OBJECT, context)
      return answered(details, fallback, isNoObject(details.value))
    },
  }
}

/**
 * Providers differ in what they say: many name no variant, and some answer for a flag that they do not have with the default
 * value and no error. A share of the sessions (`SPLIT`) is a rule here, as flagd's `fractional` is.
 */
function answered<T extends FlagValue>(
  details: EvaluationDetails<T>,
  fallback: T,
  isWithout: boolean,
): EvaluationDetails<T> {
  const { variant, errorCode, errorMessage, reason, ...rest } = details
  if (errorCode !== undefined)
    return { ...rest, value: fallback, errorCode, errorMessage: messageOf(errorCode, errorMessage) }
  if (isWithout)
    return reason === StandardResolutionReasons.DISABLED
      ? { ...rest, value: fallback, reason }
      : { ...rest, value: fallback, errorCode: ErrorCode.FLAG_NOT_FOUND }
  return {
    ...rest,
    variant: variant || 'unnamed',
    ...(reason === undefined
      ? {}
      : { reason: isRule(reason) ? StandardResolutionReasons.TARGETING_MATCH : reason }),
  }
}

/** LaunchDarkly's provider passes its own words on. */
const RULES: ReadonlySet<string> = new Set([
  StandardResolutionReasons.TARGETING_MATCH,
  StandardResolutionReasons.SPLIT,
  'RULE_MATCH',
  'TARGET_MATCH',
])
const isRule = (reason: string): boolean => RULES.has(reason)

/** reasons that no value of a flag has */
const REASONS_WITHOUT_FLAG: ReadonlySet<string> = new Set([
  StandardResolutionReasons.DEFAULT,
  StandardResolutionReasons.DISABLED,
  StandardResolutionReasons.ERROR,
  StandardResolutionReasons.UNKNOWN,
])

/** Both values of a boolean may be a flag's. So the default counts as "no value" where it comes without a variant and without a flag's reason. */
const isUnnamedDefault = (
  { value, variant, reason }: EvaluationDetails<boolean>,
  fallback: boolean,
): boolean => value === fallback && !variant && (reason === undefined || REASONS_WITHOUT_FLAG.has(reason))

const isNoObject = (value: JsonValue): boolean =>
  typeof value === 'object' && value !== null && NO_TEXT in value

const messageOf = (code: ErrorCode, message: string | undefined): string =>
  message === undefined || message === '' ? code : `${code}: ${shortText(message)}`

const notReady = <T extends FlagValue>(flagKey: string, value: T): EvaluationDetails<T> => ({
  flagKey,
  flagMetadata: {},
  value,
  errorCode: ErrorCode.PROVIDER_NOT_READY,
})
