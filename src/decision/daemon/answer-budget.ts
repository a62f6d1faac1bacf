import type { Clock, Timer } from '../../core/clock.js'

/** ms for all flags of one question, whatever flagd does */
export const ANSWER_BUDGET_MS = 50
/** ms, the last of them, for answers that wait behind a busy event loop */
const LAST_LOOK_MS = 1
/** ms by which a timer may be late on an idle event loop */
const USUAL_LATENESS_MS = 5
/** looks more while the event loop is late: the time was ours, not flagd's */
const MORE_LOOKS = 5

/** The fault of a source whose answers come, but after the budget. */
export const lateText = (source: string): string =>
  `${source} answers later than a turn waits (${ANSWER_BUDGET_MS} ms): turns take the newest values known of their session, their org or anybody, then code defaults`

/** The time that the answers to one question share. */
export interface AnswerBudget {
  /** The answer, or `undefined` when the time is over before it. The evaluation itself goes on. */
  inTime<T>(answer: Promise<T>): Promise<T | undefined>
  /** To be called when nobody waits any more. */
  end(): void
}

export function startBudget(clock: Clock): AnswerBudget {
  let timer: Timer | undefined
  const wait = (ms: number, looksLeft: number, end: () => void): void => {
    const due = clock.monotonic() + ms
    timer = clock.schedule(ms, () => {
      const isLate = clock.monotonic() - due > USUAL_LATENESS_MS
      if (looksLeft === 0) end()
      else wait(LAST_LOOK_MS, isLate ? looksLeft - 1 : 0, end)
    })
  }
  const over = new Promise<undefined>((resolve) => {
    wait(ANSWER_BUDGET_MS - LAST_LOOK_MS, MORE_LOOKS, () => resolve(undefined))
  })
  return {
    inTime: (answer) => Promise.race([answer, over]),
    end: () => timer?.cancel(),
  }
}
