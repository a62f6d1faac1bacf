import { expect } from 'chai'
import { systemClock } from '../../src/core/clock.js'
import { silentLogger } from '../../src/core/logger.js'
import { openPostgres, type Postgres } from '../../src/core/postgres/postgres.js'
import { openSqlite } from '../../src/core/sqlite/sqlite.js'
import { openUsage } from '../../src/limits/open-usage.js'
import { SQLITE_USAGE_SCHEMA } from '../../src/limits/sqlite-usage.js'
import { createMemoryUsage, secondsLeftToday, type TokenUsage } from '../../src/limits/token-usage.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { countedPostgres } from '../support/counted-postgres.js'
import { type ManualClock, manualClock } from '../support/manual-clock.js'
import { postgresDatabases } from '../support/postgres.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const DAY_MS = 86_400_000
/** ms after which what was added is written */
const WRITE_MS = 1_000

for (const where of ['a file', 'PostgreSQL'] as const)
  describe(`the tokens of an org in a day, in ${where}`, () => {
    const directory = temporaryDirectory()
    const postgres = where === 'PostgreSQL' ? postgresDatabases() : undefined
    let clock: ManualClock
    let url: string
    let quiets: (() => Promise<void>)[]
    let count = 0
    beforeEach(async () => {
      count += 1
      clock = manualClock()
      url = (await postgres?.schema()) ?? directory.path(`${count}.db`)
      quiets = []
    })

    const open = (): TokenUsage => {
      const deps = { clock, logger: silentLogger }
      if (postgres === undefined) return openUsage(url, 'one', deps)
      const database = countedPostgres(openPostgres(url, { clock: systemClock }))
      quiets.push(() => database.quiet())
      return openUsage(database, `process ${quiets.length}`, deps)
    }
    /** Until what was begun has ended. */
    const quiet = async (): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve))
      for (const one of quiets) await one()
    }

    it('are added up, for each org alone', async () => {
      const usage = open()
      usage.add('acme', 100)
      usage.add('acme', 20)
      usage.add('globex', 7)
      const sums = async () => Promise.all(['acme', 'globex', 'nobody'].map((org) => usage.used(org)))
      expect(await sums()).to.deep.equal([120, 7, 0])
      clock.advance(WRITE_MS)
      await quiet()
      expect(await sums()).to.deep.equal([120, 7, 0])
      usage.add('acme', 3)
      expect(await sums()).to.deep.equal([123, 7, 0])
      await usage.close()
    })

    it('outlive a restart', async () => {
      const before = open()
      before.add('acme', 100)
      await before.close()
      const after = open()
      expect(await after.used('acme')).to.equal(100)
      after.add('acme', 1)
      expect(await after.used('acme')).to.equal(101)
      await after.close()
    })

    it('are those of all replicas of a database', async () => {
      const [one, two] = [open(), open()]
      expect(await one.used('acme')).to.equal(0)
      two.add('acme', 50)
      one.add('acme', 8)
      clock.advance(WRITE_MS)
      await quiet()
      clock.advance(3_000)
      // Asked again in the background: the answer after that knows.
      await one.used('acme')
      await quiet()
      expect(await one.used('acme')).to.equal(58)
      await Promise.all([one.close(), two.close()])
    })

    it('begin again with the UTC day, and the rows of the days before go', async () => {
      const usage = open()
      usage.add('acme', 100)
      clock.advance(DAY_MS)
      await quiet()
      expect(await usage.used('acme')).to.equal(0)
      usage.add('acme', 3)
      clock.advance(2 * WRITE_MS)
      await quiet()
      expect(await usage.used('acme')).to.equal(3)
      clock.advance(DAY_MS)
      usage.add('acme', 4)
      await usage.close()
      const rows = await postgres?.query(url, 'SELECT tokens::int FROM org_tokens ORDER BY day')
      expect(rows ?? [{ tokens: 3 }, { tokens: 4 }]).to.deep.equal([{ tokens: 3 }, { tokens: 4 }])
    })
  })

describe('the tokens of an org in a day', () => {
  it('begin again with the UTC day in memory too', () => {
    const clock = manualClock()
    const memory = createMemoryUsage(clock)
    memory.add('acme', 5)
    clock.advance(DAY_MS)
    expect(memory.used('acme')).to.equal(0)
  })

  it('tell when the day ends', () => {
    const midnight = Date.UTC(2026, 5, 2)
    expect(secondsLeftToday(midnight - 1)).to.equal(1)
    expect(secondsLeftToday(midnight)).to.equal(86_400)
  })
})

describe('the tokens of an org in a file that another process has locked', () => {
  const directory = temporaryDirectory()

  it('leave no timer behind when they cannot be written before the close', async () => {
    const clock = manualClock()
    const path = directory.path('locked.db')
    const usage = openUsage(path, 'one', { clock, logger: silentLogger })
    const other = openSqlite(path, SQLITE_USAGE_SCHEMA)
    other.exec('BEGIN IMMEDIATE')
    usage.add('acme', 1)
    clock.advance(WRITE_MS)
    const closing = usage.close()
    // Past the deadline of the lock.
    clock.stall(2_000)
    await closing
    await new Promise((resolve) => setImmediate(resolve))
    expect(clock.pending()).to.equal(0)
    other.close()
  })
})

describe('the tokens of an org in PostgreSQL', () => {
  const databases = postgresDatabases()

  /** Writes are lost before or after the database did them. */
  function failing(inner: Postgres): Postgres & { fault: 'none' | 'before' | 'after' } {
    const away = (): never => {
      throw Object.assign(new Error('away'), { code: 'ECONNRESET' })
    }
    const made: Postgres & { fault: 'none' | 'before' | 'after' } = {
      fault: 'none',
      check: () => inner.check(),
      open(schema) {
        const database = inner.open(schema)
        return {
          rows: async (query, values) => {
            if (made.fault === 'before') return away()
            const rows = await database.rows(query, values)
            return made.fault === 'after' ? away() : rows
          },
          change: (query, values) => database.change(query, values),
          script: (text) => database.script(text),
          transaction: (work, timeoutMs) => database.transaction(work, timeoutMs),
          close: () => database.close(),
        }
      },
    }
    return made
  }

  for (const fault of ['before', 'after'] as const)
    it(`wait in memory and are written once, where the connection was lost ${fault} a write`, async () => {
      const url = await databases.schema()
      const clock = manualClock()
      const { logger, lines } = capturingLogger()
      const database = failing(openPostgres(url, { clock: systemClock }))
      const counted = countedPostgres(database)
      const usage = openUsage(counted, 'process', { clock, logger })
      expect(await usage.used('acme')).to.equal(0)
      database.fault = fault
      usage.add('acme', 10)
      clock.advance(WRITE_MS)
      await counted.quiet()
      usage.add('acme', 5)
      expect(await usage.used('acme')).to.equal(15)
      expect(lines.map(({ msg }) => msg)).to.deep.equal([
        '[Limits] the tokens of the day wait in memory: the database is away',
      ])
      database.fault = 'none'
      for (let seconds = 0; seconds < 8; seconds += 1) {
        clock.advance(WRITE_MS)
        await counted.quiet()
      }
      expect(await databases.query(url, 'SELECT org, tokens::int FROM org_tokens')).to.deep.equal([
        { org: 'acme', tokens: 15 },
      ])
      expect(await usage.used('acme')).to.equal(15)
      await usage.close()
    })

  it('are all counted when replicas write the same orgs at once, in another order each', async () => {
    const url = await databases.schema()
    const clock = manualClock()
    const { logger, lines } = capturingLogger()
    const replicas = Array.from({ length: 4 }, (_, n) => {
      const database = countedPostgres(openPostgres(url, { clock: systemClock }))
      return { database, n, usage: openUsage(database, `process ${n}`, { clock, logger }) }
    })
    for (let round = 0; round < 5; round += 1) {
      for (const { n, usage } of replicas)
        for (let org = 0; org < 700; org += 1) usage.add(`org ${(org * (n + 2) + 97 * n) % 701}`, 1)
      clock.advance(WRITE_MS)
      await Promise.all(replicas.map(({ database }) => database.quiet()))
    }
    await Promise.all(replicas.map(({ usage }) => usage.close()))
    expect(lines).to.deep.equal([])
    const [sum] = await databases.query(url, 'SELECT sum(tokens)::int AS tokens FROM org_tokens')
    expect(sum?.tokens).to.equal(4 * 5 * 700)
  })

  it('keep no others waiting where the database never takes one', async () => {
    const url = await databases.schema()
    const clock = manualClock()
    const { logger, lines } = capturingLogger()
    const counted = countedPostgres(openPostgres(url, { clock: systemClock }))
    const usage = openUsage(counted, 'process', { clock, logger })
    usage.add('a\u0000', 10)
    clock.advance(WRITE_MS)
    await counted.quiet()
    usage.add('acme', 5)
    await usage.close()
    expect(lines.map(({ msg }) => msg)).to.deep.equal(['[Limits] tokens of the day were lost'])
    expect(await databases.query(url, 'SELECT org FROM org_tokens')).to.deep.equal([{ org: 'acme' }])
  })
})
