/** Adds up counts of dropped shadows by reason; what this version does not understand is passed over. */
export class DropSummer {
  readonly #sums = new Map<string, number>()

  /** @param facts `[reason, turns]` */
  add(facts: unknown): void {
    if (!Array.isArray(facts)) return
    const [reason, turns]: readonly unknown[] = facts
    if (typeof reason !== 'string' || typeof turns !== 'number') return
    this.#sums.set(reason, (this.#sums.get(reason) ?? 0) + turns)
  }

  sums(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#sums)
  }
}
