/** The p-quantile (0 to 1) by the nearest rank. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(p * sorted.length) - 1))] ?? Number.NaN
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)

/** One line of the report: ours beside the floor of the same run. */
export interface Row {
  readonly what: string
  readonly unit: string
  readonly floor: number
  readonly ours: number
  readonly ratio: number
  readonly target: string
  readonly met: boolean
}

/** @param most times the floor; absent: told without a target */
export function row(what: string, unit: string, floor: number, ours: number, most?: number): Row {
  const ratio = ours / floor
  if (most === undefined) return { what, unit, floor, ours, ratio, target: '', met: true }
  return { what, unit, floor, ours, ratio, target: `≤ ${most} ×`, met: ratio <= most }
}
