import type { Clock } from '../../core/clock.js'

/** How many looks fit into the limit: a reader is cut off at most a sixth of the limit late. */
const LOOKS = 6

/** What the watch needs of the response. */
export interface WatchedResponse {
  /** bytes the system has not taken yet */
  readonly writableLength: number
  setTimeout(ms: number, callback?: () => void): unknown
  off(event: 'timeout', listener: () => void): unknown
}

/**
 * Calls `onStuck` when the reader of `res` takes nothing for `limitMs` although bytes wait for it. A reader that takes
 * a little is left alone: a socket's own idle timer looks at the system's write queue, not at our calls alone.
 */
export function createReaderWatch(
  res: WatchedResponse,
  limitMs: number,
  clock: Clock,
  onStuck: () => void,
): { stop(): void } {
  const lookMs = Math.max(1, Math.ceil(limitMs / LOOKS))
  let stuckMs = 0
  let lastLook = clock.monotonic()

  // Fires when the socket moved nothing for lookMs; when it did move in between, the timer silently starts again and
  // fires later, which the time since the last look shows.
  const look = (): void => {
    const now = clock.monotonic()
    const movedSince = now - lastLook > 1.5 * lookMs
    lastLook = now
    if (res.writableLength === 0) stuckMs = 0
    else stuckMs = movedSince ? lookMs : stuckMs + lookMs
    if (stuckMs >= limitMs) onStuck()
    else res.setTimeout(lookMs)
  }

  res.setTimeout(lookMs, look)
  return {
    // The socket's timer is left running: after a finished answer it is the server's own, for keep-alive.
    stop: () => void res.off('timeout', look),
  }
}
