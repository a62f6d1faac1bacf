import { setTimeout as sleep } from 'node:timers/promises'
import { ENGINE_AWAY, type FleetRow } from './fleet-row.js'
import type { FleetStage } from './fleet-stage.js'

/** Engines and backends killed, hung, restarted, their disk full. */

/** ms that an engine stays away once that was noticed */
const AWAY_MS = 3000

const GAUGES = { postgres: 'chat_store_available', redis: 'chat_redis_up' } as const
const NAMES = { postgres: 'PostgreSQL', redis: 'Redis' } as const
type Engine = keyof typeof GAUGES

const noticed = (stage: FleetStage, engine: Engine, value: 0 | 1): Promise<number> =>
  Promise.all(stage.replicas.map(({ name }) => stage.gaugeIs(name, GAUGES[engine], value))).then((all) =>
    Math.max(...all),
  )

/** Away until every replica knows it and for a while longer. */
const away = (
  engine: Engine,
  what: string,
  begin: (stage: FleetStage) => Promise<void> | void,
  end: (stage: FleetStage) => Promise<void> | void,
): FleetRow => ({
  name: `${NAMES[engine]} ${what}`,
  trips: 0,
  tolerates: ENGINE_AWAY,
  async drill(stage) {
    await begin(stage)
    const noticedMs = await noticed(stage, engine, 0)
    const since = performance.now()
    await sleep(AWAY_MS)
    const sent = stage.traffic.ended.filter(({ startedAt }) => startedAt > since).length
    await end(stage)
    const backMs = await noticed(stage, engine, 1)
    return [
      `noticed by all after ${Math.round(noticedMs)} ms, back ${Math.round(backMs)} ms after it was; ${sent} turns in ${AWAY_MS / 1000} s without it`,
    ]
  },
})

/** Back before anybody has to know. */
const restarted = (engine: Engine, restart: (stage: FleetStage) => Promise<void>): FleetRow => ({
  name: `${NAMES[engine]} restarted`,
  trips: 0,
  tolerates: ENGINE_AWAY,
  async drill(stage) {
    const since = performance.now()
    await restart(stage)
    const downMs = performance.now() - since
    const backMs = await noticed(stage, engine, 1)
    return [`away for ${Math.round(downMs)} ms, back ${Math.round(backMs)} ms later`]
  },
})

const postgresFull: FleetRow = {
  name: 'disk of PostgreSQL full',
  trips: 0,
  tolerates: ENGINE_AWAY,
  disk: 'postgres',
  async drill(stage, disk) {
    disk?.fill()
    const noticedMs = await noticed(stage, 'postgres', 0)
    const since = performance.now()
    await sleep(AWAY_MS)
    const sent = stage.traffic.ended.filter(({ startedAt }) => startedAt > since).length
    disk?.makeRoom()
    // Without room for its log the server ends itself; an operator starts it again.
    await stage.postgres.stop('immediate')
    await stage.postgres.start()
    const backMs = await noticed(stage, 'postgres', 1)
    return [
      `noticed by all after ${Math.round(noticedMs)} ms, back ${Math.round(backMs)} ms after it was; ${sent} turns in ${AWAY_MS / 1000} s without it`,
    ]
  },
}

/** Redis answers, and refuses what is written. */
const redisFull: FleetRow = {
  name: 'disk of Redis full',
  trips: 0,
  tolerates: ENGINE_AWAY,
  disk: 'redis',
  async drill(stage, disk) {
    disk?.fill()
    const since = performance.now()
    await sleep(2 * AWAY_MS)
    const sent = stage.traffic.ended.filter(({ startedAt }) => startedAt > since).length
    disk?.makeRoom()
    const backMs = await noticed(stage, 'redis', 1)
    return [`${sent} turns meanwhile; back ${Math.round(backMs)} ms after there was room`]
  },
}

/** The override acts in memory, and is written once PostgreSQL is back. */
const postgresAndRuntime: FleetRow = {
  name: 'PostgreSQL killed, then the runtime',
  trips: 1,
  tripsInMemory: true,
  tolerates: ENGINE_AWAY,
  tellsReaders: true,
  async drill(stage) {
    await stage.postgres.stop('immediate')
    await noticed(stage, 'postgres', 0)
    const since = stage.runtime.kill()
    const inForce = await Promise.all(stage.replicas.map(({ name }) => stage.nextTurnOf(name, since)))
    await sleep(AWAY_MS)
    const startedAt = performance.now()
    await stage.postgres.start()
    const { at } = await stage.storeIs('fallback', startedAt)
    await sleep(AWAY_MS)
    const trips = stage.watch.last?.trips
    if (trips !== 1) throw new Error(`the store counts ${trips} trips`)
    await stage.runtime.restart()
    return [
      `in memory of all after ${Math.round(Math.max(...inForce) - since)} ms, in the store ${Math.round(at - startedAt)} ms after PostgreSQL was started`,
    ]
  },
}

const flagd = (
  what: string,
  begin: (stage: FleetStage) => Promise<void> | void,
  end: (stage: FleetStage) => Promise<void> | void,
): FleetRow => ({
  name: `flagd ${what}, and the runtime killed`,
  trips: 1,
  flagd: true,
  tellsReaders: true,
  async drill(stage) {
    await begin(stage)
    const since = stage.runtime.kill()
    const { at } = await stage.storeIs('fallback', since)
    const inForce = await Promise.all(stage.replicas.map(({ name }) => stage.nextTurnOf(name, since)))
    await sleep(AWAY_MS)
    await stage.runtime.restart()
    await end(stage)
    return [
      `override after ${Math.round(at - since)} ms, in force everywhere after ${Math.round(Math.max(...inForce) - since)} ms`,
    ]
  },
})

const backend = (
  what: string,
  begin: (stage: FleetStage) => void,
  end: (stage: FleetStage) => Promise<void> | void,
): FleetRow => ({
  name: `the runtime ${what}`,
  trips: 1,
  tellsReaders: true,
  async drill(stage) {
    const since = performance.now()
    begin(stage)
    const { at } = await stage.storeIs('fallback', since)
    await sleep(AWAY_MS)
    await end(stage)
    return [`override after ${Math.round(at - since)} ms`]
  },
})

export const ENGINE_ROWS: readonly FleetRow[] = [
  away(
    'postgres',
    'killed',
    ({ postgres }) => postgres.stop('immediate'),
    ({ postgres }) => postgres.start(),
  ),
  away(
    'postgres',
    'hung (SIGSTOP)',
    ({ postgres }) => postgres.pause(),
    ({ postgres }) => postgres.resume(),
  ),
  restarted('postgres', async ({ postgres }) => {
    await postgres.stop('fast')
    await postgres.start()
  }),
  postgresFull,
  postgresAndRuntime,
  away(
    'redis',
    'killed',
    ({ redis }) => redis.kill(),
    ({ redis }) => redis.start(),
  ),
  away(
    'redis',
    'hung (SIGSTOP)',
    ({ redis }) => redis.hang(),
    ({ redis }) => redis.resume(),
  ),
  restarted('redis', async ({ redis }) => {
    await redis.kill()
    await redis.start()
  }),
  redisFull,
  flagd(
    'killed',
    (stage) => stage.flagd.kill(),
    (stage) => stage.flagd.restart(),
  ),
  flagd(
    'hung (SIGSTOP)',
    (stage) => stage.flagd.freeze(),
    (stage) => stage.flagd.thaw(),
  ),
  backend(
    'killed',
    ({ runtime }) => void runtime.kill(),
    ({ runtime }) => runtime.restart(),
  ),
  backend(
    'hung (SIGSTOP)',
    ({ runtime }) => runtime.freeze(),
    ({ runtime }) => runtime.thaw(),
  ),
]
