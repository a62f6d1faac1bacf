import type { Clock, Timer } from '../core/clock.js'
import { type Asking, type Capacity, FairQueue, type OwnLine } from './fair-queue.js'
import { createLineTrend, NO_PACE, type StartPace } from './start-pace.js'

/** ms a turn may wait; its client waits with it and has seen nothing yet. Short beside a turn: all who are served wait so long in an overload */
const WAIT_MS = 200
/** ms in all in a burst, and where another org that waits asks for much more, for its weight: that org's turns are in its way */
const LONG_WAIT_MS = 1_000
/** ms between two looks whether a burst goes on */
const BURST_LOOK_MS = 100
/** of the places, so many turns of one org may wait: what ends in a twentieth of a turn's time serves them all */
const WAITING_SHARE = 0.05
/** of one org, where the places are few; never more than there are places */
const LEAST_WAITING = 10
/** in all as many as there are places, and never more than this: each waits with a request and a timer */
const MOST_WAITING = 5_000

/** Places for open streams, shared fairly among orgs while all are taken. */
export interface FairPlaces {
  /**
   * A place, given back by the function; undefined where none gets free while the turn waits: at most 200 ms, or a second in a burst
   * and where another org that waits asks for much more. Never rejects.
   */
  take(asking: Asking): Promise<(() => void) | undefined>
  /**
   * A place at once or none: for a caller that only reads. Refused only where `most` streams are open; an overload does not count, because a
   * turn ends whose reader is kept away.
   */
  takeNow(orgId: string, most: number): (() => void) | undefined
  /** Whether `take` would refuse such a turn at once. One that is refused then is counted as one that came. */
  wouldRefuse(asking: Asking): boolean
  /** To be called when there may be more places than before. */
  fill(): void
  /** whether turns wait though there are places for them: too many others are about to begin */
  readonly holdsBack: boolean
  readonly taken: number
  /** turns that wait for a place */
  readonly waiting: number
}

export interface FairPlacesDeps {
  readonly clock: Clock
  /** asked with each turn */
  capacity(): Pick<Capacity, 'places' | 'newPlaces'>
  /** default: as many turns begin at once as there are places */
  readonly pace?: StartPace
}

/** ms that the head of a line has to have waited before that tells how fast turns begin */
const TELLING_WAIT_MS = WAIT_MS / 2
/** so many turns more than were before the head are taken to have begun meanwhile: one long round says little about the next ones */
const SURE_STARTS = 32

interface Waiting extends Asking {
  /** monotonic ms */
  readonly since: number
  timer: Timer | undefined
  end(placed: boolean): void
}

export function createFairPlaces({ clock, capacity, pace = NO_PACE }: FairPlacesDeps): FairPlaces {
  const trend = createLineTrend()
  /** monotonic ms of the last place that went to one who waited */
  let grantedAt = 0

  /** There is a place for each turn that waits, and more of them begin than come. */
  const isBurst = (): boolean => {
    const { places, newPlaces } = capacity()
    if (newPlaces < places || queue.taken >= places) return false
    return !trend.isGrowing(clock.monotonic())
  }
  const isTooSlow = ({ head, wereAhead, ahead }: OwnLine<Waiting>): boolean => {
    // Not until now: while this round of the event loop reads requests, no turn begins.
    const waitedMs = grantedAt - head.since
    if (waitedMs < TELLING_WAIT_MS) return false
    const expectedMs = (waitedMs * ahead) / (wereAhead + SURE_STARTS)
    return expectedMs > (isBurst() ? LONG_WAIT_MS : WAIT_MS)
  }
  const queue = new FairQueue(() => withLine(capacity()), pace, isTooSlow)

  const grant = (placed: readonly Waiting[]): void => {
    if (placed.length === 0) return
    grantedAt = clock.monotonic()
    for (const one of placed) {
      trend.began(grantedAt)
      one.end(true)
    }
  }

  const givingBack = (orgId: string): (() => void) => {
    let isBack = false
    return () => {
      if (isBack) return
      isBack = true
      grant(queue.leave(orgId))
    }
  }

  const fill = (): void => {
    if (queue.waiting > 0) grant(queue.fill())
  }
  pace.onRound(fill)

  return {
    get holdsBack() {
      return queue.holdsBack
    },
    get taken() {
      return queue.taken
    },
    get waiting() {
      return queue.waiting
    },
    wouldRefuse(asking) {
      const isRefused = queue.wouldRefuse(asking)
      if (isRefused) trend.came(clock.monotonic())
      return isRefused
    },
    fill,
    take({ orgId, weight, kind }) {
      fill()
      return new Promise((resolve) => {
        const asking: Waiting = {
          orgId,
          weight,
          kind,
          since: clock.monotonic(),
          timer: undefined,
          end(placed) {
            asking.timer?.cancel()
            resolve(placed ? givingBack(orgId) : undefined)
          },
        }
        const arrival = queue.arrive(asking)
        if (arrival.kind !== 'placed') trend.came(asking.since)
        if (arrival.kind !== 'waits') {
          asking.end(arrival.kind === 'placed')
          return
        }
        arrival.pushedOut?.end(false)
        const giveUp = (): void => {
          if (queue.withdraw(asking)) asking.end(false)
        }
        const lookAgain = (): void => {
          const waited = clock.monotonic() - asking.since
          if (waited < LONG_WAIT_MS && queue.asksLess(asking))
            asking.timer = clock.schedule(LONG_WAIT_MS - waited, giveUp)
          else if (waited < LONG_WAIT_MS && isBurst()) asking.timer = clock.schedule(BURST_LOOK_MS, lookAgain)
          else giveUp()
        }
        asking.timer = clock.schedule(WAIT_MS, lookAgain)
      })
    },
    takeNow(orgId, most) {
      fill()
      return queue.placeNow(orgId, most) ? givingBack(orgId) : undefined
    },
  }
}

function withLine({ places, newPlaces }: Pick<Capacity, 'places' | 'newPlaces'>): Capacity {
  // Fewer are served while new sessions are held back, so fewer may wait.
  const served = Math.min(places, newPlaces)
  // Places often end together. A line only as long as one org's would be empty then, and the org that asks most would take the rest.
  const waiting = Math.min(served, MOST_WAITING)
  const waitingOfOrg = Math.max(Math.ceil(served * WAITING_SHARE), Math.min(served, LEAST_WAITING))
  return { places, newPlaces, waiting, waitingOfOrg }
}
