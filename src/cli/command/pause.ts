import type { Clock } from '../../core/clock.js'

/** Waits; ends early when the signal is aborted. Keeps the process alive meanwhile. */
export function pause(ms: number, clock: Pick<Clock, 'schedule'>, until: AbortSignal): Promise<void> {
  if (until.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    // The clock's timers keep no process alive; this one does.
    const alive = setInterval(() => undefined, 60_000)
    const end = (): void => {
      timer.cancel()
      clearInterval(alive)
      until.removeEventListener('abort', end)
      resolve()
    }
    const timer = clock.schedule(ms, end)
    until.addEventListener('abort', end)
  })
}
