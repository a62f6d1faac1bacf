/** Entries that wait to be written, oldest first. The higher its rank, the longer an entry is kept when too many wait. */
export class WaitingEntries<T> {
  readonly #entries: { readonly entry: T; readonly rank: number }[] = []

  get size(): number {
    return this.#entries.length
  }

  push(entry: T, rank: number): void {
    this.#entries.push({ entry, rank })
  }

  /** To the front. They are never dropped to make room. */
  putBack(entries: readonly T[]): void {
    this.#entries.unshift(...entries.map((entry) => ({ entry, rank: Number.POSITIVE_INFINITY })))
  }

  /** Drops one entry below this rank: the newest of the lowest rank. False if there is none. */
  makeRoom(rank: number): boolean {
    let victim = -1
    let lowest = rank
    for (let at = this.#entries.length - 1; at >= 0 && lowest > 0; at -= 1) {
      const found = this.#entries[at]?.rank ?? lowest
      if (found >= lowest) continue
      lowest = found
      victim = at
    }
    if (victim >= 0) this.#entries.splice(victim, 1)
    return victim >= 0
  }

  /** How many entries make a batch: up to and including the one with which their weight reaches `most`. */
  countOf(most: number, weight: (entry: T) => number): number {
    let left = most
    const end = this.#entries.findIndex(({ entry }) => {
      left -= weight(entry)
      return left <= 0
    })
    return end < 0 ? this.#entries.length : end + 1
  }

  first(count: number): T[] {
    return this.#entries.slice(0, count).map(({ entry }) => entry)
  }

  take(count: number): T[] {
    return this.#entries.splice(0, count).map(({ entry }) => entry)
  }
}
