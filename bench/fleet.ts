import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { RedisNode } from '../test/chaos/fleet/redis-node.js'
import { freePort } from '../test/support/free-port.js'
import { makePostgresServer, type PostgresServer } from '../test/support/postgres-server.js'
import { createConnections, readStream } from './client.js'
import { benchScale } from './fleet-scale.js'
import { runTurns } from './latency.js'
import { startOurs } from './ours.js'
import { median, quantile, type Row, row } from './statistics.js'

/**
 * What the engines of many machines cost a turn, on this machine and by its loopback, in runs that alternate; and how many turns a
 * second one to three replicas serve that share PostgreSQL, Redis and these processors.
 */
const PER_SECOND = 40
const SECONDS = 4
const ROUNDS = 6
const FIRST_AFTER_MS = 20
/** more than SQLite and no Redis may add to the median of the first content, ms */
const MOST_ADDED_MS = 1.5
const MOST_RATIO_P99 = 1.3

const STREAMS = 24
const EVENTS = 5
const LOAD_MS = 5_000
const LOAD_ROUNDS = 3

type Service = Awaited<ReturnType<typeof startOurs>>
type Name = 'SQLite' | 'PostgreSQL' | 'SQLite, Redis' | 'PostgreSQL, Redis'

export async function benchFleet(upstream: string, report: (text: string) => void): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'chat-cutover-bench-'))
  const here = { through: [], address: '127.0.0.1' }
  const postgres = await makePostgresServer({
    host: here.address,
    port: await freePort(),
    through: here.through,
    isDurable: true,
  })
  const redis = await RedisNode.start(here, folder, await freePort())
  try {
    await postgres.start()
    const added = await benchEngines(upstream, postgres, redis, report)
    const replicas = await benchReplicas(upstream, postgres, redis, report)
    await benchScale(postgres, redis, report)
    return [...added, ...replicas]
  } finally {
    await Promise.all([redis.kill(), postgres.remove()])
    rmSync(folder, { recursive: true, force: true })
  }
}

async function benchEngines(
  upstream: string,
  postgres: PostgresServer,
  redis: RedisNode,
  report: (text: string) => void,
): Promise<Row[]> {
  const withPostgres = { CHAT_DATABASE: postgres.url() }
  const services: Readonly<Record<Name, Service>> = {
    SQLite: await startOurs(upstream),
    PostgreSQL: await startOurs(upstream, withPostgres),
    'SQLite, Redis': await startOurs(upstream, { CHAT_REDIS_URL: `${redis.url}?prefix=one` }),
    'PostgreSQL, Redis': await startOurs(upstream, {
      ...withPostgres,
      CHAT_REDIS_URL: `${redis.url}?prefix=two`,
    }),
  }
  const names: readonly Name[] = ['SQLite', 'PostgreSQL', 'SQLite, Redis', 'PostgreSQL, Redis']
  const seen: Record<Name, number[]> = {
    SQLite: [],
    PostgreSQL: [],
    'SQLite, Redis': [],
    'PostgreSQL, Redis': [],
  }
  const message = JSON.stringify({ events: EVENTS, everyMs: 10, firstAfterMs: FIRST_AFTER_MS })
  try {
    for (let round = 0; round <= ROUNDS; round += 1)
      for (const name of names) {
        const { url, bearer } = services[name]
        const target = {
          url: `${url}/api/v1/chat/start`,
          headers: { authorization: bearer },
          body: { agentId: 'assistant', message },
        }
        const times = await runTurns(target, SECONDS, PER_SECOND)
        if (round === 0) continue // warm-up
        seen[name].push(...times)
        report(
          `fleet, round ${round}/${ROUNDS}: ${name} p50 ${quantile(times, 0.5).toFixed(2)} p99 ${quantile(times, 0.99).toFixed(2)} ms`,
        )
      }
  } finally {
    await Promise.all(names.map((name) => services[name].stop()))
  }
  return [
    ...compared('PostgreSQL / SQLite', seen.SQLite, seen.PostgreSQL),
    ...compared('Redis on / off, with SQLite', seen.SQLite, seen['SQLite, Redis']),
    ...compared('Redis on / off, with PostgreSQL', seen.PostgreSQL, seen['PostgreSQL, Redis']),
  ]
}

/** The first content of the user, with what the upstream takes (20 ms) in both. */
function compared(what: string, floor: readonly number[], ours: readonly number[]): Row[] {
  const half = row(`first content, p50: ${what}`, 'ms', quantile(floor, 0.5), quantile(ours, 0.5))
  const isMet = half.ours - half.floor <= MOST_ADDED_MS
  return [
    { ...half, target: `≤ +${MOST_ADDED_MS} ms`, met: isMet },
    row(`first content, p99: ${what}`, 'ms', quantile(floor, 0.99), quantile(ours, 0.99), MOST_RATIO_P99),
  ]
}

async function benchReplicas(
  upstream: string,
  postgres: PostgresServer,
  redis: RedisNode,
  report: (text: string) => void,
): Promise<Row[]> {
  const env = {
    CHAT_DATABASE: postgres.url(),
    CHAT_FLAG_STORE: 'postgres:',
    CHAT_REDIS_URL: `${redis.url}?prefix=fleet`,
  }
  const replicas: Service[] = []
  const perSecond: number[][] = [[], [], []]
  try {
    for (const name of ['a', 'b', 'c'])
      replicas.push(await startOurs(upstream, { ...env, CHAT_REPLICA: name }))
    for (let round = 0; round <= LOAD_ROUNDS; round += 1)
      for (const [at, seen] of perSecond.entries()) {
        const turns = await load(replicas.slice(0, at + 1))
        if (round === 0) continue // warm-up
        seen.push(turns)
        report(`fleet, round ${round}/${LOAD_ROUNDS}: ${at + 1} replicas ${turns.toFixed(0)} turns/s`)
      }
  } finally {
    await Promise.all(replicas.map((replica) => replica.stop()))
  }
  const [one, two, three] = perSecond.map((seen) => median(seen))
  const on = `${cpus().length} cores with engines, upstream and load on them`
  return [
    row(`turns of ${EVENTS} events, ${on}: 2 replicas / 1`, '1/s', one ?? Number.NaN, two ?? Number.NaN),
    row(`turns of ${EVENTS} events, ${on}: 3 replicas / 1`, '1/s', one ?? Number.NaN, three ?? Number.NaN),
  ]
}

/** As fast as they go over the replicas in turn; gives the turns a second. */
async function load(replicas: readonly Service[]): Promise<number> {
  const body = {
    agentId: 'assistant',
    message: JSON.stringify({ events: EVENTS, everyMs: 0, firstAfterMs: 0 }),
  }
  const connections = createConnections()
  const startedAt = performance.now()
  let turns = 0
  await Promise.all(
    Array.from({ length: STREAMS }, async (_, stream) => {
      const replica = replicas[stream % replicas.length]
      if (replica === undefined) return
      while (performance.now() - startedAt < LOAD_MS) {
        const url = `${replica.url}/api/v1/chat/start`
        const { complete } = await readStream(connections, url, { authorization: replica.bearer }, body)
        if (!complete) throw new Error('a stream ended without its terminal event')
        turns += 1
      }
    }),
  )
  const seconds = (performance.now() - startedAt) / 1000
  connections.destroy()
  return turns / seconds
}
