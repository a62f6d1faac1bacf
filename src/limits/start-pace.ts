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

/** ms of one bucket; two of them are looked at */
const BUCKET_MS = 100

/** How many turns came to a line in the last moments, and how many of them began. Knows no clock: times are monotonic ms. */
export interface LineTrend {
  came(at: number): void
  began(at: number): void
  /**
   * Whether at least as many came as began, in the last 100 to 200 ms. False where none came or began: some begin in each round of the
   * event loop, so the process has stood still, and the next rounds will tell.
   */
  isGrowing(at: number): boolean
}

export function createLineTrend(): LineTrend {
  let bucket = 0
  let now = { came: 0, began: 0 }
  let before = now
  const roll = (at: number): void => {
    const current = Math.floor(at / BUCKET_MS)
    if (current === bucket) return
    before = current === bucket + 1 ? now : { came: 0, began: 0 }
    now = { came: 0, began: 0 }
    bucket = current
  }
  return {
    came(at) {
      roll(at)
      now.came += 1
    },
    began(at) {
      roll(at)
      now.began += 1
    },
    isGrowing(at) {
      roll(at)
      const came = now.came + before.came
      const began = now.began + before.began
      return came >= began && came > 0
    },
  }
}
