import type { Clock, Timer } from '../../core/clock.js'
import { guarded } from '../../core/guarded.js'
import type { Logger } from '../../core/logger.js'
import { Turnstile } from '../../core/turnstile.js'

/** ms that the others wait at most for the round that found the loss; its write takes some 20 ms */
const ROUND_MS = 250

/**
 * Tells the turns that wait on a dead runtime. The first one at once. The others after the round that found it, for the trip is written
 * in that round, and hundreds that fail over meanwhile take the processor from it; then one in each round of the event loop.
 */
export class RuntimeLoss {
  readonly #listeners = new Set<() => void>()
  readonly #turnstile = new Turnstile()
  #isLost = false
  #others: readonly (() => void)[] = []
  #timer: Timer | undefined

  constructor(
    private readonly logger: Logger,
    private readonly clock: Clock,
  ) {}

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
    this.#others = [...this.#others, ...others]
    this.#timer ??= this.clock.schedule(ROUND_MS, () => this.roundEnded())
    if (first !== undefined) this.#tell(first)
  }

  /** What was decided is written, or is known not to be. */
  roundEnded(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const others = this.#others
    this.#others = []
    for (const listener of others) this.#turnstile.pass(() => this.#tell(listener))
  }

  #tell(listener: () => void): void {
    if (this.#isLost && this.#listeners.has(listener)) guarded(this.logger, 'runtime lost', listener)
  }
}
