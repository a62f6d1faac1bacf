import type { Clock, Timer } from './clock.js'

/** How long this process has stood still: stopped, swapped out, or its event loop held by one long piece of work. */
export interface Stalls {
  /** ms in all since the start */
  totalMs(now?: number): number
  start(): void
  stop(): void
}

/** ms between two looks; so much of a stall may go unnoticed */
const LOOK_MS = 100
/** ms a look may be late: what a collection of garbage or a burst of work takes */
const LATE_MS = 50

/** @param onStall told of each, when it is over; ms */
export function watchStalls(clock: Clock, onStall: (ms: number) => void = () => undefined): Stalls {
  let total = 0
  let dueAt = Number.POSITIVE_INFINITY
  let timer: Timer | undefined
  const lateMs = (now = clock.monotonic()): number => {
    const late = now - dueAt
    return late > LATE_MS ? late : 0
  }
  const arm = (): void => {
    dueAt = clock.monotonic() + LOOK_MS
    timer = clock.schedule(LOOK_MS, () => {
      const late = lateMs()
      total += late
      arm()
      if (late > 0) onStall(late)
    })
  }
  return {
    // The first question after a stall may come before our own check.
    totalMs: (now) => total + lateMs(now),
    start() {
      if (timer === undefined) arm()
    },
    stop() {
      timer?.cancel()
      timer = undefined
      dueAt = Number.POSITIVE_INFINITY
    },
  }
}
