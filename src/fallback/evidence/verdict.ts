import { normalQuantile } from '../../core/numbers/normal-quantile.js'
import type { Tally } from '../../metrics/windows/windows.js'
import type { Trip } from '../../store/override/override.js'
import { type Evidence, type FallbackGuardrails, NO_TALLY, type RuntimeWindows } from './evidence.js'
import { isUnusual, type Unsettled, type Usual, unusualRow, usualShare } from './usual-failures.js'

/** What the executions say. Only `breach` trips, only `healthy` recovers. */
export type Verdict =
  | { readonly kind: 'breach'; readonly trip: Trip }
  | { readonly kind: 'healthy' }
  | { readonly kind: 'insufficient_data' }

const HEALTHY: Verdict = { kind: 'healthy' }
const INSUFFICIENT: Verdict = { kind: 'insufficient_data' }

/**
 * One tally against the guardrails. Without `confidence` it takes `minSamples` executions; with it the bounds of the
 * Wilson interval take their place for both rates (a mean has none: latency needs `minSamples` either way).
 */
export function judge(tally: Tally, guardrails: FallbackGuardrails, usual?: Usual): Verdict {
  const trip = breachOf(tally, guardrails, usual)
  if (trip !== undefined) return { kind: 'breach', trip }
  return isHealthy(tally, guardrails) ? HEALTHY : INSUFFICIENT
}

/**
 * A breach of either window is one: three thousand good turns must not hide that everything fails now. Where too few turns
 * come for rates, a row of failures is one.
 */
export function judgeRuntime(
  { runtime }: Pick<Evidence, 'runtime'>,
  guardrails: FallbackGuardrails,
): Verdict {
  const slow = judge(runtime.slow, guardrails, runtime.usual)
  if (slow.kind === 'breach') return slow
  const fast = judge(runtime.fast, guardrails, runtime.usual)
  if (fast.kind === 'breach') return fast
  const changed = judge(runtime.changed ?? NO_TALLY, guardrails, runtime.usual)
  if (changed.kind === 'breach') return changed
  const late = firstContentBreach(runtime, guardrails)
  if (late !== undefined) return { kind: 'breach', trip: late }
  return slow.kind === 'insufficient_data' ? judgeStreak(runtime, guardrails) : slow
}

function firstContentBreach(
  { firstContent }: RuntimeWindows,
  { firstContentP95Ms: threshold, minSamples }: FallbackGuardrails,
): Trip | undefined {
  if (threshold === null || firstContent === undefined) return undefined
  const breach = [firstContent.slow, firstContent.fast].find(
    ({ samples, p95Ms }) => samples >= minSamples && p95Ms > threshold,
  )
  return breach === undefined ? undefined : { cause: 'first_content', value: breach.p95Ms, threshold }
}

/** Its answers still begin too late, however few there are: it does not deserve traffic again. */
export function beginsLate(
  { firstContent }: RuntimeWindows,
  { firstContentP95Ms: threshold }: FallbackGuardrails,
): boolean {
  return threshold !== null && firstContent !== undefined && firstContent.recent.p95Ms > threshold
}

/** One session alone may fail for what its user sends. */
const STREAK_SESSIONS = 2

/** The newest executions that a breach in the making may consist of: twice what the fast window is judged by. */
export const unsettled = ({ fastWindowSeconds, minSamples }: FallbackGuardrails): Unsettled => ({
  ms: 2 * fastWindowSeconds * 1000,
  executions: 4 * minSamples,
})

/** How many failures in a row are a breach: more where some usually fail. */
export function breachingRow({ consecutiveFailures }: FallbackGuardrails, usual: Usual | undefined): number {
  return unusualRow(consecutiveFailures, usualShare(usual, 'errors'))
}

/** The newest executions all failed: an error rate of 1, which a threshold of 1 allows. */
function judgeStreak(
  { streak, usual }: Pick<RuntimeWindows, 'streak' | 'usual'>,
  guardrails: FallbackGuardrails,
): Verdict {
  const { consecutiveFailures, errorRate: threshold } = guardrails
  if (streak === undefined || streak.failures < breachingRow(guardrails, usual) || threshold >= 1)
    return INSUFFICIENT
  if (streak.sessions < Math.min(STREAK_SESSIONS, consecutiveFailures)) return INSUFFICIENT
  return { kind: 'breach', trip: { cause: 'error_rate', value: 1, threshold } }
}

/**
 * Does the runtime deserve traffic again? `recoverySamples` executions with rates at most half the thresholds and a mean
 * latency under its own.
 */
export function isRecovered(tally: Tally, guardrails: FallbackGuardrails): boolean {
  const { total } = tally
  if (total < guardrails.recoverySamples || !looksWell(tally, guardrails)) return false
  if (guardrails.confidence === 0) return true
  return RATES.every(({ count, threshold }) => {
    const limit = threshold(guardrails)
    return limit === 0 || upperBound(count(tally), total, guardrails) < limit
  })
}

/** Enough executions to recover by, and they do not look well. */
export function isDoubtful(tally: Tally, guardrails: FallbackGuardrails): boolean {
  return tally.total >= guardrails.recoverySamples && !looksWell(tally, guardrails)
}

/**
 * How many good executions it takes to recover: `recoverySamples`, and with `confidence` as many as bring the upper bound
 * under the thresholds, z² (1 - limit) / limit.
 */
export function recoveryReach(guardrails: FallbackGuardrails): number {
  const { confidence, recoverySamples } = guardrails
  if (confidence === 0) return recoverySamples
  const z = normalQuantile(0.5 + confidence / 2)
  const needed = RATES.map(({ threshold }) => threshold(guardrails))
    .filter((limit) => limit > 0)
    .map((limit) => Math.floor((z * z * (1 - limit)) / limit) + 1)
  return Math.max(recoverySamples, ...needed)
}

function looksWell(tally: Tally, guardrails: FallbackGuardrails): boolean {
  const { total } = tally
  if (total === 0 || meanLatencyMs(tally) > latencyThresholdMs(guardrails)) return false
  return RATES.every(({ count, threshold }) => count(tally) / total <= threshold(guardrails) / 2)
}

/** What is wrong with the direct LLM, to which a fallback would send everybody. */
export type StandbyTrouble =
  /** none of its endpoints can be used; `why` as the watch has it */
  | { readonly kind: 'unusable'; readonly why: string }
  /** its executions of the newest 60 s are in breach */
  | { readonly kind: 'breach'; readonly trip: Trip }

/** Nothing where it is well, or too little is known of it. */
export function standbyTrouble(
  { direct, standby }: Evidence,
  guardrails: FallbackGuardrails,
): StandbyTrouble | undefined {
  if (standby?.unusable === true) return { kind: 'unusable', why: standby.why ?? '' }
  const verdict = judge(direct, guardrails)
  return verdict.kind === 'breach' ? { kind: 'breach', trip: verdict.trip } : undefined
}

export const latencyThresholdMs = ({ latencyShare, totalMs }: FallbackGuardrails): number =>
  latencyShare * totalMs

const RATES = [
  {
    cause: 'error_rate',
    counted: 'errors',
    count: ({ errors }: Tally) => errors,
    threshold: ({ errorRate: rate }: FallbackGuardrails) => rate,
  },
  {
    cause: 'timeout_rate',
    counted: 'timeouts',
    count: ({ timeouts }: Tally) => timeouts,
    threshold: ({ timeoutRate }: FallbackGuardrails) => timeoutRate,
  },
] as const

function breachOf(tally: Tally, guardrails: FallbackGuardrails, usual?: Usual): Trip | undefined {
  const { total } = tally
  if (total === 0) return undefined
  for (const { cause, counted, count, threshold } of RATES) {
    const limit = threshold(guardrails)
    const isSure =
      (guardrails.confidence > 0
        ? lowerBound(count(tally), total, guardrails) > limit
        : total >= guardrails.minSamples) && isNews(count(tally), total, limit, usualShare(usual, counted))
    const value = count(tally) / total
    if (isSure && value > limit) return { cause, value, threshold: limit }
  }
  const value = meanLatencyMs(tally)
  const threshold = latencyThresholdMs(guardrails)
  if (total < guardrails.minSamples || value <= threshold) return undefined
  return { cause: 'latency', value, threshold }
}

/** A runtime of which a share fails every day is not in breach by a row of bad luck; one that usually fails above the limit is. */
function isNews(count: number, total: number, limit: number, share: number | undefined): boolean {
  return share === undefined || share >= limit || isUnusual(count, total, share)
}

function isHealthy(tally: Tally, guardrails: FallbackGuardrails): boolean {
  const { total } = tally
  if (total === 0) return false
  if (guardrails.confidence === 0) return total >= guardrails.minSamples
  if (meanLatencyMs(tally) > latencyThresholdMs(guardrails)) return false
  return RATES.every(
    ({ count, threshold }) => upperBound(count(tally), total, guardrails) < threshold(guardrails),
  )
}

const meanLatencyMs = ({ total, latencySumMs }: Tally): number => (total === 0 ? 0 : latencySumMs / total)

const lowerBound = (count: number, total: number, { confidence }: FallbackGuardrails): number =>
  wilson(count, total, confidence).lower
const upperBound = (count: number, total: number, { confidence }: FallbackGuardrails): number =>
  wilson(count, total, confidence).upper

/**
 * Wilson score interval of a proportion (E. B. Wilson, 1927), two-sided at `confidence` (0 to 1, exclusive).
 */
export function wilson(
  count: number,
  total: number,
  confidence: number,
): { readonly lower: number; readonly upper: number } {
  const z = normalQuantile(0.5 + confidence / 2)
  const p = count / total
  const z2 = (z * z) / total
  const centre = (p + z2 / 2) / (1 + z2)
  const half = (z / (1 + z2)) * Math.sqrt((p * (1 - p)) / total + z2 / (4 * total))
  // Rounding puts no bound on the wrong side of the share itself.
  return { lower: Math.max(0, Math.min(p, centre - half)), upper: Math.min(1, Math.max(p, centre + half)) }
}
