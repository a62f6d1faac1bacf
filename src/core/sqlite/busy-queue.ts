import type { Timer } from '../clock.js'

export interface BusyQueueOptions {
  /** monotonic ms */
  readonly now: () => number
  /** Runs the callback once after the ms; must keep the process alive until then, for somebody waits for the work. */
  readonly schedule: (delayMs: number, callback: () => void) => Timer
  /** Is it worth trying the work again after this error? */
  readonly isBusy: (error: unknown) => boolean
  /** ms after which waiting work is rejected */
  readonly deadlineMs: number
  /** works that may wait at once; above it they are rejected immediately */
  readonly maxWaiting: number
}

/** Why work was given up; `cause` is the last busy error, where there was one. */
export class BusyQueueError extends Error {
  override readonly name = 'BusyQueueError'
}

interface Waiting {
  readonly deadline: number
  readonly attempt: () => Attempt
  readonly reject: (error: unknown) => void
}

type Attempt = { readonly kind: 'settled' } | { readonly kind: 'busy'; readonly error: unknown }

const FIRST_PAUSE_MS = 2
const MAX_PAUSE_MS = 32
/** ms one round may work off the queue before the event loop gets its turn */
const ROUND_MS = 10

/**
 * Synchronous work on something that may be locked elsewhere. Runs at once while nothing waits; after a busy error it
 * waits and is tried again. Work waits in line: only the first is tried, so that a held lock costs the event loop one
 * blocked try a pause, however many turns wait for it.
 */
export class BusyQueue {
  readonly #options: BusyQueueOptions
  readonly #waiting: Waiting[] = []
  #timer: Timer | undefined
  #pauseMs = FIRST_PAUSE_MS
  #closed = false

  constructor(options: BusyQueueOptions) {
    this.#options = options
  }

  /**
   * @param overtake tried at once even while others wait: for reads, which the lock of a writer does not stop
   * @returns what `work` returns; rejects with its error, or `BusyQueueError` when it stayed busy
   */
  run<T>(work: () => T, overtake = false): Promise<T> {
    if (this.#closed) return Promise.reject(new BusyQueueError('closed'))
    let lastError: unknown
    if (this.#waiting.length === 0 || overtake) {
      try {
        return Promise.resolve(work())
      } catch (error) {
        if (!this.#options.isBusy(error)) return Promise.reject(error)
        lastError = error
      }
    }
    if (this.#waiting.length >= this.#options.maxWaiting) {
      return Promise.reject(new BusyQueueError('too much work is waiting', { cause: lastError }))
    }
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({
        deadline: this.#options.now() + this.#options.deadlineMs,
        reject,
        attempt: () => this.#attempt(work, resolve, reject),
      })
      this.#timer ??= this.#pause()
    })
  }

  /** Rejects what waits and whatever comes later. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#timer = undefined
    for (const { reject } of this.#waiting.splice(0)) reject(new BusyQueueError('closed'))
  }

  #attempt<T>(work: () => T, resolve: (value: T) => void, reject: (error: unknown) => void): Attempt {
    try {
      resolve(work())
    } catch (error) {
      if (this.#options.isBusy(error)) return { kind: 'busy', error }
      reject(error)
    }
    return { kind: 'settled' }
  }

  #pause(): Timer {
    return this.#options.schedule(this.#pauseMs, () => {
      this.#timer = undefined
      this.#round()
    })
  }

  #round(): void {
    const started = this.#options.now()
    let busy: unknown
    for (let head = this.#waiting[0]; head !== undefined; head = this.#waiting[0]) {
      const attempt = head.attempt()
      if (attempt.kind === 'busy') {
        busy = attempt.error
        break
      }
      this.#waiting.shift()
      if (this.#options.now() - started >= ROUND_MS) break
    }
    this.#pauseMs = busy === undefined ? FIRST_PAUSE_MS : Math.min(this.#pauseMs * 2, MAX_PAUSE_MS)
    if (busy !== undefined) this.#expire(busy)
    if (this.#waiting.length > 0) this.#timer = this.#pause()
  }

  /** The line is in order of arrival and so of deadlines. */
  #expire(cause: unknown): void {
    const now = this.#options.now()
    for (let head = this.#waiting[0]; head !== undefined && head.deadline <= now; head = this.#waiting[0]) {
      this.#waiting.shift()
      head.reject(new BusyQueueError(`still busy after ${this.#options.deadlineMs} ms`, { cause }))
    }
  }
}
