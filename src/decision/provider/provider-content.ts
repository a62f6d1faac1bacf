import {
  ErrorCode,
  type EvaluationDetails,
  type FlagValue,
  StandardResolutionReasons,
} from '@openfeature/server-sdk'
import { FLAG_KEYS, type FlagName } from '../flags.js'

const OWN = ['override', 'rollout'] as const satisfies readonly FlagName[]
/** The flags of this service itself: no provider is asked for them. */
export const OWN_FLAGS: ReadonlySet<string> = new Set(OWN)

/** What the provider answered for the operators' flags, asked for nobody in particular. */
export type OpsAnswers = {
  readonly [Flag in Exclude<FlagName, (typeof OWN)[number]>]?: EvaluationDetails<FlagValue>
}

/**
 * Whether the provider has any of the flags. One that has none has the key of another project, say, or has read nothing yet.
 * @returns undefined where the answers do not tell: some did not come, or none was asked
 */
export function servesFlags(answers: {
  readonly [flag: string]: EvaluationDetails<FlagValue> | undefined
}): boolean | undefined {
  const asked = Object.entries(answers).filter(([name]) => !OWN_FLAGS.has(name))
  if (asked.some(([, details]) => details !== undefined && !saysNothing(details))) return true
  return asked.length === 0 || asked.some(([, details]) => details?.errorCode !== ErrorCode.FLAG_NOT_FOUND)
    ? undefined
    : false
}

const saysNothing = ({ errorCode }: EvaluationDetails<FlagValue>): boolean =>
  errorCode === ErrorCode.FLAG_NOT_FOUND ||
  errorCode === ErrorCode.PROVIDER_NOT_READY ||
  errorCode === ErrorCode.PROVIDER_FATAL

/**
 * The flags as a document that the next start can evaluate. Only what holds for everybody: which rule chose a value for whom is
 * known to the provider alone. @returns undefined where there is nothing to keep
 */
export function documentToKeep(answers: OpsAnswers): string | undefined {
  const flags = Object.entries(answers).flatMap(([name, details]) => {
    const key = isOpsFlag(name, answers) ? FLAG_KEYS[name] : undefined
    return key === undefined || !holdsForAll(details) ? [] : [[key, flagOf(details.value)] as const]
  })
  return flags.length === 0 ? undefined : JSON.stringify({ flags: Object.fromEntries(flags) })
}

const isOpsFlag = (name: string, answers: OpsAnswers): name is keyof OpsAnswers => name in answers

const holdsForAll = ({ errorCode, variant, reason }: EvaluationDetails<FlagValue>): boolean =>
  errorCode === undefined && !!variant && reason !== StandardResolutionReasons.TARGETING_MATCH

const flagOf = (value: FlagValue) => ({
  state: 'ENABLED',
  variants: { kept: value },
  defaultVariant: 'kept',
})
