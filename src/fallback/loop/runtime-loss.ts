import { guarded } from '../../core/guarded.js'
import type { Logger } from '../../core/logger.js'
import { Turnstile } from '../../core/turnstile.js'

/**
 * Tells the turns that wait on a dead runtime. The first one at once, the others one in each round of the event loop: hundreds that
 * fail over together would keep the trip from being written for as long.
 */
export class RuntimeLoss {
  readonly #listeners = new Set<() => void>()
  readonly #turnstile = new Turnstile()
  #isLost = false

  constructor(private readonly logger: Logger) {}

  listen(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Told once for each loss; who has not been told when it is over need not be. */
  set(isLost: boolean): void {
    const wasLost = this.#isLost
    this.#isLost = isLost
    if (!isLost || wasLost) return
    const [first, ...others] = this.#listeners
    if (first !== undefined) this.#tell(first)
    for (const listener of others) this.#turnstile.pass(() => this.#tell(listener))
  }

  #tell(listener: () => void): void {
    if (this.#isLost && this.#listeners.has(listener)) guarded(this.logger, 'runtime lost', listener)
  }
}
