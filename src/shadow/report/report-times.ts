import type { PairedSums } from '../../journal/comparison.js'
import type { TimeSums } from '../../journal/time-sums.js'
import {
  type CensoredDifference,
  censoredDifference,
  censoredIn,
  endedIn,
  horizonOf,
  longestCandidate,
} from './kaplan-meier.js'
import { meansOf, pairedNumbers } from './paired-numbers.js'
import { INTERVAL_CONFIDENCE } from './report-rules.js'
import { type Estimate, LEAST_SAMPLE, type Mean, meanEstimate, welchEstimate } from './statistics.js'

/** One time of both kinds of pairs; undefined if there are too few. */
export interface MeasuredTimes {
  readonly means: { readonly control: number | null; readonly candidate: number | null }
  readonly pairs: { readonly ab: number; readonly aa: number }
  readonly difference: Estimate | undefined
  /** of ln ms, as `floorRelative` and `net` are */
  readonly relative: Estimate | undefined
  readonly floor: Estimate | undefined
  readonly floorRelative: Estimate | undefined
  readonly net: Estimate | undefined
}

/** Where all controls ended by themselves: paired, on the scale of ms and of ln ms. */
export function wholeTimes(
  ab: PairedSums,
  lnAb: PairedSums,
  aa: PairedSums,
  lnAa: PairedSums,
): MeasuredTimes {
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
export function censoredTimes(ab: TimeSums, aa: TimeSums): MeasuredTimes {
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

/** Undefined if too few controls ended by themselves. */
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
