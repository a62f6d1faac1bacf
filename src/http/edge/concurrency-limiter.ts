import type { Clock, Timer } from '../../core/clock.js'

/** ConcurrencyLimiter: a few works run at a time, so many wait for their turn, and what is beyond is refused. */
export interface ConcurrencyLimiter {
  /**
   * What `work` gives, in order of arrival. Rejects as it does, and with what `refusal` makes where too many wait, where its
   * turn does not come in time, or where nobody wants it any more when it comes.
   * @param isWanted asked when its turn comes
   */
  run<T>(work: () => Promise<T>, isWanted: () => boolean): Promise<T>
}

export interface ConcurrencyLimiterOptions {
  readonly clock: Clock
  readonly running: number
  readonly waiting: number
  /** ms until its turn has to come */
  readonly waitMs: number
  refusal(): Error
}

interface Waiting {
  readonly start: () => void
  readonly refuse: () => void
  readonly isWanted: () => boolean
  readonly timer: Timer
}

export function createConcurrencyLimiter(options: ConcurrencyLimiterOptions): ConcurrencyLimiter {
  return new Semaphore(options)
}

class Semaphore implements ConcurrencyLimiter {
  readonly #waiting: Waiting[] = []
  #running = 0

  constructor(private readonly options: ConcurrencyLimiterOptions) {}

  async run<T>(work: () => Promise<T>, isWanted: () => boolean): Promise<T> {
    const { running, waiting, refusal } = this.options
    if (this.#running < running) this.#running += 1
    else if (this.#waiting.length < waiting) await this.#place(isWanted)
    else throw refusal()
    try {
      return await work()
    } finally {
      this.#passOn()
    }
  }

  /** Ends when the place of one that ran is ours. */
  #place(isWanted: () => boolean): Promise<void> {
    const { clock, waitMs, refusal } = this.options
    return new Promise((resolve, reject) => {
      const refuse = () => reject(refusal())
      const timer = clock.schedule(waitMs, () => {
        this.#waiting.splice(this.#waiting.indexOf(mine), 1)
        refuse()
      })
      const mine: Waiting = { start: resolve, refuse, isWanted, timer }
      this.#waiting.push(mine)
    })
  }

  /** The place goes to the next who still wants it. */
  #passOn(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      next.timer.cancel()
      if (next.isWanted()) {
        next.start()
        return
      }
      next.refuse()
    }
    this.#running -= 1
  }
}
