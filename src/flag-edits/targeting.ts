import type { ExecutionMode } from '../protocol/modes.js'
import { isEqual, isRecord, ORG_LIST } from './ops-document.js'

/** The two rules of the operators' file that this service writes. Any other one was made by hand and is not touched. */

const ORGS = { $ref: ORG_LIST }

/** The orgs of the list get the runtime, and so does a share of the sessions of all others. */
export function modeTargeting(canaryPercent: number): object {
  return { if: [ORGS, 'runtime_orchestrator', canary(canaryPercent)] }
}

function canary(percent: number): object | null {
  if (percent === 0) return null
  return { fractional: share<ExecutionMode>('runtime_orchestrator', 'direct_llm', percent) }
}

/** The canary's share in percent: 0 if there is no rule but the orgs', undefined if the rule was made by hand. */
export function canaryPercentOf(targeting: unknown): number | undefined {
  if (targeting === undefined || targeting === null || isEqual(targeting, {})) return 0
  if (!isRecord(targeting) || !Array.isArray(targeting.if)) return undefined
  const rest: unknown = targeting.if[2] ?? null
  const percent = rest === null ? 0 : shareOf(rest, 'runtime_orchestrator', 'direct_llm')
  if (percent === undefined) return undefined
  const [orgs, then] = targeting.if
  const isOurs = Object.keys(targeting).length === 1 && targeting.if.length <= 3
  return isOurs && isEqual(orgs, ORGS) && then === 'runtime_orchestrator' ? percent : undefined
}

export function shadowTargeting(percent: number): object {
  return { fractional: share('on', 'off', percent) }
}

/** Undefined if there is no rule, or one made by hand. */
export function shadowPercentOf(targeting: unknown): number | undefined {
  return shareOf(targeting, 'on', 'off')
}

function share<T extends string>(first: T, second: T, percent: number): [T, number][] {
  return [
    [first, percent],
    [second, 100 - percent],
  ]
}

function shareOf(rule: unknown, first: string, second: string): number | undefined {
  if (!isRecord(rule) || !Array.isArray(rule.fractional)) return undefined
  const [head]: unknown[] = rule.fractional
  const percent: unknown = Array.isArray(head) ? head[1] : undefined
  if (typeof percent !== 'number') return undefined
  return isEqual(rule, { fractional: share(first, second, percent) }) ? percent : undefined
}
