import type {
  KindSums,
  PairCounts,
  PairedDimension,
  PairedSums,
  Similarity,
  TimeDimension,
} from '../journal/comparison.js'
import type { TimeSums } from '../journal/time-sums.js'
import type { ShadowDimension, ShadowDimensionReport, ShadowDirection } from '../protocol/shadow-report.js'
import {
  type CensoredDifference,
  candidateQuantile,
  censoredDifference,
  censoredIn,
  controlQuantile,
  endedIn,
  horizonOf,
  longestCandidate,
} from './kaplan-meier.js'
import { INTERVAL_CONFIDENCE, MARGINS, type VerdictBasis } from './report-rules.js'
import {
  bounded,
  differenceOfEstimates,
  differencesOf,
  type Estimate,
  LEAST_SAMPLE,
  type Mean,
  mapEstimate,
  meanEstimate,
  meanOf,
  pairedShareEstimate,
  welchEstimate,
} from './statistics.js'

/** All of a dimension but what is said about it; `basis` is what the verdict rests on. */
export type MeasuredDimension = Omit<ShadowDimensionReport, 'verdict' | 'sentence'> & {
  readonly basis: VerdictBasis | undefined
}

/** Every dimension, in the order of the report, from the sums of both kinds of pairs. */
export function measureDimensions(ab: KindSums, aa: KindSums): MeasuredDimension[] {
  return [
    shareDimension('success_rate', 'more_is_better', opposite(ab.failed), opposite(aa.failed)),
    shareDimension('error_rate', 'less_is_better', ab.failed, aa.failed),
    shareDimension('timeout_rate', 'less_is_better', ab.timedOut, aa.timedOut),
    timeDimension('latency', 'latency', 'lnLatency', ab, aa),
    timeDimension('first_content', 'firstContent', 'lnFirstContent', ab, aa),
    numberDimension('length', 'as_control', 'characters', ab.paired.characters, aa.paired.characters),
    numberDimension('tokens', 'less_is_better', 'tokens', ab.paired.tokens, aa.paired.tokens),
    similarityDimension('text_similarity', 'text', ab, aa),
    similarityDimension('plan_similarity', 'plan', ab, aa),
    similarityDimension('call_set_similarity', 'callSet', ab, aa),
    similarityDimension('call_order_similarity', 'callOrder', ab, aa),
  ]
}

/** What only times have. */
const NO_TIME = { p95: null, censored: { ab: 0, aa: 0 } } as const

/** A share of all pairs: paired within each kind, the two kinds independent of each other. */
function shareDimension(
  dimension: ShadowDimension,
  direction: ShadowDirection,
  ab: PairCounts,
  aa: PairCounts,
): MeasuredDimension {
  const pairs = { ab: totalOf(ab), aa: totalOf(aa) }
  const difference = pairedShareEstimate(ab, INTERVAL_CONFIDENCE)
  const floor = pairedShareEstimate(aa, INTERVAL_CONFIDENCE)
  const net = difference && floor && differenceOfEstimates(difference, floor)
  return {
    dimension,
    unit: 'share',
    direction,
    control: ratio(ab.controlOnly + ab.both, pairs.ab),
    candidate: ratio(ab.candidateOnly + ab.both, pairs.ab),
    ...NO_TIME,
    pairs,
    difference: difference ?? null,
    relative: null,
    floor: floor ?? null,
    floorRelative: null,
    net: net ?? null,
    margin: MARGINS[dimension],
    basis: difference && net && { difference, net, margin: MARGINS[dimension], isRate: true },
  }
}

/**
 * Times are skewed and span orders of magnitude: the verdict rests on the mean of their log ratios. Where users left, on the
 * restricted means of the Kaplan–Meier curves: kaplan-meier.ts.
 */
function timeDimension(
  dimension: ShadowDimension,
  time: TimeDimension,
  lnTime: PairedDimension,
  ab: KindSums,
  aa: KindSums,
): MeasuredDimension {
  const measured =
    ab.left + aa.left === 0
      ? wholeTimes(ab.paired[time], ab.paired[lnTime], aa.paired[time], aa.paired[lnTime])
      : censoredTimes(ab.times[time], aa.times[time])
  const { means, pairs, difference, relative, floor, floorRelative, net } = measured
  const margin = MARGINS[dimension]
  const share = asShare(net)
  return {
    dimension,
    unit: 'ms',
    direction: 'less_is_better',
    ...means,
    p95: {
      control: controlQuantile(ab.times[time], HIGH) ?? null,
      candidate: candidateQuantile(ab.times[time], HIGH) ?? null,
    },
    pairs,
    censored: { ab: censoredIn(ab.times[time]), aa: censoredIn(aa.times[time]) },
    difference: difference ?? null,
    relative: asShare(relative),
    floor: floor ?? null,
    floorRelative: asShare(floorRelative),
    net: share,
    margin,
    basis: relative && share ? { difference: relative, net: share, margin } : undefined,
  }
}

const HIGH = 0.95

interface MeasuredTimes {
  readonly means: { readonly control: number | null; readonly candidate: number | null }
  readonly pairs: { readonly ab: number; readonly aa: number }
  readonly difference: Estimate | undefined
  /** of ln ms, as `floorRelative` and `net` are */
  readonly relative: Estimate | undefined
  readonly floor: Estimate | undefined
  readonly floorRelative: Estimate | undefined
  readonly net: Estimate | undefined
}

function wholeTimes(ab: PairedSums, lnAb: PairedSums, aa: PairedSums, lnAa: PairedSums): MeasuredTimes {
  const { difference, floor, net } = pairedNumbers(lnAb, lnAa)
  const ms = pairedNumbers(ab, aa)
  return {
    means: meansOf(ab),
    pairs: { ab: ab.n, aa: aa.n },
    difference: ms.difference,
    relative: difference,
    floor: ms.floor,
    floorRelative: floor,
    net,
  }
}

/**
 * `relative` and `floorRelative` hold whatever became of the controls that outlasted all that was seen: those took at least the
 * longest time seen, and at most as long as the control's own backend in the A/A runs, which nobody leaves. `net` needs no such bound. Both kinds have the same control, so what nobody saw of it is
 * the same in both up to a common horizon, and goes when one is taken from the other.
 */
function censoredTimes(ab: TimeSums, aa: TimeSums): MeasuredTimes {
  const whole = Number.POSITIVE_INFINITY
  const ms = censoredDifference(ab, 'ms', whole)
  const floor = censoredDifference(aa, 'ms', whole)
  const horizon = horizonOf('ln', ab, aa)
  const longest = longestCandidate(aa) ?? LN_DAY
  const [ours, own] = [censoredMean(ab, horizon), censoredMean(aa, horizon)]
  const pairs = { ab: endedIn(ab) + censoredIn(ab), aa: endedIn(aa) + censoredIn(aa) }
  return {
    means: { control: ms?.control ?? null, candidate: ms?.candidate ?? null },
    pairs,
    difference: estimateOf(ab, ms),
    relative: boundedEstimate(ab, longest),
    floor: estimateOf(aa, floor),
    floorRelative: boundedEstimate(aa, longest),
    net: ours && own && welchEstimate(ours, own, INTERVAL_CONFIDENCE),
  }
}

/** Undefined where too few controls ended by themselves. */
function censoredMean(times: TimeSums, horizon: number): Mean | undefined {
  return endedIn(times) < LEAST_SAMPLE ? undefined : censoredDifference(times, 'ln', horizon)?.difference
}

function estimateOf(times: TimeSums, found: CensoredDifference | undefined): Estimate | undefined {
  return found === undefined || endedIn(times) < LEAST_SAMPLE
    ? undefined
    : meanEstimate(found.difference, INTERVAL_CONFIDENCE)
}

/**
 * The interval reaches as far down as it must where each control that outlasted all that was seen took as long as `longest`
 * (worst-case bounds as C. F. Manski, "Nonparametric bounds on treatment effects", American Economic Review 80, 1990).
 */
function boundedEstimate(times: TimeSums, longest: number): Estimate | undefined {
  const found = censoredDifference(times, 'ln', Number.POSITIVE_INFINITY)
  const estimate = estimateOf(times, found)
  if (found === undefined || estimate === undefined) return undefined
  return { ...estimate, low: estimate.low - found.tail * Math.max(longest - found.horizon, 0) }
}

/** the longest time that is kept, ln ms */
const LN_DAY = Math.log(86_400_000)

/** Lengths and tokens: the margin is a part of the control's own mean. */
function numberDimension(
  dimension: ShadowDimension,
  direction: ShadowDirection,
  unit: 'characters' | 'tokens',
  ab: PairedSums,
  aa: PairedSums,
): MeasuredDimension {
  const { difference, floor, net } = pairedNumbers(ab, aa)
  const means = meansOf(ab)
  const margin = means.control === null ? null : MARGINS[dimension] * means.control
  return {
    dimension,
    unit,
    direction,
    ...means,
    ...NO_TIME,
    pairs: { ab: ab.n, aa: aa.n },
    difference: difference ?? null,
    relative: null,
    floor: floor ?? null,
    floorRelative: null,
    net: net ?? null,
    margin,
    basis: difference && net && { difference, net, margin: margin ?? 0 },
  }
}

/** How alike both sides are, against how alike the control is to itself: two samples of different turns. */
function similarityDimension(
  dimension: ShadowDimension,
  name: Similarity,
  ab: KindSums,
  aa: KindSums,
): MeasuredDimension {
  const [ours, own] = [ab.similar[name], aa.similar[name]]
  const [oursMean, ownMean] = [meanOf(bounded(ours)), meanOf(bounded(own))]
  const [control, candidate] = [ratio(own.sum, own.n), ratio(ours.sum, ours.n)]
  const welch = oursMean && ownMean && welchEstimate(oursMean, ownMean, INTERVAL_CONFIDENCE)
  const difference =
    welch && control !== null && candidate !== null ? { ...welch, value: candidate - control } : undefined
  const floor =
    ownMean && control !== null
      ? { ...meanEstimate(ownMean, INTERVAL_CONFIDENCE), value: control }
      : undefined
  return {
    dimension,
    unit: 'similarity',
    direction: 'more_is_better',
    control,
    candidate,
    ...NO_TIME,
    pairs: { ab: ours.n, aa: own.n },
    difference: difference ?? null,
    relative: null,
    floor: floor ?? null,
    floorRelative: null,
    net: difference ?? null,
    margin: MARGINS[dimension],
    basis: difference && { difference, net: difference, margin: MARGINS[dimension] },
  }
}

interface PairedEstimates {
  readonly difference: Estimate | undefined
  readonly floor: Estimate | undefined
  readonly net: Estimate | undefined
}

function pairedNumbers(ab: PairedSums, aa: PairedSums): PairedEstimates {
  const [ours, own] = [meanOf(differencesOf(ab)), meanOf(differencesOf(aa))]
  const estimate = (mean: Mean | undefined) => mean && meanEstimate(mean, INTERVAL_CONFIDENCE)
  return {
    difference: estimate(ours),
    floor: estimate(own),
    net: ours && own && welchEstimate(ours, own, INTERVAL_CONFIDENCE),
  }
}

const meansOf = ({ n, control, candidate }: PairedSums) => ({
  control: ratio(control, n),
  candidate: ratio(candidate, n),
})

const asShare = (logs: Estimate | undefined): Estimate | null =>
  logs === undefined ? null : mapEstimate(logs, Math.expm1)

const totalOf = ({ neither, controlOnly, candidateOnly, both }: PairCounts): number =>
  neither + controlOnly + candidateOnly + both

/** Of what did not happen. */
const opposite = ({ neither, controlOnly, candidateOnly, both }: PairCounts): PairCounts => ({
  neither: both,
  controlOnly: candidateOnly,
  candidateOnly: controlOnly,
  both: neither,
})

const ratio = (sum: number, n: number): number | null => (n === 0 ? null : sum / n)
