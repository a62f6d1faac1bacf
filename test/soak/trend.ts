import { LEAST_FREEDOM, studentQuantile } from '../../src/shadow/report/student-quantile.js'

/** One number at one time. */
export interface Point {
  /** s since the start of the run */
  readonly at: number
  readonly value: number
}

/** The growth of a series by a straight line through its block means. All rates are per hour. */
export type Trend =
  | { readonly kind: 'too_short'; readonly blocks: number }
  | {
      readonly kind: 'line'
      readonly blocks: number
      readonly perHour: number
      /** 95% interval of `perHour` */
      readonly low: number
      readonly high: number
    }

/** a line costs two degrees of freedom, and the quantile needs ten */
export const LEAST_BLOCKS = LEAST_FREEDOM + 2

const HOUR_S = 3600

/**
 * Pure. Least squares over the means of blocks of `blockS` s. Neighbouring samples are alike and follow the faults, so that
 * an interval from the samples themselves would be far too narrow; a block lasts one whole round of faults.
 */
export function trendOf(points: readonly Point[], blockS: number): Trend {
  const means = blockMeans(points, blockS)
  const count = means.length
  if (count < LEAST_BLOCKS) return { kind: 'too_short', blocks: count }
  const meanAt = mean(means.map(({ at }) => at))
  const meanValue = mean(means.map(({ value }) => value))
  const spread = sum(means.map(({ at }) => (at - meanAt) ** 2))
  const slope = sum(means.map(({ at, value }) => (at - meanAt) * (value - meanValue))) / spread
  const rest = sum(means.map(({ at, value }) => (value - meanValue - slope * (at - meanAt)) ** 2))
  const error = Math.sqrt(rest / (count - 2) / spread)
  const reach = studentQuantile(0.975, count - 2) * error
  return {
    kind: 'line',
    blocks: count,
    perHour: slope * HOUR_S,
    low: (slope - reach) * HOUR_S,
    high: (slope + reach) * HOUR_S,
  }
}

/** Flat: no growth is shown (the interval has 0 or less in it), or it is surely below the bound. */
export const isFlat = (
  { low, high }: { readonly low: number; readonly high: number },
  bound: number,
): boolean => low <= 0 || high <= bound

/** Only whole blocks: the last one, in which the run ended, is left out. */
function blockMeans(points: readonly Point[], blockS: number): Point[] {
  const first = points[0]
  const last = points.at(-1)
  if (first === undefined || last === undefined) return []
  const blocks = new Map<number, Point[]>()
  for (const point of points) {
    const block = Math.floor((point.at - first.at) / blockS)
    if (first.at + (block + 1) * blockS > last.at + 0.2 * blockS) break
    blocks.set(block, [...(blocks.get(block) ?? []), point])
  }
  return [...blocks.values()].map((some) => ({
    at: mean(some.map(({ at }) => at)),
    value: mean(some.map(({ value }) => value)),
  }))
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const mean = (values: readonly number[]): number => sum(values) / values.length
