import type { Clock } from '../clock.js'

/** ms for which a database that failed is left alone */
const REST_MS = 5_000

/** Work that can do without its database, of either kind: after a fault, the database is left alone for a while. */
export class DatabaseRest {
  #until = Number.NEGATIVE_INFINITY
  #closed = false

  constructor(
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly onFault: (error: unknown) => void,
  ) {}

  /** Undefined where the database does not answer, and while it is left alone. Never rejects. */
  async tried<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.#closed || this.clock.monotonic() < this.#until) return undefined
    try {
      return await work()
    } catch (thrown) {
      this.#until = this.clock.monotonic() + REST_MS
      if (!this.#closed) this.onFault(thrown)
      return undefined
    }
  }

  /** The next work is tried, even shortly after a fault. */
  end(): void {
    this.#until = Number.NEGATIVE_INFINITY
  }

  /** Nothing is tried after this, and a fault of work under way is not told. */
  close(): void {
    this.#closed = true
  }
}
