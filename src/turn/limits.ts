import type { Clock } from '../core/clock.js'
import type { SessionOwner } from '../sessions/session-store.js'
import { createRateLimiter, type Quota } from './rate-limit.js'
import { TurnRefused } from './turn-refused.js'
import type { TurnPlace, TurnRegistry } from './turn-registry.js'

/** Whether a turn may begin at all. */
export interface Limits {
  /**
   * Takes a place among the running turns; the caller closes it.
   * @param tell told what is left of the asker's turns, where they are limited; also when this one is refused for that
   * @throws TurnRefused
   */
  admit(asker: SessionOwner, tell?: (quota: Quota) => void): TurnPlace
  /** Takes a place for one who only reads a turn; the caller closes it. Also while draining. @throws TurnRefused */
  admitReader(): Pick<TurnPlace, 'close'>
}

export interface LimitsDeps {
  readonly config: { readonly maxStreams: number; readonly turnsPerMinute: number }
  readonly clock: Clock
  readonly turns: Pick<TurnRegistry, 'count' | 'open'>
  readonly lifecycle: { state(): 'starting' | 'ready' | 'leaving' | 'draining' }
}

/** s after which a refused client may come back: a start takes about one, a rolling restart some more */
const RETRY_AFTER = { starting: 1, draining: 5, overloaded: 1 } as const

export function createLimits({ config, clock, turns, lifecycle }: LimitsDeps): Limits {
  const rates = createRateLimiter(config.turnsPerMinute, clock)
  return {
    admit({ orgId, userId }, tell) {
      const state = lifecycle.state()
      if (state === 'starting' || state === 'draining') throw new TurnRefused(state, RETRY_AFTER[state])
      if (turns.count >= config.maxStreams) throw new TurnRefused('overloaded', RETRY_AFTER.overloaded)
      const user = JSON.stringify([orgId, userId])
      const waitSeconds = rates.take(user)
      const quota = rates.quota(user)
      if (quota !== undefined) tell?.(quota)
      if (waitSeconds > 0) throw new TurnRefused('rate_limited', waitSeconds)
      return turns.open()
    },
    admitReader() {
      if (turns.count >= config.maxStreams) throw new TurnRefused('overloaded', RETRY_AFTER.overloaded)
      const place = turns.open()
      // There is nothing to abort: it ends with the turn that it reads.
      place.ended()
      return place
    },
  }
}
