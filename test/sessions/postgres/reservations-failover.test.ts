import { expect } from 'chai'
import pg from 'pg'
import { systemClock } from '../../../src/core/clock.js'
import { silentLogger } from '../../../src/core/logger.js'
import { openPostgres } from '../../../src/core/postgres/postgres.js'
import { openPostgresSessionStore } from '../../../src/sessions/postgres/postgres-session-store.js'
import { SQL } from '../../../src/sessions/postgres/session-sql.js'
import type { DurableSessionStore } from '../../../src/sessions/session-store.js'
import { countedPostgres } from '../../support/counted-postgres.js'
import { engine } from '../../support/engines.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'
import { makeStandby, startPostgresServer, startPrimary } from '../../support/postgres-server.js'
import { TcpProxy } from '../../support/tcp-proxy.js'
import { until } from '../../support/until.js'
import { newTurn, RESERVATION_MS } from '../session-store-contract.js'

const PATIENCE_MS = 20_000
/** transactions that the standby never gets */
const LOST = 200
const LOOK_MS = RESERVATION_MS / 15

describe('reservations in a PostgreSQL whose standby takes over without the last transactions', function () {
  this.timeout(60_000)
  const primary = engine(startPrimary, (server) => server.remove())

  it('hold, though the new server uses the numbers of those transactions again', async () => {
    const clock = manualClock()
    const standby = await makeStandby(primary())
    const proxy = await TcpProxy.start(primary().port)
    const counted = countedPostgres(openPostgres(urlOf(proxy.port), { clock: systemClock }))
    const reader = openStore(counted, clock)
    let writer: DurableSessionStore | undefined
    try {
      await reader.probe()
      await standby.start()
      await until('the tables', () => hasTables(standby.url()), PATIENCE_MS)
      await standby.stop()
      for (let at = 0; at < LOST; at += 1) await reader.probe()
      await passReservation(clock, counted)
      const lost = await nextTransaction(primary().url())

      await primary().stop()
      await standby.start()
      expect(await firstValue(standby.url(), SQL.snapshot.text)).to.equal(undefined)
      standby.promote()
      proxy.moveTo(standby.port)
      writer = openStore(openPostgres(standby.url(), { clock: systemClock }), clock)
      await writer.create(newTurn('m1'), 'agent-1')
      expect(await nextTransaction(standby.url())).to.be.lessThan(lost)
      await expectBusy(reader)
    } finally {
      await writer?.close()
      await reader.close()
      await proxy.close()
      await standby.remove()
    }
  })
})

describe('reservations in a PostgreSQL of which one process crashes', function () {
  this.timeout(60_000)
  const server = engine(startPostgresServer, (made) => made.remove())

  it('hold, though the server uses the numbers of the last transactions again', async () => {
    const url = server().url()
    const clock = manualClock()
    const counted = countedPostgres(openPostgres(url, { clock: systemClock }))
    const reader = openStore(counted, clock)
    let writer: DurableSessionStore | undefined
    try {
      await firstValue(url, "ALTER SYSTEM SET wal_writer_delay = '10s'")
      await firstValue(url, 'SELECT pg_reload_conf()')
      await reader.probe()
      const crashing = new pg.Client({ connectionString: url })
      crashing.on('error', () => {})
      await crashing.connect()
      for (let at = 0; at < LOST; at += 1) {
        await crashing.query('BEGIN')
        await crashing.query('SELECT pg_current_xact_id()')
        await crashing.query('ROLLBACK')
      }
      await passReservation(clock, counted)
      const lost = await nextTransaction(url)
      const { rows } = await crashing.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      const ended = new Promise((resolve) => crashing.once('end', resolve))
      process.kill(rows[0]?.pid ?? Number.NaN, 'SIGKILL')
      await ended

      await until(
        'numbers that are used again',
        async () => (await nextTransaction(url).catch(() => lost)) < lost,
        PATIENCE_MS,
      )
      writer = openStore(openPostgres(url, { clock: systemClock }), clock)
      await writer.create(newTurn('m1'), 'agent-1')
      expect(await nextTransaction(url)).to.be.lessThan(lost)
      await expectBusy(reader)
    } finally {
      await writer?.close()
      await reader.close()
    }
  })
})

const urlOf = (port: number): string => `postgres://chat@127.0.0.1:${port}/postgres`

function openStore(postgres: Parameters<typeof openPostgresSessionStore>[0], clock: ManualClock) {
  const options = { clock, replica: 'one', logger: silentLogger, reservationMs: RESERVATION_MS }
  return openPostgresSessionStore(postgres, options)
}

/** As long as a reservation lasts, with all looks at it. */
async function passReservation(
  clock: ManualClock,
  counted: ReturnType<typeof countedPostgres>,
): Promise<void> {
  for (let passed = 0; passed <= RESERVATION_MS; passed += LOOK_MS) {
    clock.advance(LOOK_MS)
    await counted.quiet()
  }
}

/** Once it reads the server as it is now. */
async function expectBusy(reader: DurableSessionStore): Promise<void> {
  await until(
    'the server for the reader',
    async () => (await reader.newestTurnAt().catch(() => undefined)) !== undefined,
    PATIENCE_MS,
  )
  expect((await reader.begin(newTurn('m2'))).kind).to.equal('busy')
}

async function firstValue(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query({ text: sql, rowMode: 'array' })
    return rows[0]?.[0]
  } finally {
    await client.end()
  }
}

const hasTables = (url: string): Promise<boolean> =>
  firstValue(url, "SELECT to_regclass('running') IS NOT NULL").then(
    (found) => found === true,
    () => false,
  )

const nextTransaction = async (url: string): Promise<number> =>
  Number(await firstValue(url, 'SELECT pg_snapshot_xmax(pg_current_snapshot())'))
