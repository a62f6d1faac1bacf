/**
 * Turns that begin in one round of the event loop; the others wait for the next rounds. A round is as long as what there is to do in it:
 * the more the running turns need, the fewer begin in a second, without any measurement. With the 1 ms of CPU that
 * `overload-simulation.test.ts` assumes for the beginning of a turn, these add at most 16 ms to a round.
 */
const PER_ROUND = {
  new: 8,
  /** a turn of a session is refused later than a new session */
  next: 16,
} as const

/** How fast turns begin. */
export interface StartPace {
  /** whether one more may begin in this round */
  mayStart(kind: 'new' | 'next'): boolean
  /** One has begun. */
  started(): void
  /** Called after each round in which turns began. One listener. */
  onRound(listener: () => void): void
}

/** @param afterRound runs its argument once, when what this round of the event loop has read is done */
export function createStartPace(afterRound: (callback: () => void) => void): StartPace {
  let started = 0
  let tell: () => void = () => undefined
  return {
    mayStart: (kind) => started < PER_ROUND[kind],
    started() {
      started += 1
      if (started > 1) return
      afterRound(() => {
        started = 0
        tell()
      })
    },
    onRound(listener) {
      tell = listener
    },
  }
}

/** As many at once as come. */
export const NO_PACE: StartPace = { mayStart: () => true, started: () => undefined, onRound: () => undefined }
