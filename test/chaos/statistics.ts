/** One number that was measured several times, in ms. */
export interface Measure {
  readonly what: string
  readonly target: string
  readonly values: readonly number[]
  /** ms; undefined where there is no target */
  readonly most?: number
  /** beside the number */
  readonly note: string
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** Met by every single run, not by the middle one. */
export const isMet = ({ values, most }: Measure): boolean =>
  values.length > 0 && (most === undefined || Math.max(...values) <= most)
