import type { Clock } from '../core/clock.js'

/** The time of one execution: it stands still while the consumer holds, and while this process does. */
export class ActiveTime {
  /** where it would have begun had it never stood still; ms of `#running` */
  #origin: number
  #heldAt: number | undefined

  constructor(private readonly clock: Clock) {
    this.#origin = this.#running()
  }

  /** ms so far; never negative, also where a stall of before its beginning is noticed after it */
  get ms(): number {
    return this.#heldAt ?? Math.max(0, this.#running() - this.#origin)
  }

  get isHeld(): boolean {
    return this.#heldAt !== undefined
  }

  /** @param ms at which it stands still from now on */
  hold(ms: number): void {
    this.#heldAt = ms
  }

  goOn(): void {
    if (this.#heldAt === undefined) return
    this.#origin = this.#running() - this.#heldAt
    this.#heldAt = undefined
  }

  /** ms on the monotonic clock, without those in which this process stood still. */
  #running(): number {
    const now = this.clock.monotonic()
    return now - (this.clock.stalledMs?.(now) ?? 0)
  }
}
