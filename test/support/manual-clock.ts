import type { Clock, Timer } from '../../src/core/clock.js'

/** A clock that stands still until the test moves it; timers fire in order while it passes them. */
export interface ManualClock extends Clock {
  advance(ms: number): void
  /** The process stands still: time passes, and no timer fires before the next `advance`. */
  stall(ms: number): void
  /** Jumps to the next timer and runs it; false where there is none. */
  step(): boolean
  /** timers that have neither fired nor been cancelled */
  pending(): number
}

interface Pending {
  readonly at: number
  readonly callback: () => void
}

export function manualClock(wallStart = Date.UTC(2026, 0, 1)): ManualClock {
  let now = 0
  const timers = new Set<Pending>()
  /** The first one until then; of equals the one that was scheduled first. */
  const due = (until: number): Pending | undefined => {
    let first: Pending | undefined
    for (const timer of timers)
      if (timer.at <= until && (first === undefined || timer.at < first.at)) first = timer
    return first
  }
  return {
    monotonic: () => now,
    wall: () => wallStart + now,
    schedule(delayMs, callback): Timer {
      const timer = { at: now + Math.max(delayMs, 0), callback }
      timers.add(timer)
      return { cancel: () => timers.delete(timer) }
    },
    advance(ms) {
      const until = now + ms
      for (let timer = due(until); timer !== undefined; timer = due(until)) {
        timers.delete(timer)
        now = Math.max(now, timer.at)
        timer.callback()
      }
      now = until
    },
    stall(ms) {
      now += ms
    },
    step() {
      const timer = due(Number.POSITIVE_INFINITY)
      if (timer === undefined) return false
      timers.delete(timer)
      now = Math.max(now, timer.at)
      timer.callback()
      return true
    },
    pending: () => timers.size,
  }
}
