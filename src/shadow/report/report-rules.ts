import type { ShadowDimension, ShadowDirection, ShadowVerdict } from '../../protocol/shadow-report.js'
import { type Estimate, signOf } from './statistics.js'

/** Of a report without any real difference, at least this share says `better` or `worse` nowhere. */
export const REPORT_CONFIDENCE = 0.95

/**
 * Numbers that are tested: every dimension but the success rate, which is the error rate the other way round. By C. E.
 * Bonferroni's inequality (1936) each of them gets a tenth of the report's 5%, so that a report with ten chances to be wrong
 * is no more often wrong than one with a single one. Holm's steps would find a little more, but leave no intervals that agree
 * with the verdicts.
 */
const TESTS = 10
export const INTERVAL_CONFIDENCE = 1 - (1 - REPORT_CONFIDENCE) / TESTS

/** pairs of each kind below which nothing is decided: the intervals of skewed numbers do not hold yet */
export const LEAST_PAIRS = 30

/** What counts as the same: shares and similarities as they are, the rest as a part of the control's. */
export const MARGINS: Readonly<Record<ShadowDimension, number>> = {
  success_rate: 0.03,
  error_rate: 0.03,
  timeout_rate: 0.03,
  latency: 0.2,
  first_content: 0.2,
  length: 0.2,
  tokens: 0.2,
  text_similarity: 0.1,
  plan_similarity: 0.1,
  call_set_similarity: 0.1,
  call_order_similarity: 0.1,
}

/**
 * What nobody would notice, as a part of the margin: 2% of a latency. With very many pairs a difference of half a per cent
 * is proven too, and would make a report `worse` for nothing that anybody feels. Of rates there is no such part: each
 * failure is somebody's.
 */
const NEGLIGIBLE = 0.1

/** What a verdict rests on: the difference, the difference less the noise floor's, and what is still the same. */
export interface VerdictBasis {
  readonly difference: Estimate
  /** in the margin's unit */
  readonly net: Estimate
  readonly margin: number
  readonly isRate?: true
}

/**
 * `better` or `worse` when the interval of the difference excludes zero *and* that of the difference less the noise
 * floor's does, on the same side: what a second run does to the control itself is no difference between backends. `same` when
 * the latter lies within the margin (equivalence as D. J. Schuirmann, 1987), and in any case when it lies within what is
 * negligible. Else there is not enough data.
 */
export function verdictOn(
  basis: VerdictBasis | undefined,
  pairs: { readonly ab: number; readonly aa: number },
  direction: ShadowDirection,
): ShadowVerdict {
  if (basis === undefined || Math.min(pairs.ab, pairs.aa) < LEAST_PAIRS) return 'insufficient_data'
  const { net, margin, isRate } = basis
  if (isRate === undefined && isWithin(net, margin * NEGLIGIBLE)) return 'same'
  const side = signOf(basis.difference)
  if (side !== 0 && signOf(net) === side) return isBetter(side, direction) ? 'better' : 'worse'
  return isWithin(net, margin) ? 'same' : 'insufficient_data'
}

const isWithin = ({ low, high }: Estimate, most: number): boolean => low >= -most && high <= most

function isBetter(side: -1 | 1, direction: ShadowDirection): boolean {
  switch (direction) {
    case 'more_is_better':
      return side > 0
    case 'less_is_better':
      return side < 0
    case 'as_control':
      return false
  }
}

/** What users feel; tokens are a matter of money, and how alike answers are is for people to weigh. */
export const DECISIVE: readonly ShadowDimension[] = ['error_rate', 'timeout_rate', 'latency', 'first_content']

/**
 * Of all dimensions, by those that users feel: one that is worse makes it `worse`, else one that is better `better`;
 * `same` needs all of them to be.
 */
export function overallVerdict(
  dimensions: readonly { readonly dimension: ShadowDimension; readonly verdict: ShadowVerdict }[],
): ShadowVerdict {
  const verdicts = dimensions
    .filter(({ dimension }) => DECISIVE.includes(dimension))
    .map(({ verdict }) => verdict)
  if (verdicts.includes('worse')) return 'worse'
  if (verdicts.includes('better')) return 'better'
  return verdicts.every((verdict) => verdict === 'same') ? 'same' : 'insufficient_data'
}
