/** Of so many good answers the middle one is usual; at the shipped interval those of a quarter of a minute. */
const KEPT = 15
/** The first good ones in a row do not count: a runtime that just hung works off what waited, one that just started is slow. */
const SETTLING = 3

/** How long the runtime usually takes to say that it is well. */
export class UsualTime {
  /** of the newest answers, ms, oldest first */
  #newest: readonly number[] = []

  /** @param goodInARow good answers right before this one */
  record(tookMs: number, goodInARow: number): void {
    if (goodInARow >= SETTLING) this.#newest = [...this.#newest, tookMs].slice(-KEPT)
  }

  /** The faster one of two; 0 where nothing is known. */
  get ms(): number {
    const sorted = [...this.#newest].sort((a, b) => a - b)
    return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
  }
}
