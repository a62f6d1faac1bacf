import { canonicalJson } from '../override/checksum.js'
import type { Json, JsonObject } from '../override/override-flag.js'
import { percentOf, planOf, type RolloutPlan, type RolloutProgress } from './rollout.js'

/**
 * The key by which sessions are put into buckets: that of the execution mode, whose canary flagd puts into buckets by it too.
 * So a session that a share of p percent puts on the runtime is the same here and there.
 */
const BUCKET_KEY = 'chat-execution-mode'

/** What of the flag decides anything: all but metadata. */
export interface RolloutRule {
  readonly state: 'ENABLED'
  readonly variants: { readonly on: true; readonly off: false }
  readonly defaultVariant: 'off'
  readonly targeting?: JsonObject
}

export function rolloutRule(progress: RolloutProgress): RolloutRule {
  const plan = planOf(progress)
  const percent = percentOf(progress)
  return {
    state: 'ENABLED',
    variants: { on: true, off: false },
    defaultVariant: 'off',
    ...(plan === undefined || percent === 0 ? {} : { targeting: targetingOf(plan, percent) }),
  }
}

function targetingOf(plan: RolloutPlan, percent: number): JsonObject {
  const conditions = [isIn('orgId', plan.orgIds), isIn('agentId', plan.agentIds)].flat()
  const [first] = conditions
  if (first === undefined) return share(percent)
  return { if: [conditions.length === 1 ? first : { and: conditions }, share(percent), 'off'] }
}

function isIn(variable: string, ids: readonly string[] | undefined): JsonObject[] {
  return ids === undefined ? [] : [{ in: [{ var: variable }, [...ids]] }]
}

/** `on` stands first, as the runtime does in a canary: as its share grows it only takes sessions over. */
function share(percent: number): JsonObject {
  return {
    fractional: [{ cat: [BUCKET_KEY, { var: 'targetingKey' }] }, ['on', percent], ['off', 100 - percent]],
  }
}

/** The share that a targeting gives to those the plan is for; undefined if it has another form. */
export function percentIn(plan: RolloutPlan, targeting: JsonObject): number | undefined {
  const written = canonicalJson(targeting)
  for (let percent = 0; percent <= 100; percent += 1)
    if (canonicalJson(targetingOf(plan, percent) as Json) === written) return percent
  return undefined
}
