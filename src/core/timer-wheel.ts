import type { Clock, Timer } from './clock.js'

/** ms between two turns of the wheel */
const TICK_MS = 50
/** A shorter delay than so many ticks is left to the clock: there a tick is too coarse. */
const LEAST_TICKS = 4

interface Entry {
  readonly at: number
  readonly callback: () => void
}

/**
 * The clock with coarse timers: all that is due within one tick fires by one timer of the process. None fires early, and none
 * more than a tick late; delays below 200 ms stay exact. For deadlines, of which nearly all are cancelled before they strike.
 * @param onBusy told when the first of them is set
 */
export function createTimerWheel(clock: Clock, onBusy: () => void = () => undefined): WheelClock {
  const wheel = new TimerWheel(clock, onBusy)
  return {
    ...clock,
    schedule: (delayMs, callback) => wheel.schedule(delayMs, callback),
    isBusy: () => wheel.isTurning,
  }
}

export interface WheelClock extends Clock {
  /** Whether a timer is pending on the wheel. */
  isBusy(): boolean
}

class TimerWheel {
  readonly #origin: number
  /** by the tick at which they fire, in the order in which they were scheduled */
  readonly #slots = new Map<number, Set<Entry>>()
  /** the last tick that fired */
  #tick = 0
  #timer: Timer | undefined

  constructor(
    private readonly clock: Clock,
    private readonly onBusy: () => void,
  ) {
    this.#origin = clock.monotonic()
  }

  get isTurning(): boolean {
    return this.#timer !== undefined
  }

  schedule(delayMs: number, callback: () => void): Timer {
    if (delayMs < LEAST_TICKS * TICK_MS) return this.clock.schedule(delayMs, callback)
    const now = this.#now()
    if (this.#timer === undefined) {
      this.#tick = Math.floor(now / TICK_MS)
      this.#arm(now)
      this.onBusy()
    }
    const entry = { at: Math.ceil((now + delayMs) / TICK_MS), callback }
    const slot = this.#slots.get(entry.at)
    if (slot === undefined) this.#slots.set(entry.at, new Set([entry]))
    else slot.add(entry)
    return { cancel: () => this.#cancel(entry) }
  }

  #now(): number {
    return this.clock.monotonic() - this.#origin
  }

  #cancel(entry: Entry): void {
    const slot = this.#slots.get(entry.at)
    if (slot?.delete(entry) !== true || slot.size > 0) return
    this.#slots.delete(entry.at)
    if (this.#slots.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #arm(now: number): void {
    const nextAt = (Math.floor(now / TICK_MS) + 1) * TICK_MS
    this.#timer = this.clock.schedule(Math.ceil(nextAt - now), this.#turn)
  }

  readonly #turn = (): void => {
    this.#timer = undefined
    const now = this.#now()
    const until = Math.floor(now / TICK_MS)
    const due: Set<Entry>[] = []
    for (; this.#tick < until; this.#tick += 1) {
      const slot = this.#slots.get(this.#tick + 1)
      if (slot !== undefined) due.push(slot)
    }
    if (this.#slots.size > 0) this.#arm(now)
    for (const slot of due) this.#fire(slot)
  }

  /** One that is cancelled by another of its tick does not fire. */
  #fire(slot: Set<Entry>): void {
    for (const entry of slot) {
      this.#cancel(entry)
      try {
        entry.callback()
      } catch (thrown) {
        // As from a timer of its own: the others still fire.
        this.clock.schedule(0, () => {
          throw thrown
        })
      }
    }
  }
}
