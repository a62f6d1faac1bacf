import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { silentLogger } from '../../../src/core/logger.js'
import { openPostgres, type Postgres } from '../../../src/core/postgres/postgres.js'
import { PostgresUnavailable } from '../../../src/core/postgres/postgres-errors.js'
import type { Runner } from '../../../src/core/postgres/statement.js'
import { openPostgresJournal } from '../../../src/journal/postgres/postgres-journal.js'
import { sampleExecution } from '../../support/comparisons.js'
import { countedPostgres } from '../../support/counted-postgres.js'
import { manualClock } from '../../support/manual-clock.js'
import { postgresDatabases } from '../../support/postgres.js'
import { until } from '../../support/until.js'
import { comparisonsContract } from '../comparisons-contract.js'
import { dropsContract } from '../drops-contract.js'
import { editsContract } from '../edits-contract.js'
import { erasureContract } from '../erasure-contract.js'
import { journalContract } from '../journal-contract.js'
import { type Open, RETENTION } from '../journal-rig.js'
import { transitionsContract } from '../transitions-contract.js'

describe('the journal in PostgreSQL', () => {
  const databases = postgresDatabases()
  let url = ''
  /** of each journal of the test */
  let quiet: (() => Promise<void>)[] = []
  beforeEach(async () => {
    url = await databases.schema()
    quiet = []
  })

  const open: Open = Object.assign(
    (options: Parameters<Open>[0]) => {
      const postgres = countedPostgres(openPostgres(url, { clock: systemClock }))
      quiet.push(postgres.quiet)
      return openPostgresJournal(postgres, { ...options, logger: silentLogger })
    },
    { quiet: async () => void (await Promise.all(quiet.map((one) => one()))) },
  )
  journalContract(open)
  transitionsContract(open)
  comparisonsContract(open)
  dropsContract(open)
  editsContract(open)
  erasureContract(open)
})

describe('what the journal in PostgreSQL writes', () => {
  const databases = postgresDatabases()
  const AT = Date.UTC(2026, 0, 10)
  const DAY_MS = 86_400_000
  const options = { logger: silentLogger, retention: RETENTION }

  it('is written once where the answer to a batch was lost', async () => {
    const url = await databases.schema()
    const clock = manualClock(AT)
    const lost = losingAnswers(openPostgres(url, { clock: systemClock }))
    const journal = openPostgresJournal(lost.postgres, { ...options, clock })
    await journal.transitions(1)
    lost.next()
    for (let n = 0; n < 5; n += 1) journal.keepExecution(sampleExecution({ at: AT + n }))
    clock.advance(10)
    await until('the answer to be lost', () => lost.count() === 1)
    await journal.close()
    const [kept] = await databases.query(url, 'SELECT count(*)::int AS count FROM executions')
    expect([kept?.count, journal.dropped]).to.deep.equal([5, 0])
  })

  it('is in a partition of its day, which goes as a whole', async () => {
    const url = await databases.schema()
    const clock = manualClock(AT)
    const postgres = countedPostgres(openPostgres(url, { clock: systemClock }))
    const journal = openPostgresJournal(postgres, { ...options, clock })
    const partitions = async () =>
      (
        await databases.query(
          url,
          "SELECT relname::text AS name FROM pg_class WHERE relname LIKE 'executions\\_%' AND relkind = 'r' AND pg_table_is_visible(oid)",
        )
      )
        .map(({ name }) => String(name))
        .sort()
    const days = [AT - 40 * DAY_MS, AT - 29 * DAY_MS, AT, AT - 4_000 * DAY_MS]
    for (const at of days) journal.keepExecution(sampleExecution({ at }))
    const all: unknown[] = []
    for await (const page of journal.executions({ from: 0, to: AT + 1 })) all.push(...page)
    expect(all).to.have.length(4)
    expect(await partitions()).to.deep.equal([
      'executions_20251201',
      'executions_20251212',
      'executions_20260110',
      'executions_other',
    ])
    clock.advance(60_000)
    await postgres.quiet()
    const kept: unknown[] = []
    for await (const page of journal.executions({ from: 0, to: AT + 1 })) kept.push(...page)
    expect(kept).to.have.length(2)
    expect(await partitions()).to.deep.equal([
      'executions_20251212',
      'executions_20260110',
      'executions_20260111',
      'executions_other',
    ])
    await journal.close()
  })
})

/** Loses the answer to the next transaction: it is committed, and the caller is told that the connection broke. */
function losingAnswers(inner: Postgres): { postgres: Postgres; next(): void; count(): number } {
  let isNext = false
  let count = 0
  return {
    next: () => {
      isNext = true
    },
    count: () => count,
    postgres: {
      check: () => inner.check(),
      open(schema) {
        const database = inner.open(schema)
        return {
          rows: (query, values) => database.rows(query, values),
          change: (query, values) => database.change(query, values),
          script: (text) => database.script(text),
          close: () => database.close(),
          async transaction(work, timeoutMs) {
            let isWrite = false
            const result = await database.transaction((runner) => {
              const watched: Runner = {
                ...runner,
                change(query, values) {
                  isWrite ||= query.text.includes('journal_writers')
                  return runner.change(query, values)
                },
              }
              return work(watched)
            }, timeoutMs)
            if (!isNext || !isWrite) return result
            isNext = false
            count += 1
            throw new PostgresUnavailable('Connection terminated unexpectedly')
          },
        }
      },
    },
  }
}
