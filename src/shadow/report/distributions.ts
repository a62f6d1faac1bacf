import type { KindSums } from '../../journal/comparison.js'
import type { TimeSums } from '../../journal/time-sums.js'
import { type ShadowReport, TIME_BIN_WIDTH, type TimeDistribution } from '../../protocol/shadow-report.js'
import { controlShares } from './kaplan-meier.js'

/** bins of one distribution: what a reader can still tell apart */
const MOST_BINS = 40

/** How the times of both sides are spread, over the pairs of both backends. */
export const distributionsOf = ({ times }: Pick<KindSums, 'times'>): ShadowReport['distributions'] => [
  distributionOf('latency', times.latency),
  distributionOf('first_content', times.firstContent),
]

/**
 * Equal widths on the scale of ln ms, for times span orders of magnitude: the journal's bins, as many of them in one as leave
 * at most 40. Where users left, the control's shares are those of the Kaplan–Meier curve (kaplan-meier.ts).
 */
function distributionOf(dimension: TimeDistribution['dimension'], sums: TimeSums): TimeDistribution {
  const { shares, beyond } = controlShares(sums)
  const candidates = sums.candidate.reduce((sum, { n }) => sum + n, 0)
  const all = [...shares, ...sums.candidate].map(({ bin }) => bin)
  if (all.length === 0) return { dimension, bins: [], controlBeyond: 0 }
  const [first, last] = [Math.min(...all), Math.max(...all)]
  let width = 5
  while (Math.floor(last / width) - Math.floor(first / width) >= MOST_BINS) width *= 2
  const begin = Math.floor(first / width)
  const edge = (bin: number): number => Number(Math.exp(bin * width * TIME_BIN_WIDTH).toPrecision(4))
  const bins = Array.from({ length: Math.floor(last / width) - begin + 1 }, (_, at) => ({
    fromMs: edge(begin + at),
    toMs: edge(begin + at + 1),
    control: 0,
    candidate: 0,
  }))
  const binAt = (bin: number) => bins[Math.floor(bin / width) - begin]
  for (const { bin, share } of shares) {
    const into = binAt(bin)
    if (into !== undefined) into.control += share
  }
  for (const { bin, n } of sums.candidate) {
    const into = binAt(bin)
    if (into !== undefined) into.candidate += n / candidates
  }
  return { dimension, bins, controlBeyond: beyond }
}
