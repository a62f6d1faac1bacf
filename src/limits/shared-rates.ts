import { createHash } from 'node:crypto'
import { bounded } from '../core/bounded.js'
import type { Clock } from '../core/clock.js'
import type { RedisLink, RedisReply } from '../core/redis/redis-link.js'
import { createStartRates, type Quota, type RateAsk, type StartRates } from './start-rates.js'

export interface SharedRatesOptions {
  readonly link: RedisLink
  readonly clock: Clock
}

/** ms that the start of a turn waits for Redis */
const ANSWER_MS = 100
/** ms in which Redis is not asked after it was late: not every turn is to wait */
const REST_MS = 1_000
const MINUTE_SECONDS = 60

/**
 * One token bucket, as in memory, by the server's clock. ARGV: starts in a minute, and 1 to take a start or -1 to give it back. A
 * bucket that nobody used for a minute is full, so it expires then. Answers whether it was taken, and what is left as text: a number would be cut.
 */
const BUCKET = `
local limit, cost = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local known = redis.call('HMGET', KEYS[1], 'tokens', 'limit', 'at')
local tokens = limit
if known[1] then
  tokens = tonumber(known[1]) * limit / tonumber(known[2])
  tokens = math.min(limit, tokens + math.max(0, now - tonumber(known[3])) * limit / 60000)
end
local taken = 0
if cost < 0 or tokens >= 1 then
  taken = 1
  tokens = math.min(limit, tokens - cost)
end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'limit', limit, 'at', string.format('%.3f', now))
redis.call('PEXPIRE', KEYS[1], 61000)
return { taken, tostring(tokens) }`

interface Bucket {
  readonly limit: number
  readonly tokens: number
  readonly isTaken: boolean
}

/** Starts in a minute, counted over all replicas. While Redis does not answer in time, each replica counts its own. */
export function createSharedRates({ link, clock }: SharedRatesOptions): StartRates {
  const own = createStartRates(clock)
  let restUntil = Number.NEGATIVE_INFINITY

  const ask = async ({ key, limit }: RateAsk, cost: 1 | -1): Promise<Bucket> => {
    // No names of users in Redis; each key has a hash tag of its own, so a Cluster spreads them.
    const name = `${link.prefix}:{${createHash('sha256').update(key).digest('base64url')}}:starts`
    return bucketOf(await link.call(name, 'EVAL', BUCKET, '1', name, String(limit), String(cost)), limit)
  }

  /** Undefined where Redis does not answer in time. */
  const askAll = async (asks: readonly RateAsk[], cost: 1 | -1): Promise<readonly Bucket[] | undefined> => {
    if (!link.isUp || clock.monotonic() < restUntil) return undefined
    const work = Promise.all(asks.map((one) => ask(one, cost)))
    const buckets = await bounded(work, ANSWER_MS, clock).catch(() => 'failed' as const)
    if (typeof buckets !== 'string') return buckets
    restUntil = clock.monotonic() + REST_MS
    return undefined
  }

  return {
    async take(asks) {
      if (asks.length === 0) return own.take(asks)
      const buckets = await askAll(asks, 1)
      if (buckets === undefined) return own.take(asks)
      const waits = buckets.map(secondsToWait)
      const waitSeconds = Math.max(0, ...waits)
      if (waitSeconds === 0) return { quotas: buckets.map(quotaOf) }
      // A start is taken of every limit or of none.
      const taken = asks.filter((_, at) => buckets[at]?.isTaken === true)
      if (taken.length > 0) await askAll(taken, -1)
      const quotas = buckets.map((bucket) =>
        quotaOf(bucket.isTaken ? { ...bucket, tokens: bucket.tokens + 1 } : bucket),
      )
      return { quotas, refused: { by: waits.indexOf(waitSeconds), waitSeconds } }
    },
    async giveBack(asks) {
      if (asks.length > 0 && (await askAll(asks, -1)) === undefined) await own.giveBack(asks)
    },
  }
}

/** @throws for an answer of another form: it counts as none */
function bucketOf(reply: RedisReply, limit: number): Bucket {
  const [taken, left] = Array.isArray(reply) ? reply : []
  const tokens = Number.parseFloat(String(left))
  if (!Number.isFinite(tokens)) throw new Error('not a bucket')
  return { limit, tokens, isTaken: taken === 1 }
}

function secondsToWait({ tokens, limit, isTaken }: Bucket): number {
  if (isTaken) return 0
  return Math.max(1, Math.ceil(((1 - tokens) * MINUTE_SECONDS) / limit))
}

const quotaOf = ({ tokens, limit }: Bucket): Quota => ({
  limit,
  remaining: Math.max(0, Math.floor(tokens)),
  resetSeconds: Math.ceil(((limit - tokens) * MINUTE_SECONDS) / limit),
  windowSeconds: MINUTE_SECONDS,
})
