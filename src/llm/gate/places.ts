/** waiting turns for each place: more would wait longer than anybody reads on */
const WAITING_PER_PLACE = 2
/** of the places, which shadows take at most while users take none */
const SHADOWS_SHARE = 0.75

/** How many requests run at each endpoint; what an endpoint without `maxConcurrent` takes is not bounded here. */
export class Places {
  readonly #most: ReadonlyMap<string, number>
  readonly #taken = new Map<string, number>()

  constructor(endpoints: readonly { readonly name: string; readonly maxConcurrent?: number }[]) {
    this.#most = new Map(
      endpoints.flatMap(({ name, maxConcurrent }) =>
        maxConcurrent === undefined ? [] : [[name, maxConcurrent] as const],
      ),
    )
  }

  /** requests at the endpoint now */
  taken(name: string): number {
    return this.#taken.get(name) ?? 0
  }

  isFree(name: string): boolean {
    return this.taken(name) < (this.#most.get(name) ?? Number.POSITIVE_INFINITY)
  }

  /** Shadows leave a quarter of the places to the users, at least one. */
  isFreeForShadow(name: string): boolean {
    const most = this.#most.get(name)
    return most === undefined || this.taken(name) < Math.min(most - 1, Math.floor(most * SHADOWS_SHARE))
  }

  /** Only if it is free. */
  take(name: string): void {
    this.#taken.set(name, this.taken(name) + 1)
  }

  giveBack(name: string): void {
    this.#taken.set(name, this.taken(name) - 1)
  }

  /** all places of a route */
  most(route: readonly string[]): number {
    return route.reduce((sum, name) => sum + (this.#most.get(name) ?? 0), 0)
  }

  /** turns that may wait for the endpoints of a route */
  queueBound(route: readonly string[]): number {
    return this.most(route) * WAITING_PER_PLACE
  }
}
