import { expect } from 'chai'
import pg from 'pg'
import { systemClock } from '../../../src/core/clock.js'
import { silentLogger } from '../../../src/core/logger.js'
import { openPostgres, type Postgres } from '../../../src/core/postgres/postgres.js'
import { openPostgresSessionStore } from '../../../src/sessions/postgres/postgres-session-store.js'
import type { DurableSessionStore } from '../../../src/sessions/session-store.js'
import { countedPostgres } from '../../support/counted-postgres.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'
import { postgresDatabases } from '../../support/postgres.js'
import { newTurn, OWNER, RESERVATION_MS } from '../session-store-contract.js'

/** between two looks, and between two renewals of a turn */
const LOOK_MS = RESERVATION_MS / 15
const RENEWAL_MS = RESERVATION_MS / 3

/** Replicas whose clocks are moved by hand, so each look is one that the test waited for. */
describe('reservations of other replicas in PostgreSQL', () => {
  const postgres = postgresDatabases()
  let url: string
  let clock: ManualClock
  /** rows read by `b` */
  let read: number
  let a: DurableSessionStore
  let b: DurableSessionStore
  let quiet: () => Promise<void>

  const open = (postgres: Postgres, replica: string, skewMs = 0): DurableSessionStore => {
    const skewed = { ...clock, wall: () => clock.wall() + skewMs }
    return openPostgresSessionStore(postgres, {
      clock: skewed,
      replica,
      logger: silentLogger,
      reservationMs: RESERVATION_MS,
    })
  }
  const readCounted = (inner: Postgres): Postgres => ({
    ...inner,
    open: (schema) => {
      const database = inner.open(schema)
      return {
        ...database,
        rows: async (query, values) => {
          const rows = await database.rows(query, values)
          read += rows.length
          return rows
        },
      }
    },
  })
  /** Time passes, and `b` looks each second. */
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += LOOK_MS) {
      clock.advance(LOOK_MS)
      await quiet()
    }
  }
  const beginning = async (store = b) => (await store.begin(newTurn('m2'))).kind

  beforeEach(async () => {
    url = await postgres.schema()
    clock = manualClock()
    read = 0
    // A wall clock of another machine that is an hour late decides nothing.
    a = open(openPostgres(url, { clock: systemClock }), 'a', -3_600_000)
    const counted = countedPostgres(openPostgres(url, { clock: systemClock }))
    quiet = () => counted.quiet()
    b = open(readCounted(counted), 'b')
    await a.create(newTurn('m1'), 'agent-1')
  })
  afterEach(async () => {
    await a.close()
    await b.close()
  })

  it('are over when somebody asks for the first time, once they were unchanged for their duration', async () => {
    await pass(RESERVATION_MS)
    expect(await beginning()).to.equal('busy')
    await pass(LOOK_MS)
    expect(await beginning()).to.equal('begun')
    expect(await a.renew('m1', 'late')).to.equal('lost')
  })

  it('hold while their replica renews them, however long that lasts', async () => {
    for (let renewals = 0; renewals < 9; renewals += 1) {
      await pass(RENEWAL_MS)
      expect(await a.renew('m1', 'so far')).to.equal('held')
    }
    await pass(RESERVATION_MS - LOOK_MS)
    expect(await beginning()).to.equal('busy')
    await pass(2 * LOOK_MS)
    expect(await beginning()).to.equal('begun')
  })

  it('hold for their duration from the moment at which a slow renewal is there', async () => {
    const slow = new pg.Client({ connectionString: url })
    await slow.connect()
    try {
      await slow.query('BEGIN')
      await slow.query('UPDATE running SET lease_until = lease_until + 1')
      // Later transactions end before it.
      for (let at = 0; at < 20; at += 1) {
        await pass(LOOK_MS)
        await a.create({ ...newTurn(`x${at}`), sessionId: `other-${at}` }, 'agent-1')
      }
      await slow.query('COMMIT')
      expect(await beginning()).to.equal('busy')
      await pass(LOOK_MS)
      expect(await beginning()).to.equal('busy')
    } finally {
      await slow.end()
    }
  })

  it('are over 3 s after a stop that their replica left alone, also where it is asked for again and again', async () => {
    const c = open(openPostgres(url, { clock: systemClock }), 'c')
    try {
      for (let second = 0; second < 3; second += 1) {
        expect(await c.requestStop('session-1', OWNER)).to.deep.equal({ stopped: true, messageId: 'm1' })
        await pass(LOOK_MS)
      }
      expect(await b.holder('session-1')).to.equal('running')
      await pass(LOOK_MS)
      expect(await b.holder('session-1')).to.equal('nobody')
    } finally {
      await c.close()
    }
  })

  it('cost one row for each look, however many there are', async () => {
    for (let at = 0; at < 200; at += 1)
      await a.create({ ...newTurn(`x${at}`), sessionId: `other-${at}` }, 'agent-1')
    read = 0
    await pass(10 * LOOK_MS)
    expect(read).to.equal(10)
  })
})
