import type { Clock } from '../core/clock.js'

/** ms a start waits for flags; flagd's provider gives up its first connection after 500 */
export const START_BOUND_MS = 600

/** `undefined` when `task` did not end in time. The task itself goes on. */
export async function within<T>(task: Promise<T>, ms: number, clock: Clock): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = clock.schedule(ms, () => resolve(undefined))
    task.then(resolve, reject).finally(() => timer.cancel())
  })
}
