import type { Clock, Timer } from '../core/clock.js'

/** ms for all flags of one question, whatever flagd does; the last one is for answers that wait behind a busy event loop */
const BUDGET_MS = 49
const LAST_LOOK_MS = 1

/** The time that the answers to one question share. */
export interface AnswerBudget {
  /** The answer, or `undefined` when the time is over before it. The evaluation itself goes on. */
  inTime<T>(answer: Promise<T>): Promise<T | undefined>
  /** To be called when nobody waits any more. */
  end(): void
}

export function startBudget(clock: Clock): AnswerBudget {
  let timer: Timer | undefined
  const over = new Promise<undefined>((resolve) => {
    timer = clock.schedule(BUDGET_MS, () => {
      timer = clock.schedule(LAST_LOOK_MS, () => resolve(undefined))
    })
  })
  return {
    inTime: (answer) => Promise.race([answer, over]),
    end: () => timer?.cancel(),
  }
}
