import type { Clock } from '../core/clock.js'

const DAY_MS = 86_400_000

/**
 * The instant from which the age of entries counts, where it can be believed: a wall clock that jumps must not delete the
 * journal. It is not believed while it is more than a day beyond the newest entry, nor within a day of a jump of more than a
 * day (seen by the monotonic clock), for entries written meanwhile carry the wrong time too.
 */
export class AgeReference {
  readonly #clock: Clock
  /** the wall time that was believed last, and when */
  #anchor: { readonly wall: number; readonly monotonic: number }
  /** monotonic ms since which the wall clock is off, and to which side */
  #off: { readonly since: number; readonly isAhead: boolean } | undefined

  /** @param newest `at` (wall ms) of the newest entry there is when the process starts */
  constructor(clock: Clock, newest: number | undefined) {
    this.#clock = clock
    const wall = clock.wall()
    this.#anchor = { wall: Math.min(wall, newest ?? wall), monotonic: clock.monotonic() }
  }

  /**
   * Wall ms, or undefined if nothing may be deleted by age.
   * @param newest `at` of the newest entry now
   */
  now(newest: number | undefined): number | undefined {
    const wall = this.#clock.wall()
    if (!this.#isBelieved(wall) || wall > (newest ?? wall) + DAY_MS) return undefined
    return wall
  }

  #isBelieved(wall: number): boolean {
    const monotonic = this.#clock.monotonic()
    const expected = this.#anchor.wall + (monotonic - this.#anchor.monotonic)
    if (Math.abs(wall - expected) > DAY_MS) {
      const isAhead = wall > expected
      const off = this.#off?.isAhead === isAhead ? this.#off : { since: monotonic, isAhead }
      this.#off = off
      if (monotonic - off.since < DAY_MS) return !isAhead
    }
    this.#off = undefined
    this.#anchor = { wall, monotonic }
    return true
  }
}
