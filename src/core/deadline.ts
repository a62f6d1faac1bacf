import type { Clock, Timer } from './clock.js'

/** more than any call of ours needs: reading a file takes six, replacing one twenty-five */
const TURNS = 50

/**
 * Calls back once after `ms`, but not before the event loop went round fifty times in the second half of it. On a machine that
 * is held up each step of a call waits for a turn of the loop: an answer that is there and was not read yet is no missing one.
 * Nearly all calls end in the first half, which is one timer: a short one wakes the process also where it was cancelled.
 */
export function scheduleDeadline(clock: Clock, ms: number, callback: () => void): Timer {
  let left = TURNS
  const next = (): Timer => clock.schedule(ms / 2 / TURNS, turn)
  const turn = (): void => {
    left -= 1
    if (left > 0) timer = next()
    else callback()
  }
  let timer = clock.schedule(ms / 2, () => {
    timer = next()
  })
  return { cancel: () => timer.cancel() }
}

/** ms from the end of a stall in which what waited in the sockets is read */
const READING_MS = 100

/**
 * Calls back once `ms` have gone by in which this process ran. After a stall there is as much time again as was lost, and at
 * least enough to read what came meanwhile.
 */
export function scheduleRunning(clock: Clock, ms: number, callback: () => void): Timer {
  let stalledMs = clock.stalledMs?.() ?? 0
  let timer: Timer
  const arm = (delayMs: number): void => {
    timer = clock.schedule(delayMs, () => {
      const lostMs = (clock.stalledMs?.() ?? 0) - stalledMs
      stalledMs += lostMs
      if (lostMs > 0) arm(Math.max(Math.min(lostMs, ms), READING_MS))
      else callback()
    })
  }
  arm(ms)
  return { cancel: () => timer.cancel() }
}
