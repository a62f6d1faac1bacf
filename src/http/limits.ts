import type { AppDeps } from './app-deps.js'
import type { Identity } from './auth/claims.js'
import { retryLater } from './edge/problems.js'
import { createRateLimiter } from './rate-limit.js'
import type { TurnPlace } from './turns.js'

/** Whether a turn may begin at all. */
export interface Limits {
  /** Takes a place among the running turns; the caller closes it. @throws Problem 429 or 503 with `Retry-After` */
  admit(identity: Identity): TurnPlace
}

/** s after which a refused client may come back: a start takes about one, a rolling restart some more */
const RETRY_AFTER = { starting: 1, draining: 5, overloaded: 1 } as const

export function createLimits({ config, clock, turns, lifecycle }: AppDeps): Limits {
  const rates = createRateLimiter(config.turnsPerMinute, clock)
  return {
    admit({ orgId, userId }) {
      const state = lifecycle.state()
      if (state === 'starting' || state === 'draining') throw retryLater(state, RETRY_AFTER[state])
      if (turns.count >= config.maxStreams) throw retryLater('overloaded', RETRY_AFTER.overloaded)
      const waitSeconds = rates.take(JSON.stringify([orgId, userId]))
      if (waitSeconds > 0) throw retryLater('rate_limited', waitSeconds)
      return turns.open()
    },
  }
}
