/** Of so many good answers the middle one is usual: a slow one among them (a pause of the runtime, its first one) is not. */
const KEPT = 3

/** How long the runtime usually takes to say that it is well. */
export class UsualTime {
  /** of the newest answers, ms, oldest first */
  #newest: readonly number[] = []

  record(tookMs: number): void {
    this.#newest = [...this.#newest, tookMs].slice(-KEPT)
  }

  /** The slower one of two; 0 where nothing is known. */
  get ms(): number {
    const sorted = [...this.#newest].sort((a, b) => a - b)
    return sorted[Math.floor(sorted.length / 2)] ?? 0
  }
}
