import type { Clock, Timer } from '../core/clock.js'

interface Pending {
  readonly at: number
  readonly callback: () => void
}

/** A clock that its owner moves: so a day goes by in seconds, the same way each time. */
export class SimulatedClock implements Clock {
  #now = 0
  readonly #timers = new Set<Pending>()

  /** @param wallStart wall-clock ms of its beginning */
  constructor(private readonly wallStart: number) {}

  monotonic(): number {
    return this.#now
  }

  wall(): number {
    return this.wallStart + this.#now
  }

  schedule(delayMs: number, callback: () => void): Timer {
    const timer = { at: this.#now + Math.max(delayMs, 0), callback }
    this.#timers.add(timer)
    return { cancel: () => this.#timers.delete(timer) }
  }

  /** Moves on to the first timer that is due until then and calls it back. @returns false where there is none; it is `wall` then */
  stepTo(wall: number): boolean {
    const until = Math.max(wall - this.wallStart, this.#now)
    let first: Pending | undefined
    for (const timer of this.#timers)
      if (timer.at <= until && (first === undefined || timer.at < first.at)) first = timer
    if (first === undefined) {
      this.#now = until
      return false
    }
    this.#timers.delete(first)
    this.#now = Math.max(this.#now, first.at)
    first.callback()
    return true
  }

  /** Time goes by, and no timer is called back meanwhile. */
  skipTo(wall: number): void {
    this.#now = Math.max(wall - this.wallStart, this.#now)
  }
}
