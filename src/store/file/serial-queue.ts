import type { Clock } from '../../core/clock.js'
import { scheduleDeadline } from '../../core/deadline.js'

/** calls that may wait for their turn */
const MAX_WAITING = 64

/**
 * Runs one call at a time, and answers each in time: one that hangs (a dead network file system) keeps its thread until
 * the system gives it up, so those behind it are answered without being begun.
 */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve()
  #waiting = 0

  constructor(
    private readonly clock: Clock,
    private readonly deadlineMs: number,
  ) {}

  /** `work` never rejects and looks at `isLate` between its steps; `late` is the answer when the time is over. */
  run<T>(work: (isLate: () => boolean) => Promise<T>, late: () => T): Promise<T> {
    if (this.#waiting >= MAX_WAITING) return Promise.resolve(late())
    this.#waiting += 1
    let isLate = false
    return new Promise<T>((resolve) => {
      const timer = scheduleDeadline(this.clock, this.deadlineMs, () => {
        isLate = true
        resolve(late())
      })
      this.#tail = this.#tail
        .then(async () => {
          if (!isLate) resolve(await work(() => isLate))
        })
        .catch(() => resolve(late()))
        .finally(() => {
          this.#waiting -= 1
          timer.cancel()
        })
    })
  }

  /** Ends when everything begun is done, or the time is over. */
  idle(): Promise<void> {
    return this.run(
      () => Promise.resolve(),
      () => undefined,
    )
  }
}
