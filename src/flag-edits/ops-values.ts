import { FLAG_KEYS } from '../decision/flags.js'
import { fallbackPolicySchema } from '../protocol/fallback.js'
import type { OpsValues } from '../protocol/flag-edit.js'
import { executionModeSchema } from '../protocol/modes.js'
import { isRecord, isTextList, type OpsDocument } from './ops-document.js'
import { canaryPercentOf, shadowPercentOf } from './targeting.js'

/** What the operators' file says. Pure. */
export function opsValues(document: OpsDocument): OpsValues {
  const targeting = document.part(FLAG_KEYS.mode, 'targeting')
  const canaryPercent = canaryPercentOf(targeting)
  const list = document.orgListPath()
  const orgs = list === undefined ? undefined : document.at(list)
  const shadowRule = document.part(FLAG_KEYS.shadow, 'targeting')
  const shadowPercent = shadowPercentOf(shadowRule)
  const guardrails = defaultValue(document, FLAG_KEYS.guardrails)
  const policy = fallbackPolicySchema.safeParse(defaultValue(document, FLAG_KEYS.policy))
  const mode = executionModeSchema.safeParse(defaultValue(document, FLAG_KEYS.mode))
  const route = defaultValue(document, FLAG_KEYS.route)
  const limits = defaultValue(document, FLAG_KEYS.limits)
  return {
    mode: {
      value: mode.success ? mode.data : null,
      enabledOrgs: canaryPercent !== undefined && isTextList(orgs) ? [...orgs] : null,
      canaryPercent: canaryPercent ?? null,
    },
    shadow: {
      percent: shadowPercent ?? null,
      handMade: shadowPercent === undefined && isRule(shadowRule),
    },
    guardrails: isRecord(guardrails) ? guardrails : null,
    fallbackPolicy: policy.success ? policy.data : null,
    limits: isRecord(limits) ? limits : null,
    llmRoute:
      isRecord(route) && isTextList(route.endpoints) && !isRule(document.part(FLAG_KEYS.route, 'targeting'))
        ? [...route.endpoints]
        : null,
  }
}

/** The value of the variant that `defaultVariant` names. */
export function defaultValue(document: OpsDocument, flag: string): unknown {
  const variant = document.part(flag, 'defaultVariant')
  return typeof variant === 'string' ? document.part(flag, 'variants', variant) : undefined
}

/** `{}` and null are no rule. */
export const isRule = (targeting: unknown): boolean =>
  targeting !== undefined &&
  targeting !== null &&
  !(isRecord(targeting) && Object.keys(targeting).length === 0)
