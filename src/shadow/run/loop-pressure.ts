import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import type { Clock } from '../../core/clock.js'
import type { Pulse } from '../../core/pulse/pulse.js'

export type Pressure = 'none' | 'some'

/** Tells whether the event loop has time for work that nobody waits for. */
export interface LoopPressure {
  now(): Pressure
  start(): void
  stop(): void
}

/** ms between two looks; while the process rests, one a beat */
const SAMPLE_MS = 200
/** ms a look may be late: what every user's event waits then, and more than a collection of garbage usually takes */
const LATE_MS = 50
/** share of the time the loop was at work: above it, waiting times grow without bound */
const BUSY = 0.9
/** ... at which somebody should look closely */
const STIRRING = 0.5
/** ms without either before shadows run again */
const CALM_MS = 1000

/**
 * `some` from a look that came more than 50 ms late, or found the loop at work for more than 90% of the time since the last
 * one, until a second went by without either. `none` while it is not started.
 * @param utilization of the loop (0 to 1) since it was last asked
 */
export function watchLoopPressure(
  clock: Clock,
  pulse: Pulse,
  utilization: () => number = loopUtilization(),
): LoopPressure {
  let forget: (() => void) | undefined
  let troubledAt = Number.NEGATIVE_INFINITY
  return {
    now: () => (clock.monotonic() - troubledAt < CALM_MS ? 'some' : 'none'),
    start() {
      if (forget !== undefined) return
      utilization()
      forget = pulse.listen({
        everyMs: SAMPLE_MS,
        beat({ now, lateMs }) {
          const share = utilization()
          if (share > BUSY || lateMs > LATE_MS) troubledAt = now
          if (share > STIRRING) pulse.wake(now)
        },
      })
    },
    stop() {
      forget?.()
      forget = undefined
    },
  }
}

function loopUtilization(): () => number {
  let last: EventLoopUtilization = performance.eventLoopUtilization()
  return () => {
    const present = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(present, last)
    last = present
    return utilization
  }
}
