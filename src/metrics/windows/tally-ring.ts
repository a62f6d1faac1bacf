import type { Tally } from './windows.js'

const SLICES = 128
/** A slice: its number (NaN: never used), total, errors, timeouts, sum of latencies in ms, the used slice before it (NaN: none). */
const FIELDS = 6

/** A tally that is being added up. */
export class TallySum implements Tally {
  total = 0
  errors = 0
  timeouts = 0
  latencySumMs = 0
}

/**
 * The newest 128 slices of time of one width. Slice n holds what was recorded in [n × width, (n + 1) × width); it carries its
 * number, so that time passes without anyone clearing what is old.
 */
export class TallyRing {
  readonly #cells = new Float64Array(SLICES * FIELDS).fill(Number.NaN)
  #newest = Number.NaN

  constructor(readonly widthMs: number) {}

  /** How far back it is whole, at any moment. */
  get reachMs(): number {
    return (SLICES - 1) * this.widthMs
  }

  /** The number of the slice that holds this instant (monotonic ms). */
  sliceOf(at: number): number {
    return Math.floor(at / this.widthMs)
  }

  add(now: number, error: 0 | 1, timeout: 0 | 1, latencyMs: number): void {
    const cells = this.#cells
    const slice = this.sliceOf(now)
    const at = cellOf(slice)
    if (cells[at] !== slice) {
      cells[at] = slice
      for (let field = 1; field < FIELDS; field += 1) cells[at + field] = 0
      // Ever older ones, so that a walk along them ends.
      cells[at + 5] = this.#newest < slice ? this.#newest : Number.NaN
      this.#newest = slice
    }
    cells[at + 1] = (cells[at + 1] ?? 0) + 1
    cells[at + 2] = (cells[at + 2] ?? 0) + error
    cells[at + 3] = (cells[at + 3] ?? 0) + timeout
    cells[at + 4] = (cells[at + 4] ?? 0) + latencyMs
  }

  /** The number of the newest slice that was ever used; NaN: none was. */
  get newestUsed(): number {
    return this.#newest
  }

  /** The number of the used slice before a used one: most slices of little traffic hold nothing. NaN: none is known. */
  usedBefore(slice: number): number {
    const at = cellOf(slice)
    return this.#cells[at] === slice ? (this.#cells[at + 5] ?? Number.NaN) : Number.NaN
  }

  /** Adds what is known of one slice. */
  sumUp(slice: number, sum: TallySum): void {
    const cells = this.#cells
    const at = cellOf(slice)
    if (cells[at] !== slice) return
    sum.total += cells[at + 1] ?? 0
    sum.errors += cells[at + 2] ?? 0
    sum.timeouts += cells[at + 3] ?? 0
    sum.latencySumMs += cells[at + 4] ?? 0
  }

  clear(): void {
    this.#cells.fill(Number.NaN)
    this.#newest = Number.NaN
  }
}

// SLICES is a power of two, so that this is the remainder for numbers of any size and sign.
const cellOf = (slice: number): number => (slice & (SLICES - 1)) * FIELDS
