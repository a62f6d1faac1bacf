import type { Clock } from '../core/clock.js'

/**
 * Waits for `work`, but no longer than `ms`; then the answer is `late` and what `work` still does is ignored.
 * Rejects as `work` does within its time.
 */
export function bounded<T>(work: Promise<T>, ms: number, clock: Clock): Promise<T | 'late'> {
  return new Promise((resolve, reject) => {
    const timer = clock.schedule(ms, () => resolve('late'))
    work.then(resolve, reject).finally(() => timer.cancel())
  })
}
