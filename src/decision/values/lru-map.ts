/** A map that holds at most `capacity` entries and forgets the one not used for longest. */
export class LruMap<K, V> {
  // A Map iterates in the order of insertion, so the first key is the one not used for longest.
  readonly #entries = new Map<K, V>()

  constructor(private readonly capacity: number) {}

  get size(): number {
    return this.#entries.size
  }

  /** Reads, and counts as a use. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key)
    if (value === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, value)
    return value
  }

  set(key: K, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size <= this.capacity) return
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest)
      return
    }
  }
}
