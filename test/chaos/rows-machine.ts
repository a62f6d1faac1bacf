import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, renameSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { openSqlite } from '../../src/core/sqlite/sqlite.js'
import { SESSIONS_SCHEMA } from '../../src/sessions/sqlite/schema.js'
import { lockHolder } from '../support/lock-holder.js'
import { DRILL } from './guardrails.js'
import type { Row } from './row.js'
import type { SmallDisk } from './small-disk.js'
import type { Stage } from './stage.js'
import { waitFor } from './wait-for.js'

/** What can be wrong with the machine of a replica: its database, its file descriptors, its time. */

/** ms that the database is away once every replica noticed */
const AWAY_MS = 3000
/** ms; longer than any deadline of a drill */
const STOPPED_MS = 6000
/** ms; many times what a dead runtime takes to trip */
const NO_DESCRIPTORS_MS = 4000
/** ms; an alert about the machine lasts for a minute */
const ALERT_PATIENCE_MS = 90_000

/** What a replica says about a database that takes nothing; long lines are cut. */
const TOLD = /\[Sessions\] the session store is u/

function withoutDatabase(
  name: string,
  breakIt: (stage: Stage, disk: SmallDisk | undefined) => Promise<() => Promise<void>>,
  more: Partial<Row> = {},
): Row {
  return {
    name,
    stage: { replicas: 2, perSecond: 30, guardrails: DRILL },
    tolerates: TOLD,
    ...more,
    async drill(stage, disk) {
      const mend = await breakIt(stage, disk)
      const noticedMs = await waitFor('every replica to miss the database', () => available(stage, 0), 30_000)
      await sleep(AWAY_MS)
      const during = stage.traffic.ended.length
      await mend()
      const writtenMs = await waitFor('everything to be written', () => available(stage, 1), 30_000)
      const { ended } = stage.traffic
      return [
        `noticed after ${Math.round(noticedMs)} ms, written ${Math.round(writtenMs)} ms after it was back`,
        `${ended.slice(0, during).filter(({ kind }) => kind === 'ok').length} turns answered until then`,
      ]
    },
    async after(stage) {
      const answered = stage.traffic.ended.filter(({ kind }) => kind === 'ok').length
      let kept = 0
      await waitFor('every answer to be in the history', () => {
        kept = answersIn(stage.parts.database)
        return kept >= answered ? '' : `${kept} of ${answered}`
      })
      return [`all ${answered} answers until then in the history`]
    },
  }
}

/** Every replica says so; `""` where all do. */
async function available({ replicas }: Stage, wanted: 0 | 1): Promise<string> {
  const said = await Promise.all(
    replicas.map(async ({ name, url }) => {
      const text = await (await fetch(`${url}/metrics`)).text()
      return text.includes(`chat_store_available ${wanted}\n`) ? '' : `not ${name}`
    }),
  )
  return said.filter((one) => one !== '').join('; ')
}

function answersIn(path: string): number {
  const database = openSqlite(path, SESSIONS_SCHEMA)
  try {
    return Number(database.prepare("SELECT count(*) FROM turns WHERE status = 'answered'").get()?.[0])
  } finally {
    database.close()
  }
}

const locked = withoutDatabase('database locked by another process', async (stage) => {
  const holder = await lockHolder(stage.parts.database)
  await holder.lock()
  return async () => {
    await holder.unlock()
    await holder.kill()
  }
})

const gone = withoutDatabase('database moved away', async ({ parts: { database } }) => {
  const move = (from: string, to: string): void => {
    for (const part of ['', '-wal', '-shm'])
      if (existsSync(`${from}${part}`)) renameSync(`${from}${part}`, `${to}${part}`)
  }
  move(database, `${database}.away`)
  return async () => move(`${database}.away`, database)
})

const full = withoutDatabase(
  'disk of the database full',
  async (_stage, disk) => {
    if (disk === undefined) throw new Error('no file system of its own')
    disk.fill()
    return async () => disk.makeRoom()
  },
  { onTmpfs: 'database' },
)

const stopped: Row = {
  name: 'one replica stopped (SIGSTOP) for longer than every deadline',
  stage: { replicas: 2, perSecond: 50, guardrails: DRILL },
  patienceMs: ALERT_PATIENCE_MS,
  async drill(stage) {
    const { pid } = stage.replica('a')
    const since = performance.now()
    process.kill(pid, 'SIGSTOP')
    await sleep(STOPPED_MS)
    process.kill(pid, 'SIGCONT')
    await sleep(STOPPED_MS)
    const held = stage.traffic.ended.filter(
      ({ replica, startedAt, endedAt }) =>
        replica === 'a' && startedAt < since && endedAt > since + STOPPED_MS,
    )
    const over = stage.traffic.ended.filter(
      ({ startedAt, failover }) => startedAt > since - STOPPED_MS && failover,
    )
    const causes = [...new Set(over.map(({ replica, cause }) => `${cause} on ${replica}`))].sort()
    return [
      neverLeft(stage, since),
      `${held.length} answers under way went on afterwards`,
      `${over.length} failed over${causes.length === 0 ? '' : `: ${causes.join(', ')}`}`,
    ]
  },
}

const descriptors: Row = {
  name: 'one replica without a file descriptor left',
  stage: { replicas: 2, perSecond: 50, guardrails: DRILL },
  patienceMs: ALERT_PATIENCE_MS,
  async drill(stage) {
    const { pid } = stage.replica('a')
    const limit = (nofile: string): void => {
      const { status } = spawnSync('prlimit', ['--pid', String(pid), `--nofile=${nofile}`])
      if (status !== 0) throw new Error('needs prlimit')
    }
    const since = performance.now()
    // It cannot take connections either: a balancer sends it nothing.
    stage.traffic.leave('a')
    limit(`${readdirSync(`/proc/${pid}/fd`).length}:`)
    await sleep(NO_DESCRIPTORS_MS)
    limit('4096:')
    stage.traffic.rejoin({ replica: 'a', url: stage.replica('a').url })
    return [neverLeft(stage, since)]
  },
}

function neverLeft(stage: Stage, since: number): string {
  if (stage.watch.first(since, ({ auto }) => auto.state !== 'normal') !== undefined)
    throw new Error('it tripped')
  return 'no trip'
}

export const MACHINE_ROWS: readonly Row[] = [locked, gone, full, stopped, descriptors]
