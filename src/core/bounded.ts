import type { Clock, Timer } from './clock.js'

/**
 * Waits for `work`, but no longer than `ms`; then the answer is `late` and what `work` still does is ignored.
 * Rejects as `work` does within its time. `schedule` sets the deadline where the clock's own will not do.
 */
export function bounded<T>(
  work: Promise<T>,
  ms: number,
  clock: Clock,
  schedule: (clock: Clock, ms: number, callback: () => void) => Timer = onClock,
): Promise<T | 'late'> {
  return new Promise((resolve, reject) => {
    const timer = schedule(clock, ms, () => resolve('late'))
    const ended = (): void => timer.cancel()
    work.then(resolve, reject).then(ended, ended)
  })
}

const onClock = (clock: Clock, ms: number, callback: () => void): Timer => clock.schedule(ms, callback)
