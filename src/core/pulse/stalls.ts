import type { Clock } from '../clock.js'
import { LATE_MS, type Pulse } from './pulse.js'

/** How long this process has stood still: stopped, swapped out, or its event loop held by one long piece of work. */
export interface Stalls {
  /** ms in all since the start: all but 100 ms of each stall, at rest all but 500 ms */
  totalMs(now?: number): number
  start(): void
  stop(): void
}

/** @param onStall told of each, when it is over; ms */
export function watchStalls(
  clock: Clock,
  pulse: Pulse,
  onStall: (ms: number) => void = () => undefined,
): Stalls {
  let total = 0
  let forget: (() => void) | undefined
  return {
    totalMs(now = clock.monotonic()) {
      // The first question after a stall may come before the beat.
      return forget === undefined ? total : total + pulse.stalledMs(now)
    },
    start() {
      forget ??= pulse.listen({
        beat({ lateMs }) {
          if (lateMs <= LATE_MS) return
          total += lateMs
          onStall(lateMs)
        },
      })
    },
    stop() {
      forget?.()
      forget = undefined
    },
  }
}
