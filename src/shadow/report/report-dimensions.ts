import type {
  KindSums,
  PairCounts,
  PairedDimension,
  PairedSums,
  Similarity,
  TimeDimension,
} from '../../journal/comparison.js'
import type { ShadowDimension, ShadowDimensionReport, ShadowDirection } from '../../protocol/shadow-report.js'
import { candidateQuantile, censoredIn, controlQuantile } from './kaplan-meier.js'
import { meansOf, pairedNumbers, ratio } from './paired-numbers.js'
import { INTERVAL_CONFIDENCE, MARGINS, type VerdictBasis } from './report-rules.js'
import { censoredTimes, wholeTimes } from './report-times.js'
import {
  bounded,
  differenceOfEstimates,
  type Estimate,
  mapEstimate,
  meanEstimate,
  meanOf,
  pairedShareEstimate,
  welchEstimate,
  within,
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
  // Both kinds are drawn from the same turns: less the floor, it is a share less a share.
  const net = difference && floor && within(differenceOfEstimates(difference, floor), -1, 1)
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
    welch && control !== null && candidate !== null
      ? within({ ...welch, value: candidate - control }, -1, 1)
      : undefined
  const floor =
    ownMean && control !== null
      ? within({ ...meanEstimate(ownMean, INTERVAL_CONFIDENCE), value: control }, 0, 1)
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
