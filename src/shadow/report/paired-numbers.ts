import type { PairedSums } from '../../journal/comparison.js'
import { INTERVAL_CONFIDENCE } from './report-rules.js'
import { differencesOf, type Estimate, type Mean, meanEstimate, meanOf, welchEstimate } from './statistics.js'

export interface PairedEstimates {
  readonly difference: Estimate | undefined
  readonly floor: Estimate | undefined
  readonly net: Estimate | undefined
}

/** The mean difference of each kind of pairs, and the one less the other. */
export function pairedNumbers(ab: PairedSums, aa: PairedSums): PairedEstimates {
  const [ours, own] = [meanOf(differencesOf(ab)), meanOf(differencesOf(aa))]
  const estimate = (mean: Mean | undefined) => mean && meanEstimate(mean, INTERVAL_CONFIDENCE)
  return {
    difference: estimate(ours),
    floor: estimate(own),
    net: ours && own && welchEstimate(ours, own, INTERVAL_CONFIDENCE),
  }
}

/** Of both sides; null without a pair. */
export const meansOf = ({ n, control, candidate }: PairedSums) => ({
  control: ratio(control, n),
  candidate: ratio(candidate, n),
})

export const ratio = (sum: number, n: number): number | null => (n === 0 ? null : sum / n)
