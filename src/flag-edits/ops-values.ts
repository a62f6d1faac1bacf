import { fallbackPolicySchema } from '../protocol/fallback.js'
import type { OpsValues } from '../protocol/flag-edit.js'
import { executionModeSchema } from '../protocol/modes.js'
import {
  GUARDRAILS_FLAG,
  isRecord,
  isTextList,
  MODE_FLAG,
  type OpsDocument,
  POLICY_FLAG,
  ROUTE_FLAG,
  SHADOW_FLAG,
} from './ops-document.js'
import { canaryPercentOf, shadowPercentOf } from './targeting.js'

/** What the operators' file says. Pure. */
export function opsValues(document: OpsDocument): OpsValues {
  const targeting = document.part(MODE_FLAG, 'targeting')
  const canaryPercent = canaryPercentOf(targeting)
  const list = document.orgListPath()
  const orgs = list === undefined ? undefined : document.at(list)
  const shadowRule = document.part(SHADOW_FLAG, 'targeting')
  const shadowPercent = shadowPercentOf(shadowRule)
  const guardrails = defaultValue(document, GUARDRAILS_FLAG)
  const policy = fallbackPolicySchema.safeParse(defaultValue(document, POLICY_FLAG))
  const mode = executionModeSchema.safeParse(defaultValue(document, MODE_FLAG))
  const route = defaultValue(document, ROUTE_FLAG)
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
    llmRoute:
      isRecord(route) && isTextList(route.endpoints) && !isRule(document.part(ROUTE_FLAG, 'targeting'))
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
