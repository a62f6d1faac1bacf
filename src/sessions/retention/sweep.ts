import type { Clock, Timer } from '../../core/clock.js'
import { errorText } from '../../core/errors.js'
import type { Logger } from '../../core/logger.js'
import type { SessionStore } from '../session-store.js'
import { BelievedWall } from './believed-wall.js'

const DAY_MS = 86_400_000
/** ms from the start to the first round: a start has enough to do */
const FIRST_MS = 60_000
const EVERY_MS = 3_600_000
/** ms between two steps: the event loop has its turn, and other writers theirs */
const PAUSE_MS = 20

export interface SweepOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** CHAT_RETENTION_DAYS, above 0 */
  readonly days: number
  readonly sessions: Pick<SessionStore, 'eraseIdle' | 'newestTurnAt'>
}

export interface Sweep {
  stop(): void
}

/** Erases conversations in which nothing was said for so many days, each hour, a few at a time. */
export function startSweep({ clock, logger, days, sessions }: SweepOptions): Sweep {
  const believed = new BelievedWall(clock)
  let stopped = false
  let timer = later(FIRST_MS)

  function later(delayMs: number): Timer {
    // A round never rejects: it tells its own fault.
    return clock.schedule(delayMs, () => void round())
  }

  async function round(): Promise<void> {
    let erased = 0
    try {
      erased = await steps()
    } catch (thrown) {
      if (!stopped)
        logger.warn({ error: errorText(thrown) }, '[Sessions] old conversations wait to be erased')
    }
    if (erased > 0) logger.info({ erased, days }, '[Sessions] old conversations were erased')
    if (!stopped) timer = later(EVERY_MS)
  }

  async function steps(): Promise<number> {
    let erased = 0
    for (let after: string | undefined, more = true; more && !stopped; ) {
      const now = believed.now(await sessions.newestTurnAt())
      if (now === undefined) break
      const step = await sessions.eraseIdle(now - days * DAY_MS, after)
      erased += step.erased
      after = step.next
      more = after !== undefined
      if (more) await new Promise<void>((resolve) => (timer = clock.schedule(PAUSE_MS, resolve)))
    }
    return erased
  }

  return {
    stop() {
      stopped = true
      timer.cancel()
    },
  }
}
