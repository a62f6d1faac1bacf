import type { Bound } from '../retention.js'

/** Entries in the order they came, within their bound. */
export class MemoryEntries<T extends { readonly at: number }> {
  #entries: T[] = []

  constructor(
    /** wall ms from which ages count; undefined: none is too old */
    private readonly now: () => number | undefined,
    private readonly bound: Bound,
  ) {}

  add(entry: T): void {
    this.#entries.push(entry)
    // Cut by half at a time: moving all of them at each entry would cost as much as there are.
    if (this.#entries.length >= 2 * this.bound.count) this.#entries = this.all()
  }

  some(test: (entry: T) => boolean): boolean {
    return this.#entries.some(test)
  }

  /** Puts another in the place of the newest that passes the test; false if none does. */
  replace(test: (entry: T) => boolean, other: (entry: T) => T): boolean {
    const at = this.#entries.findLastIndex(test)
    const found = this.#entries[at]
    if (found === undefined) return false
    this.#entries[at] = other(found)
    return true
  }

  /** @returns how many there were */
  remove(test: (entry: T) => boolean): number {
    const kept = this.#entries.filter((entry) => !test(entry))
    const removed = this.#entries.length - kept.length
    this.#entries = kept
    return removed
  }

  all(): T[] {
    const oldest = (this.now() ?? Number.NEGATIVE_INFINITY) - this.bound.maxAgeMs
    const newest = this.#entries.slice(Math.max(this.#entries.length - this.bound.count, 0))
    return newest.filter(({ at }) => at >= oldest)
  }
}
