/** Requests that ended, by endpoint and cause. Both come from closed lists, so that their number stays small. */
export class RequestCounts {
  readonly #counts = new Map<string, Map<string, number>>()

  constructor(endpoints: readonly { readonly name: string }[]) {
    // Known from the first scrape on, so that a rate over them is 0 and not missing.
    for (const { name } of endpoints) this.#counts.set(name, new Map([['ok', 0]]))
  }

  /** turns that were refused before their stream was open */
  refused = 0

  add(endpoint: string, cause: string): void {
    const causes = this.#counts.get(endpoint)
    causes?.set(cause, (causes.get(cause) ?? 0) + 1)
  }

  list(): readonly (readonly [endpoint: string, cause: string, count: number])[] {
    return [...this.#counts].flatMap(([endpoint, causes]) =>
      [...causes].map(([cause, count]) => [endpoint, cause, count] as const),
    )
  }
}
