import type { KindSums, PairCounts, PairedSums, Similarity } from '../journal/comparison.js'
import type { ShadowDimension, ShadowDimensionReport, ShadowDirection } from '../protocol/shadow-report.js'
import { INTERVAL_CONFIDENCE, MARGINS, type VerdictBasis } from './report-rules.js'
import {
  bounded,
  differenceOfEstimates,
  differencesOf,
  type Estimate,
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
    timeDimension('latency', ab.paired.latency, ab.paired.lnLatency, aa.paired.latency, aa.paired.lnLatency),
    timeDimension(
      'first_content',
      ab.paired.firstContent,
      ab.paired.lnFirstContent,
      aa.paired.firstContent,
      aa.paired.lnFirstContent,
    ),
    numberDimension('length', 'as_control', 'characters', ab.paired.characters, aa.paired.characters),
    numberDimension('tokens', 'less_is_better', 'tokens', ab.paired.tokens, aa.paired.tokens),
    similarityDimension('text_similarity', 'text', ab, aa),
    similarityDimension('plan_similarity', 'plan', ab, aa),
    similarityDimension('call_set_similarity', 'callSet', ab, aa),
    similarityDimension('call_order_similarity', 'callOrder', ab, aa),
  ]
}

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

/** Times are skewed and span orders of magnitude: the verdict rests on the mean of their log ratios. */
function timeDimension(
  dimension: ShadowDimension,
  ab: PairedSums,
  lnAb: PairedSums,
  aa: PairedSums,
  lnAa: PairedSums,
): MeasuredDimension {
  const { difference, floor, net } = pairedNumbers(lnAb, lnAa)
  const margin = MARGINS[dimension]
  return {
    dimension,
    unit: 'ms',
    direction: 'less_is_better',
    ...meansOf(ab),
    pairs: { ab: ab.n, aa: aa.n },
    difference: pairedNumbers(ab, aa).difference ?? null,
    relative: asShare(difference),
    floor: pairedNumbers(aa, aa).difference ?? null,
    floorRelative: asShare(floor),
    net: asShare(net),
    margin,
    basis: difference &&
      net && {
        difference,
        net: mapEstimate(net, Math.expm1),
        margin,
      },
  }
}

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
