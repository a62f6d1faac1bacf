import type { Clock } from '../core/clock.js'
import { createLru } from '../core/lru.js'

/** Users and orgs remembered; one forgotten starts with a full bucket, and a bucket nobody used for a minute is full anyway. */
const MAX_KEYS = 20_000
const MINUTE_SECONDS = 60

/** What is left of one limit. */
export interface Quota {
  /** in a window */
  readonly limit: number
  /** of it now, whole */
  readonly remaining: number
  /** whole seconds until all of it is there again */
  readonly resetSeconds: number
  /** seconds of a window */
  readonly windowSeconds: number
}

/** A limit of starts that a turn has to keep: that of its user, or of its org. */
export interface RateAsk {
  readonly key: string
  /** starts in a minute, 1 or more */
  readonly limit: number
}

export interface Taken {
  /** in the order of the limits asked for */
  readonly quotas: readonly Quota[]
  /** absent where the start was taken: which limit refuses, and whole seconds until it may be tried again */
  readonly refused?: { readonly by: number; readonly waitSeconds: number }
}

/** Starts in a minute. In memory it answers at once; a store for several replicas may take its time. */
export interface StartRates {
  /** Takes one start of each limit, or of none. */
  take(asks: readonly RateAsk[]): Taken | Promise<Taken>
  /** The turn did not begin after all. */
  giveBack(asks: readonly RateAsk[]): void | Promise<void>
}

interface Bucket {
  tokens: number
  limit: number
  /** monotonic ms of the last refill */
  at: number
}

/** Token buckets: a minute's starts at once, refilled evenly over the minute. A limit that changes keeps the part of it that is used. */
export function createStartRates(clock: Clock): StartRates {
  const buckets = createLru<string, Bucket>(MAX_KEYS)

  const filled = ({ key, limit }: RateAsk): Bucket => {
    const now = clock.monotonic()
    const known = buckets.get(key)
    const bucket = known ?? { tokens: limit, limit, at: now }
    if (known === undefined) buckets.set(key, bucket)
    if (bucket.limit !== limit) bucket.tokens *= limit / bucket.limit
    bucket.limit = limit
    bucket.tokens = Math.min(limit, bucket.tokens + ((now - bucket.at) * limit) / 60_000)
    bucket.at = now
    return bucket
  }

  return {
    take(asks) {
      const asked = asks.map(filled)
      const waits = asked.map(secondsToWait)
      const waitSeconds = Math.max(0, ...waits)
      if (waitSeconds === 0) for (const bucket of asked) bucket.tokens -= 1
      const quotas = asked.map(quotaOf)
      return waitSeconds === 0
        ? { quotas }
        : { quotas, refused: { by: waits.indexOf(waitSeconds), waitSeconds } }
    },
    giveBack(asks) {
      for (const bucket of asks.map(filled)) bucket.tokens = Math.min(bucket.limit, bucket.tokens + 1)
    },
  }
}

function secondsToWait({ tokens, limit }: Bucket): number {
  if (tokens >= 1) return 0
  return Math.max(1, Math.ceil(((1 - tokens) * MINUTE_SECONDS) / limit))
}

const quotaOf = ({ tokens, limit }: Bucket): Quota => ({
  limit,
  remaining: Math.floor(tokens),
  resetSeconds: Math.ceil(((limit - tokens) * MINUTE_SECONDS) / limit),
  windowSeconds: MINUTE_SECONDS,
})
