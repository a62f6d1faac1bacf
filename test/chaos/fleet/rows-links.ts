import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../wait-for.js'
import { ENGINE_AWAY, type FleetRow } from './fleet-row.js'
import type { FleetStage } from './fleet-stage.js'

/** Links cut and healed. */

/** ms that a link stays cut once its loss was noticed */
const CUT_MS = 3000
/** where nothing has to be noticed */
const QUIET_CUT_MS = 6000

interface Direction {
  readonly words: string
  cut(stage: FleetStage, replica: string, other: string): void
}

const BOTH: Direction = {
  words: 'both ways',
  cut: (stage, replica, other) => stage.cut(replica, other, 'both ways'),
}
const THERE: Direction = {
  words: 'one way, to it',
  cut: (stage, replica, other) => stage.cut(replica, other, 'one way'),
}
const BACK: Direction = {
  words: 'one way, back from it',
  cut: (stage, replica, other) => stage.cut(other, replica, 'one way'),
}
const DIRECTIONS = [BOTH, THERE, BACK] as const

/** One replica alone has lost the runtime. */
const runtimeOfOne = ({ words, cut }: Direction): FleetRow => ({
  name: `link: one replica and the runtime, ${words}`,
  trips: 0,
  tellsReaders: true,
  async drill(stage) {
    const { traffic } = stage
    const { operator } = stage.replica('a')
    cut(stage, 'a', 'runtime')
    const noticedMs = await waitFor('it to know that it is alone', async () =>
      (await operator.status()).isolated ? '' : 'not isolated',
    )
    const since = performance.now()
    await sleep(CUT_MS)
    const sent = traffic.ended.filter(({ startedAt }) => startedAt > since)
    const astray = sent.filter(
      ({ replica, decided }) => (replica === 'a') === (decided === 'runtime_orchestrator'),
    )
    if (astray.length > 0) throw new Error(`${astray.length} of ${sent.length} turns decided wrongly`)
    stage.heal()
    return [
      `isolated after ${Math.round(noticedMs)} ms; ${sent.length} turns, only its own on the direct LLM`,
    ]
  },
})

const runtimeOfAll = ({ words, cut }: Direction): FleetRow => ({
  name: `link: all replicas and the runtime, ${words}`,
  trips: 1,
  tellsReaders: true,
  async drill(stage) {
    const since = performance.now()
    for (const { name } of stage.replicas) cut(stage, name, 'runtime')
    const { at } = await stage.storeIs('fallback', since)
    await sleep(CUT_MS)
    stage.heal()
    return [`override after ${Math.round(at - since)} ms`]
  },
})

/** Nobody can tell it that it is alone: it trips for all, and the others recover without it. */
const runtimeOfOneWithoutRedis: FleetRow = {
  name: 'Redis killed, and the link of one replica and the runtime cut',
  trips: 1,
  tolerates: ENGINE_AWAY,
  tellsReaders: true,
  async drill(stage) {
    await stage.redis.kill()
    await Promise.all(stage.replicas.map(({ name }) => stage.gaugeIs(name, 'chat_redis_up', 0)))
    const since = performance.now()
    BOTH.cut(stage, 'a', 'runtime')
    const { at } = await stage.storeIs('fallback', since)
    const normal = await stage.storeIs('normal', at)
    const { operator } = stage.replica('a')
    await waitFor('it to know that it is alone', async () =>
      (await operator.status()).isolated ? '' : 'not isolated',
    )
    stage.heal()
    await stage.redis.start()
    return [
      `override after ${Math.round(at - since)} ms, the others normal without it ${((normal.at - at) / 1000).toFixed(1)} s later`,
    ]
  },
}

/** An engine that one replica alone has lost. */
const engineOfOne = (engine: 'postgres' | 'redis', metric: string, { words, cut }: Direction): FleetRow => ({
  name: `link: one replica and ${engine === 'redis' ? 'Redis' : 'PostgreSQL'}, ${words}`,
  trips: 0,
  tolerates: ENGINE_AWAY,
  async drill(stage) {
    cut(stage, 'a', engine)
    const noticedMs = await stage.gaugeIs('a', metric, 0)
    const since = performance.now()
    await sleep(CUT_MS)
    const there = stage.traffic.ended.filter(({ replica, startedAt }) => replica === 'a' && startedAt > since)
    stage.heal()
    const backMs = await stage.gaugeIs('a', metric, 1)
    return [
      `noticed after ${Math.round(noticedMs)} ms, back ${Math.round(backMs)} ms after the heal; ${there.length} turns on it in ${CUT_MS / 1000} s`,
    ]
  },
})

const llmOfAll = ({ words, cut }: Direction): FleetRow => ({
  name: `link: all replicas and the direct LLM, ${words}`,
  trips: 0,
  async drill(stage) {
    for (const { name } of stage.replicas) cut(stage, name, 'llm')
    const since = performance.now()
    await sleep(QUIET_CUT_MS)
    const sent = stage.traffic.ended.filter(({ startedAt }) => startedAt > since)
    stage.heal()
    return [`${sent.length} turns meanwhile, all on the runtime`]
  },
})

/** The override that is written meanwhile reaches it by the store alone. */
const flagdOfOne = ({ words, cut }: Direction): FleetRow => ({
  name: `link: one replica and flagd, ${words}, and the runtime killed`,
  trips: 1,
  flagd: true,
  tellsReaders: true,
  async drill(stage) {
    cut(stage, 'a', 'flagd')
    await sleep(CUT_MS)
    const since = stage.runtime.kill()
    const { at } = await stage.storeIs('fallback', since)
    const decided = await stage.nextTurnOf('a', since)
    await sleep(CUT_MS)
    await stage.runtime.restart()
    stage.heal()
    return [
      `override after ${Math.round(at - since)} ms, in force there after ${Math.round(decided - since)} ms`,
    ]
  },
})

export const LINK_ROWS: readonly FleetRow[] = [
  ...DIRECTIONS.map(runtimeOfOne),
  runtimeOfOneWithoutRedis,
  ...DIRECTIONS.map(runtimeOfAll),
  ...DIRECTIONS.map((direction) => engineOfOne('postgres', 'chat_store_available', direction)),
  ...DIRECTIONS.map((direction) => engineOfOne('redis', 'chat_redis_up', direction)),
  ...[BOTH, THERE].map(llmOfAll),
  ...[BOTH, THERE].map(flagdOfOne),
]
