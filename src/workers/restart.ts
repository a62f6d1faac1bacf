/** ms until the first restart of a worker that ended, and the most there is */
const FIRST_MS = 1000
const MOST_MS = 30_000
/** ms after which a worker counts as well: the next restart waits as the first did */
const WELL_MS = 60_000

/** When the worker of one place is started again. Pure. */
export interface RestartState {
  /** ms the latest restart waited; 0: none yet */
  readonly waitedMs: number
}
export const NEVER_RESTARTED: RestartState = { waitedMs: 0 }

/** @param livedMs from its start to its end */
export function restartAfter({ waitedMs }: RestartState, livedMs: number): RestartState {
  const isFresh = waitedMs === 0 || livedMs >= WELL_MS
  return { waitedMs: isFresh ? FIRST_MS : Math.min(waitedMs * 2, MOST_MS) }
}
