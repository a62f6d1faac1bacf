/** a share that a number cannot tell from 1 any more is as far from it as the last one it can: z is finite, about 8 */
const LEAST_TAIL = Number.EPSILON / 4

/**
 * z with Φ(z) = p, for 0 < p ≤ 1, to seven digits: algorithm AS 241 (PPND7), M. J. Wichura, "The percentage points of
 * the normal distribution", Applied Statistics 37, 1988.
 */
export function normalQuantile(p: number): number {
  const q = p - 0.5
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q
    return (
      (q * polynomial(r, [3.3871327179, 50.434271938, 159.29113202, 59.10937472])) /
      polynomial(r, [1, 17.895169469, 78.757757664, 67.1875636])
    )
  }
  const tail = Math.sqrt(-Math.log(q < 0 ? p : Math.max(1 - p, LEAST_TAIL)))
  const z =
    tail <= 5
      ? polynomial(tail - 1.6, [1.4234372777, 2.75681539, 1.3067284816, 0.17023821103]) /
        polynomial(tail - 1.6, [1, 0.7370016425, 0.12021132975])
      : polynomial(tail - 5, [6.657905115, 3.081226386, 0.42868294337, 0.017337203997]) /
        polynomial(tail - 5, [1, 0.24197894225, 0.012258202635])
  return q < 0 ? -z : z
}

/** a₀ + a₁x + a₂x² + … */
export const polynomial = (x: number, coefficients: readonly number[]): number =>
  coefficients.reduceRight((sum, coefficient) => sum * x + coefficient, 0)
