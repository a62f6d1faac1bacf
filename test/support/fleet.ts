import { randomUUID } from 'node:crypto'
import { systemClock } from '../../src/core/clock.js'
import { nodeRedis } from '../../src/core/redis/node-redis.js'
import { openRedis } from '../../src/core/redis/open-redis.js'
import type { RedisLink } from '../../src/core/redis/redis-link.js'
import { parseRedisUrl } from '../../src/core/redis/redis-url.js'
import { createFleetStreams, type FleetStreams } from '../../src/http/fleet/fleet-streams.js'
import { capturingLogger } from './capturing-logger.js'
import { type Edge, type EdgeOptions, startEdge } from './edge.js'
import { until } from './until.js'

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

/** An edge that shares its streams through Redis and keeps a turn whose reader left. `close` closes all of it. */
export interface Replica {
  readonly edge: Edge
  readonly link: RedisLink
  readonly fleet: FleetStreams
  close(): Promise<void>
}

export async function openReplica(url: string, options: EdgeOptions = {}): Promise<Replica> {
  const link = redisLink(url)
  const fleet = fleetStreams(link)
  const edge = await startEdge({ reconnectGraceMs: 60_000, fleet, ...options })
  link.start()
  fleet.start()
  await until('Redis', () => link.isUp)
  return {
    edge,
    link,
    fleet,
    async close() {
      await edge.close()
      await fleet.close()
      await link.close()
    },
  }
}
