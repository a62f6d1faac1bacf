import type { Clock, Timer } from './clock.js'

/** more than any call of ours needs: reading a file takes six, replacing one twenty-five */
const TURNS = 50

/**
 * Calls back once after `ms`, but not before the event loop went round fifty times. On a machine that is held up each
 * step of a call waits for a turn of the loop: an answer that is there and was not read yet is no missing one.
 */
export function scheduleDeadline(clock: Clock, ms: number, callback: () => void): Timer {
  let left = TURNS
  const next = (): Timer => clock.schedule(ms / TURNS, turn)
  const turn = (): void => {
    left -= 1
    if (left > 0) timer = next()
    else callback()
  }
  let timer = next()
  return { cancel: () => timer.cancel() }
}
