import type { Clock } from '../../src/core/clock.js'

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
  readonly #due: Due[] = []

  next(): number {
    return this.#due[0]?.at ?? Number.POSITIVE_INFINITY
  }

  add(due: Due): Due {
    this.#due.splice(this.#after(due.at), 0, due)
    return due
  }

  remove(due: Due): void {
    const at = this.#due.indexOf(due)
    if (at >= 0) this.#due.splice(at, 1)
  }

  takeDue(now: number): Due[] {
    return this.#due.splice(0, this.#after(now))
  }

  /** How many are due until then. */
  #after(until: number): number {
    let [low, high] = [0, this.#due.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#due[middle]?.at ?? 0) <= until) low = middle + 1
      else high = middle
    }
    return low
  }
}
