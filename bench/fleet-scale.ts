import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { systemClock } from '../src/core/clock.js'
import { silentLogger } from '../src/core/logger.js'
import { openPostgres } from '../src/core/postgres/postgres.js'
import { createFleetEvidence } from '../src/fallback/fleet/fleet-evidence.js'
import { openPostgresSessionStore } from '../src/sessions/postgres/postgres-session-store.js'
import { SESSIONS_SCHEMA } from '../src/sessions/postgres/schema.js'
import { SQL } from '../src/sessions/postgres/session-sql.js'
import type { RedisNode } from '../test/chaos/fleet/redis-node.js'
import { redisLink } from '../test/support/fleet.js'
import type { PostgresServer } from '../test/support/postgres-server.js'
import { until } from '../test/support/until.js'
import { median } from './statistics.js'

/** What grows with the number of replicas and of open streams: told, without a floor. docs/performance.md computes with it. */

const TURNS = 1_000
/** statements of one round */
const LOOKS = 1_000
const ROUNDS = 9
/** characters of an answer that is half done */
const TEXT = 'x'.repeat(1_000)
const MEMBERS = [20, 100] as const
const EXCHANGES = 10
/** ms of CPU in a tick of /proc */
const TICK_MS = 10

export async function benchScale(
  postgres: PostgresServer,
  redis: RedisNode,
  report: (text: string) => void,
): Promise<void> {
  await benchReservations(postgres, report)
  for (const members of MEMBERS) await benchEvidence(redis, members, report)
}

/** Each open stream is renewed every 5 s; each replica looks once a second which transactions have ended, and at most four times for stops. */
async function benchReservations(postgres: PostgresServer, report: (text: string) => void): Promise<void> {
  const pool = openPostgres(postgres.url(), { clock: systemClock })
  const tables = pool.open(SESSIONS_SCHEMA)
  const store = openPostgresSessionStore(pool, { clock: systemClock, logger: silentLogger, replica: 'scale' })
  const owner = { orgId: 'scale', userId: 'scale' }
  const turns = Array.from({ length: TURNS }, () => ({
    sessionId: randomUUID(),
    messageId: randomUUID(),
    owner,
    message: 'hello',
  }))
  try {
    await Promise.all(turns.map((turn) => store.create(turn, 'assistant')))
    const renewals = await timed(() =>
      Promise.all(turns.map(({ messageId }) => store.renew(messageId, TEXT))),
    )
    report(`fleet, scale: ${Math.round((TURNS * 1000) / renewals)} renewals of open streams a second`)
    const looks = Array.from({ length: LOOKS })
    const looked = await timed(() => Promise.all(looks.map(() => tables.rows(SQL.snapshot, []))))
    report(
      `fleet, scale: ${Math.round((LOOKS * 1000) / looked)} looks a second at what has ended, with ${TURNS} reservations`,
    )
    const stops = await timed(() => Promise.all(looks.map(() => tables.rows(SQL.stopMarks, ['scale']))))
    report(
      `fleet, scale: ${Math.round((LOOKS * 1000) / stops)} looks a second for stops, with ${TURNS} reservations`,
    )
    await Promise.all(turns.map(({ messageId }) => store.release(messageId)))
  } finally {
    await store.close()
    await tables.close()
  }
}

/** Each replica reads what each other one tells once a tick. */
async function benchEvidence(
  redis: RedisNode,
  members: number,
  report: (text: string) => void,
): Promise<void> {
  const link = redisLink(`${redis.url}?prefix=scale-${members}`)
  link.start()
  await until('Redis', () => link.isUp)
  let now = 0
  const clock = { ...systemClock, monotonic: () => now }
  const all = Array.from({ length: members }, (_, at) =>
    createFleetEvidence({ link, clock, replica: `replica-${at}` }),
  )
  const exchange = async (): Promise<void> => {
    now += 1_000
    for (const one of all) await one.exchange({ sawTurn: true, bad: false })
  }
  try {
    await exchange()
    const before = cpuMs(redis.pid)
    const startedAt = performance.now()
    for (let at = 0; at < EXCHANGES; at += 1) await exchange()
    const wallMs = performance.now() - startedAt
    const per = (ms: number): string => ((ms * 1000) / (EXCHANGES * members)).toFixed(0)
    report(
      `fleet, scale: evidence of ${members} replicas, ${per(cpuMs(redis.pid) - before)} µs of Redis' CPU for an exchange of one replica (${per(wallMs)} µs in all)`,
    )
  } finally {
    await link.close()
  }
}

/** The median of some runs, ms. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const took: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const startedAt = performance.now()
    await work()
    took.push(performance.now() - startedAt)
  }
  return median(took)
}

function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}
