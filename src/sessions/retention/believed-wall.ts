import type { Clock } from '../../core/clock.js'

const DAY_MS = 86_400_000
/** ms by which both clocks may differ after a day: a wall clock is set right by seconds, not by hours */
const DRIFT_MS = 3_600_000

/**
 * The wall clock, where it can be believed: one that jumps must not erase every conversation. It is believed while it is at
 * most a day beyond the newest turn; also later, once it has gone with the monotonic clock for a day.
 */
export class BelievedWall {
  #since: { readonly wall: number; readonly monotonic: number }

  constructor(private readonly clock: Clock) {
    this.#since = { wall: clock.wall(), monotonic: clock.monotonic() }
  }

  /**
   * Wall ms, or undefined if nothing may be erased by age.
   * @param newest wall ms of the newest turn; undefined: there is none
   */
  now(newest: number | undefined): number | undefined {
    const wall = this.clock.wall()
    const monotonic = this.clock.monotonic()
    const passed = monotonic - this.#since.monotonic
    const isSteady = Math.abs(wall - this.#since.wall - passed) <= DRIFT_MS
    if (!isSteady) this.#since = { wall, monotonic }
    if (newest === undefined || wall <= newest + DAY_MS) return wall
    return isSteady && passed >= DAY_MS ? wall : undefined
  }
}
