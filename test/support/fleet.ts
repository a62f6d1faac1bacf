import { randomUUID } from 'node:crypto'
import { systemClock } from '../../src/core/clock.js'
import { nodeRedis } from '../../src/core/redis/node-redis.js'
import { openRedis } from '../../src/core/redis/open-redis.js'
import type { RedisLink } from '../../src/core/redis/redis-link.js'
import { parseRedisUrl } from '../../src/core/redis/redis-url.js'
import { createFleetStreams, type FleetStreams } from '../../src/http/fleet/fleet-streams.js'
import { capturingLogger } from './capturing-logger.js'

/** Not connected before `start`. */
export function redisLink(url: string): RedisLink {
  const address = parseRedisUrl(url)
  if (address === undefined) throw new Error(`not a Redis URL: ${url}`)
  const { logger } = capturingLogger()
  return openRedis({
    clock: systemClock,
    logger,
    prefix: address.prefix,
    connect: () => nodeRedis(address),
  })
}

/** Streams of a replica with a name of its own. */
export const fleetStreams = (link: RedisLink): FleetStreams =>
  createFleetStreams({ link, clock: systemClock, replica: randomUUID(), ids: { newId: randomUUID } })
