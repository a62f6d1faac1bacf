/** weight of the newest answer */
const WEIGHT = 0.1
const LEAST_SECONDS = 1
const MOST_SECONDS = 30

/** How long requests hold their places, averaged over the latest ones. */
export class AverageHold {
  #ms: number | undefined

  add(ms: number): void {
    this.#ms = this.#ms === undefined ? ms : this.#ms + (ms - this.#ms) * WEIGHT
  }

  /** s until `waiting` turns have had one of `places`, 1 to 30 */
  secondsFor(waiting: number, places: number): number {
    const seconds = (waiting / Math.max(1, places)) * ((this.#ms ?? 0) / 1000)
    return Math.min(MOST_SECONDS, Math.max(LEAST_SECONDS, Math.ceil(seconds)))
  }
}
