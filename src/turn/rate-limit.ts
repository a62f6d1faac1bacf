import type { Clock } from '../core/clock.js'

/** Users remembered; one forgotten starts with a full bucket, and a bucket nobody used for a minute is full anyway. */
const MAX_USERS = 10_000

interface Bucket {
  tokens: number
  /** monotonic ms of the last refill */
  at: number
}

/** What is left of the turns of one user. */
export interface Quota {
  /** turns in a minute */
  readonly limit: number
  /** whole turns that may begin now */
  readonly remaining: number
  /** whole seconds until all of them may */
  readonly resetSeconds: number
}

export interface RateLimiter {
  /** Takes one turn of `user`: 0, or the whole seconds to wait before the next try. */
  take(user: string): number
  /** After `take`; undefined where there is no limit. */
  quota(user: string): Quota | undefined
}

/** Token buckets: `perMinute` turns at once, refilled evenly over the minute. 0 = no limit. */
export function createRateLimiter(perMinute: number, clock: Clock): RateLimiter {
  if (perMinute === 0) return { take: () => 0, quota: () => undefined }
  const perMs = perMinute / 60_000
  const buckets = new Map<string, Bucket>()
  return {
    take(user) {
      const now = clock.monotonic()
      const bucket = buckets.get(user) ?? { tokens: perMinute, at: now }
      bucket.tokens = Math.min(perMinute, bucket.tokens + (now - bucket.at) * perMs)
      bucket.at = now
      // Set again: the map's order is then that of the last use, and the first key the one to forget.
      buckets.delete(user)
      buckets.set(user, bucket)
      const oldest = buckets.size > MAX_USERS ? buckets.keys().next().value : undefined
      if (oldest !== undefined) buckets.delete(oldest)
      if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / perMs / 1000))
      bucket.tokens -= 1
      return 0
    },
    quota(user) {
      const bucket = buckets.get(user)
      const now = clock.monotonic()
      const tokens =
        bucket === undefined ? perMinute : Math.min(perMinute, bucket.tokens + (now - bucket.at) * perMs)
      return {
        limit: perMinute,
        remaining: Math.floor(tokens),
        resetSeconds: Math.ceil((perMinute - tokens) / perMs / 1000),
      }
    },
  }
}
