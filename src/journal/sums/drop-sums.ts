import type { DropSums } from '../comparison.js'

/** Adds up counts of dropped shadows; what this version does not understand is passed over. */
export class DropSummer {
  readonly #reasons = new Map<string, number>()
  readonly #kinds = { ab: 0, aa: 0 }

  /** @param facts `[reason, turns, kind]` */
  add(facts: unknown): void {
    if (!Array.isArray(facts)) return
    const [reason, turns, kind]: readonly unknown[] = facts
    if (typeof reason !== 'string' || typeof turns !== 'number') return
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + turns)
    if (kind === 'ab' || kind === 'aa') this.#kinds[kind] += turns
  }

  sums(): DropSums {
    return { reasons: Object.fromEntries(this.#reasons), kinds: { ...this.#kinds } }
  }
}
