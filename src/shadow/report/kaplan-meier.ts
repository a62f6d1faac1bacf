import type { CandidateBin, TimeBin, TimeSums } from '../../journal/time-sums.js'
import type { Mean } from './statistics.js'

/**
 * Times of which some are only known to be longer (the user left): the estimate of the share that takes longer than t by E. L.
 * Kaplan and P. Meier, "Nonparametric estimation from incomplete observations", Journal of the American Statistical
 * Association 53, 1958. It holds where users leave for how long they have waited, not for how long they would have had to.
 */

/** The scale on which a mean is taken. */
export type Scale = 'ms' | 'ln'

/** The curve falls here, from `before` to `after`. */
interface Step {
  /** mean of the times of this bin */
  readonly value: number
  readonly before: number
  readonly after: number
  /** ended here, and all that had not ended nor left before */
  readonly ended: number
  readonly atRisk: number
  readonly bin: TimeBin
}

interface Curve {
  readonly steps: readonly Step[]
  readonly bins: readonly TimeBin[]
  readonly n: number
  /** share that outlasted all that was seen; 0 if the longest time seen is a whole one */
  readonly tail: number
  /** the longest time seen */
  readonly longest: number
}

function curveOf(bins: readonly TimeBin[], scale: Scale): Curve {
  const n = bins.reduce((sum, bin) => sum + bin.n, 0)
  const steps: Step[] = []
  let atRisk = n
  let share = 1
  let longest = Number.NEGATIVE_INFINITY
  for (const bin of bins) {
    const value = bin[scale].control / bin.n
    longest = Math.max(longest, value)
    if (!bin.isCensored) {
      const after = atRisk === bin.n ? 0 : share * (1 - bin.n / atRisk)
      steps.push({ value, before: share, after, ended: bin.n, atRisk, bin })
      share = after
    }
    atRisk -= bin.n
  }
  return { steps, bins, n, tail: share, longest }
}

/** Ended by themselves. */
export const endedIn = ({ pairs }: TimeSums): number =>
  pairs.reduce((sum, { n, isCensored }) => (isCensored ? sum : sum + n), 0)

/** Left by their user. */
export const censoredIn = ({ pairs }: TimeSums): number =>
  pairs.reduce((sum, { n, isCensored }) => (isCensored ? sum + n : sum), 0)

/**
 * The time up to which both samples can be compared: the shortest of the longest ones seen, where a share outlasted those.
 * Infinite where all of both is known.
 */
export function horizonOf(scale: Scale, ...samples: readonly TimeSums[]): number {
  const ends = samples.map(({ pairs }) => curveOf(pairs, scale))
  return Math.min(...ends.map(({ tail, longest }) => (tail > 0 ? longest : Number.POSITIVE_INFINITY)))
}

/** A mean difference candidate − control, and what is known about its two sides. */
export interface CensoredDifference {
  readonly control: number
  readonly candidate: number
  readonly difference: Mean
  /** share of the controls that outlasted `horizon`: their time counts as `horizon`, and is at least that */
  readonly tail: number
  /** the longest time that counts */
  readonly horizon: number
}

/**
 * The mean of candidates less the mean of controls, times beyond `horizon` counted as `horizon` (the restricted mean; at the
 * longest time seen the tail rule of B. Efron, "The two sample problem with censored data", Fifth Berkeley Symposium, 1967).
 * The variance is that of the influence function (N. Reid, "Influence functions for censored data", Annals of
 * Statistics 9, 1981), taken pair by pair, so that what a hard turn does to both sides cancels. Undefined below two pairs.
 */
export function censoredDifference(
  { pairs }: TimeSums,
  scale: Scale,
  horizon: number,
): CensoredDifference | undefined {
  const curve = curveOf(pairs, scale)
  const { n } = curve
  if (n < 2) return undefined
  const end = Math.min(horizon, curve.longest)
  const candidate = pairs.reduce((sum, bin) => sum + bin[scale].candidate, 0) / n
  const { mean, influence } = restrictedMean(curve, end)
  let squares = 0
  for (const bin of pairs) {
    const expected = candidate + (influence.get(bin) ?? 0)
    const { candidate: sum, candidateSquares } = bin[scale]
    squares += candidateSquares - 2 * expected * sum + bin.n * expected * expected
  }
  const variance = Math.max(squares, 0) / (n - 1) / n
  const reached = curve.steps.filter(({ value }) => value <= end).at(-1)
  return {
    control: mean,
    candidate,
    difference: { n, mean: candidate - mean, variance },
    tail: reached?.after ?? 1,
    horizon: end,
  }
}

/** The area under the curve up to `end`, and by how much each observation of a bin moves it. */
function restrictedMean(
  { steps, bins, n }: Curve,
  end: number,
): { mean: number; influence: ReadonlyMap<TimeBin, number> } {
  const within = steps.filter(({ value }) => value < end)
  const last = within.at(-1)
  const mean =
    within.reduce((sum, { value, before, after }) => sum + value * (before - after), 0) +
    end * (last?.after ?? 1)
  const influence = new Map<TimeBin, number>()
  const areas = areasBehind(within, end)
  let hazard = 0
  let next = 0
  for (const bin of bins) {
    const step = within[next]
    if (step?.bin !== bin) {
      influence.set(bin, hazard)
      continue
    }
    const left = step.atRisk - step.ended
    // Where nobody is left behind this step, there is no area behind it either.
    const weight = left === 0 ? 0 : ((areas[next] ?? 0) * n) / left
    hazard += (weight * step.ended) / step.atRisk
    influence.set(bin, hazard - weight)
    next += 1
  }
  return { mean, influence }
}

/** Behind each step, up to `end`. */
function areasBehind(steps: readonly Step[], end: number): number[] {
  const areas: number[] = []
  let area = 0
  let right = end
  for (const { value, after } of [...steps].reverse()) {
    area += after * (right - value)
    right = value
    areas.push(area)
  }
  return areas.reverse()
}

/** ms that the share `p` (0 to 1) of the controls did not outlast; undefined if so many users left that nobody knows. */
export function controlQuantile({ pairs }: TimeSums, p: number): number | undefined {
  const { steps } = curveOf(pairs, 'ln')
  const step = steps.find(({ after }) => after <= 1 - p + ROUNDING)
  return step && Math.exp(step.value)
}

/** The share of the controls that ended in each bin, and the share that outlasted all that was seen. */
export function controlShares({ pairs }: TimeSums): {
  readonly shares: readonly { readonly bin: number; readonly share: number }[]
  readonly beyond: number
} {
  if (pairs.length === 0) return { shares: [], beyond: 0 }
  const { steps, tail } = curveOf(pairs, 'ln')
  return {
    shares: steps.map(({ bin, before, after }) => ({ bin: bin.bin, share: before - after })),
    beyond: tail,
  }
}

/** ms that the share `p` of the candidates did not outlast; undefined if there are none. */
export function candidateQuantile({ candidate }: TimeSums, p: number): number | undefined {
  let left = candidate.reduce((sum, { n }) => sum + n, 0) * p - ROUNDING
  const found = candidate.find((bin: CandidateBin) => {
    left -= bin.n
    return left <= 0
  })
  return found && Math.exp(found.ln / found.n)
}

/** ln ms of the slowest candidates; undefined if there are none */
export function longestCandidate({ candidate }: TimeSums): number | undefined {
  const last = candidate.at(-1)
  return last && last.ln / last.n
}

/** what products of shares may be off */
const ROUNDING = 1e-9
