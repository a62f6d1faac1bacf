import { normalQuantile, polynomial } from '../../core/numbers/normal-quantile.js'

/** degrees of freedom from which {@link studentQuantile} holds */
export const LEAST_FREEDOM = 10

/**
 * t with P(T ≤ t) = p for Student's distribution, `freedom` ≥ {@link LEAST_FREEDOM} (also broken ones, as Welch's are),
 * to four digits at 10 and six from 30: the asymptotic expansion 26.7.5 of M. Abramowitz and I. A. Stegun, "Handbook of
 * Mathematical Functions", 1964.
 * @throws RangeError below that
 */
export function studentQuantile(p: number, freedom: number): number {
  if (!(freedom >= LEAST_FREEDOM)) throw new RangeError(`too few degrees of freedom: ${freedom}`)
  const z = normalQuantile(p)
  const square = z * z
  return polynomial(1 / freedom, [
    z,
    (z * polynomial(square, [1, 1])) / 4,
    (z * polynomial(square, [3, 16, 5])) / 96,
    (z * polynomial(square, [-15, 17, 19, 3])) / 384,
    (z * polynomial(square, [-945, -1920, 1482, 776, 79])) / 92_160,
  ])
}
