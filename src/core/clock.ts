/** A pending callback; `cancel` is idempotent and safe after it fired. */
export interface Timer {
  cancel(): void
}

/**
 * Time as the code sees it, passed in so that tests can own it.
 * `monotonic` (ms, arbitrary origin) measures durations; `wall` (ms since the epoch) names instants for people.
 */
export interface Clock {
  monotonic(): number
  wall(): number
  /** Runs `callback` once after `delayMs`. A pending timer never keeps the process alive. */
  schedule(delayMs: number, callback: () => void): Timer
  /**
   * ms in all for which this process stood still (pulse/stalls.ts); absent if nobody watches.
   * @param now of `monotonic`, where the caller has it at hand
   */
  stalledMs?(now?: number): number
}

// setTimeout treats anything above 2^31-1 as 1 ms.
const MAX_DELAY_MS = 2_147_483_647

/** A timer that keeps the process alive, unlike the clock's: somebody waits for what it does, also while the process stops. */
export function scheduleAwaited(delayMs: number, callback: () => void): Timer {
  const timer = setTimeout(callback, delayMs)
  return { cancel: () => clearTimeout(timer) }
}

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  schedule(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), MAX_DELAY_MS))
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
}
