import { normalQuantile } from '../../core/numbers/normal-quantile.js'
import type { Assigned } from '../../journal/comparison.js'

/**
 * Whether the pairs are still the sample that was drawn. Where one kind goes missing more often than the other, what is left is
 * a choice, and no interval knows of it (sample ratio mismatch: A. Fabijan et al., "Diagnosing sample ratio mismatch in
 * online controlled experiments", KDD 2019). By K. Pearson's χ² (1900) with one degree of freedom.
 */

/** `aa_share`: A/A among the pairs, against the percentages they were drawn by. `lost`: A/A against A/B among the selected. */
export type RatioCheckName = 'aa_share' | 'lost'

export interface RatioCheck {
  readonly check: RatioCheckName
  readonly chiSquare: number
  /** beyond this something is wrong */
  readonly critical: number
  /** 0 to 1: A/A among the pairs, and how many were to be expected; or of A/B and of A/A turns those without a comparison */
  readonly shares: readonly [number, number]
}

export interface Counts {
  readonly ab: number
  readonly aa: number
}

/**
 * Chance raises such an alarm in one of a thousand good reports (R. Kohavi, D. Tang and Y. Xu, "Trustworthy online controlled
 * experiments", 2020, chapter 21). χ² with one degree of freedom is the square of a normal number: 10.83.
 */
const CHANCE = 0.001
export const CRITICAL = normalQuantile(1 - CHANCE / 2) ** 2

/** expected turns in each cell below which χ² does not hold (W. G. Cochran, "Some methods for strengthening the common χ² tests", 1954) */
const LEAST_EXPECTED = 5

/** The checks for which there is enough; one without `chiSquare > critical` is passed. */
export function ratioChecks(assigned: Assigned, compared: Counts, dropped: Counts): RatioCheck[] {
  return [aaShare(assigned), lost(compared, dropped)].filter((check) => check !== undefined)
}

export const isMismatch = ({ chiSquare, critical }: RatioCheck): boolean => chiSquare > critical

/** Each pair was drawn by the percentage of its own moment, so that a setting that was changed raises no alarm. */
function aaShare({ n, aa, percent, variance }: Assigned): RatioCheck | undefined {
  const expected = percent / 100
  if (Math.min(expected, n - expected) < LEAST_EXPECTED || variance === 0) return undefined
  const chiSquare = (aa - expected) ** 2 / (variance / 10_000)
  return { check: 'aa_share', chiSquare, critical: CRITICAL, shares: [aa / n, expected / n] }
}

/** Two by two: A/B and A/A, compared and dropped. */
function lost(compared: Counts, dropped: Counts): RatioCheck | undefined {
  const [ab, aa] = [compared.ab + dropped.ab, compared.aa + dropped.aa]
  const [kept, gone] = [compared.ab + compared.aa, dropped.ab + dropped.aa]
  const n = kept + gone
  if (n === 0 || (Math.min(ab, aa) * Math.min(kept, gone)) / n < LEAST_EXPECTED) return undefined
  const cross = compared.ab * dropped.aa - compared.aa * dropped.ab
  const chiSquare = (n * cross ** 2) / (ab * aa * kept * gone)
  return { check: 'lost', chiSquare, critical: CRITICAL, shares: [dropped.ab / ab, dropped.aa / aa] }
}
