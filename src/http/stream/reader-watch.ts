import type { Clock, Timer } from '../../core/clock.js'

/** How many looks fit into the limit: a reader is cut off at most a sixth of the limit late. */
const LOOKS = 6

/** What the watch needs of the response. */
export interface WatchedResponse {
  /** bytes the system has not taken yet */
  readonly writableLength: number
  setTimeout(ms: number): unknown
  on(event: 'timeout', listener: () => void): unknown
  off(event: 'timeout', listener: () => void): unknown
}

/**
 * Calls `onStuck` when the reader of `res` takes nothing for `limitMs` although bytes wait for it. A reader that takes
 * a little is left alone: a socket's own idle timer looks at the system's write queue, not at our calls alone. That timer is set
 * anew by each write, so it runs only for a reader for whom bytes were waiting at the latest look.
 */
export function createReaderWatch(
  res: WatchedResponse,
  limitMs: number,
  clock: Clock,
  onStuck: () => void,
): { stop(): void } {
  const lookMs = Math.max(1, Math.ceil(limitMs / LOOKS))
  let isWatched = false
  let stuckMs = 0
  let lastIdle = 0
  let timer: Timer

  const watch = (now: number): void => {
    isWatched = true
    stuckMs = 0
    lastIdle = now
    res.setTimeout(lookMs)
  }

  const look = (): void => {
    timer = clock.schedule(lookMs, look)
    if (res.writableLength > 0 === isWatched) return
    if (!isWatched) watch(clock.monotonic())
    else {
      isWatched = false
      res.setTimeout(0)
    }
  }

  // Fires when the socket moved nothing for lookMs; when it did move in between, the timer silently starts again and
  // fires later, which the time since it fired last shows.
  const onIdle = (): void => {
    const now = clock.monotonic()
    const movedSince = now - lastIdle > 1.5 * lookMs
    lastIdle = now
    if (res.writableLength === 0) stuckMs = 0
    else stuckMs = movedSince ? lookMs : stuckMs + lookMs
    if (stuckMs >= limitMs) onStuck()
    else res.setTimeout(lookMs)
  }

  timer = clock.schedule(lookMs, look)
  res.on('timeout', onIdle)
  return {
    // The socket's timer is left as it is: after a finished answer it is the server's own, for keep-alive.
    stop() {
      timer.cancel()
      res.off('timeout', onIdle)
    },
  }
}
