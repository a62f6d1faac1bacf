import type { Tally } from '../../metrics/windows/windows.js'
import { MAX_SCOPE_IDS, type Scope, scopeOf } from '../../protocol/fallback-scope.js'
import type { Trip } from '../../store/override/override.js'
import type { FallbackGuardrails, Suspects } from './evidence.js'
import { judge } from './verdict.js'

export type RateCause = 'error_rate' | 'timeout_rate'

/** Fewer executions of one id tell nothing of it. */
const LEAST_EXECUTIONS = 3

export const leastExecutions = ({ minSamples }: FallbackGuardrails): number =>
  Math.max(LEAST_EXECUTIONS, minSamples / 2)

/** of the threshold: the rates of the others are compared in fifths of it */
const LEFT_STEPS = 5

/** Latency and health are everybody's. */
export function isRateCause(cause: Trip['cause']): cause is RateCause {
  return cause === 'error_rate' || cause === 'timeout_rate'
}

/**
 * The ids that fail: at least half of `minSamples` executions (3 at least) in the window that breached, and a rate of their
 * own over the threshold. Sorted; one more than a scope may hold at most. Pure.
 */
export function failingIds(
  byId: ReadonlyMap<string, Tally>,
  cause: RateCause,
  guardrails: FallbackGuardrails,
): readonly string[] {
  const least = leastExecutions(guardrails)
  const limit = thresholdOf(cause, guardrails)
  return [...byId]
    .filter(([, tally]) => tally.total >= least && rateOf(tally, cause) > limit)
    .map(([id]) => id)
    .sort()
    .slice(0, MAX_SCOPE_IDS + 1)
}

/**
 * The smallest explanation of a breach: the failing ids of one dimension, where all others hold `minSamples` and are not in
 * breach themselves, nor about to be. Of two the one that leaves the others better (in steps, for what is left is chance), then the fewer ids,
 * then the fewer executions: where an org fails, an agent may by chance fail more often than not as well. The trip is then
 * theirs, with their own rate. Nothing where there is none: then the breach is everybody's. Pure.
 */
export function explain(
  trip: Trip,
  suspects: readonly Suspects[],
  guardrails: FallbackGuardrails,
): { readonly scope: Scope; readonly trip: Trip } | undefined {
  const { cause, threshold } = trip
  if (!isRateCause(cause) || !guardrails.scoped) return undefined
  const steps = ({ left }: Suspects): number =>
    threshold === 0 ? 0 : Math.floor((rateOf(left, cause) / threshold) * LEFT_STEPS)
  const [smallest] = suspects
    .filter((one) => isExplanation(one, cause, guardrails))
    .sort((a, b) => steps(a) - steps(b) || a.ids.length - b.ids.length || a.tally.total - b.tally.total)
  if (smallest === undefined) return undefined
  const value = rateOf(smallest.tally, cause)
  return { scope: scopeOf(smallest.dimension, smallest.ids), trip: { ...trip, value } }
}

function isExplanation({ ids, others }: Suspects, cause: RateCause, guardrails: FallbackGuardrails): boolean {
  if (ids.length === 0 || ids.length > MAX_SCOPE_IDS) return false
  if (others.slow.total < guardrails.minSamples) return false
  // Where everybody's executions begin to fail, some ids are over the threshold first by chance, while the windows of the others
  // still hold good executions of before.
  if (rateOf(others.newest, cause) > thresholdOf(cause, guardrails)) return false
  return [others.slow, others.fast].every((tally) => judge(tally, guardrails).kind !== 'breach')
}

const thresholdOf = (cause: RateCause, { errorRate, timeoutRate }: FallbackGuardrails): number =>
  cause === 'error_rate' ? errorRate : timeoutRate

const rateOf = ({ total, errors, timeouts }: Tally, cause: RateCause): number =>
  total === 0 ? 0 : (cause === 'error_rate' ? errors : timeouts) / total
