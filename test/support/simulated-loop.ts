import type { Clock } from '../../src/core/clock.js'
import { EarliestFirst } from './earliest-first.js'

/**
 * The event loop of a process with one thread in simulated time. As Node's: in a round first the timers that are due, then all that has
 * arrived, then what was put off to the end of the round. Work takes time, and what arrives meanwhile waits for the next round.
 */
export interface SimulatedLoop {
  readonly clock: Clock
  now(): number
  /** Uses the CPU for so many ms. */
  work(ms: number): void
  /** Something arrives from the network in so many ms, and is worked at in the first round after that. */
  arrives(inMs: number, callback: () => void): void
  /** At the end of this round, or of the next one if it ends already. */
  afterRound(callback: () => void): void
  /** ms that timers of 10 ms were late on average since the last call */
  delayMs(): number
  /** Runs rounds until this time. */
  runUntil(ms: number): Promise<void>
}

interface Due {
  readonly at: number
  readonly callback: () => void
  /** It is passed over when its time comes. */
  isRemoved?: boolean
}

/** ms between two measurements of the delay */
const PROBE_MS = 10
const startedAt = Date.UTC(2026, 0, 1)

export function simulateLoop(): SimulatedLoop {
  let now = 0
  const timers = new Line()
  const arrivals = new Line()
  let put: (() => void)[] = []
  const delay = { sum: 0, count: 0 }

  const clock: Clock = {
    monotonic: () => now,
    wall: () => startedAt + now,
    schedule(inMs, callback) {
      const due = timers.add({ at: now + Math.max(inMs, 0), callback })
      return { cancel: () => timers.remove(due) }
    },
  }
  const probe = (): void => {
    const dueAt = now + PROBE_MS
    clock.schedule(PROBE_MS, () => {
      delay.sum += now - dueAt
      delay.count += 1
      probe()
    })
  }
  probe()

  /** Lets promises go on that were settled. */
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  return {
    clock,
    now: () => now,
    work(ms) {
      now += ms
    },
    arrives: (inMs, callback) => void arrivals.add({ at: now + inMs, callback }),
    afterRound: (callback) => void put.push(callback),
    delayMs() {
      const mean = delay.sum / Math.max(1, delay.count)
      Object.assign(delay, { sum: 0, count: 0 })
      return mean
    },
    async runUntil(ms) {
      while (now < ms) {
        for (const { callback } of timers.takeDue(now)) callback()
        const arrived = arrivals.takeDue(now)
        for (const { callback } of arrived) callback()
        const atEnd = put
        put = []
        for (const callback of atEnd) callback()
        if (arrived.length + atEnd.length > 0) await settle()
        if (put.length === 0) now = Math.max(now, Math.min(ms, timers.next(), arrivals.next()))
      }
    },
  }
}

/** What is due, earliest first; of equals the one that was added first. */
class Line {
  readonly #due = new EarliestFirst<Due>()

  next(): number {
    return this.#first()?.at ?? Number.POSITIVE_INFINITY
  }

  add(due: Due): Due {
    this.#due.add(due)
    return due
  }

  remove(due: Due): void {
    due.isRemoved = true
  }

  takeDue(now: number): Due[] {
    const taken: Due[] = []
    for (let first = this.#first(); first !== undefined && first.at <= now; first = this.#first()) {
      this.#due.take()
      taken.push(first)
    }
    return taken
  }

  #first(): Due | undefined {
    while (this.#due.first?.isRemoved === true) this.#due.take()
    return this.#due.first
  }
}
