import type { Clock, Timer } from '../clock.js'

/** ms between two looks whether the server is back */
const EVERY_MS = 500

/**
 * Whether the server answers. After a fault of the connection, calls are refused at once instead of each waiting for its deadline, until
 * a look of our own finds the server.
 */
export class Reachability {
  #fault: { readonly error: unknown } | undefined
  #timer: Timer | undefined
  #looking: Promise<void> | undefined
  #closed = false

  /** @param look one short connection; rejects where there is none */
  constructor(
    private readonly look: () => Promise<void>,
    private readonly clock: Clock,
  ) {}

  /** What the last try met, while the server does not answer. */
  get fault(): { readonly error: unknown } | undefined {
    return this.#fault
  }

  failed(error: unknown): void {
    if (this.#closed || this.#fault !== undefined) return
    this.#fault = { error }
    this.#tryAgain()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#looking
  }

  /** Never rejects. */
  #tryAgain(): void {
    this.#timer = undefined
    this.#looking = this.look().then(
      () => {
        this.#fault = undefined
      },
      (error: unknown) => {
        this.#fault = { error }
        if (!this.#closed) this.#timer = this.clock.schedule(EVERY_MS, () => this.#tryAgain())
      },
    )
  }
}
