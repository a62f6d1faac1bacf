import { expect } from 'chai'
import type { Finding } from '../../../src/cli/doctor/finding.js'
import { systemClock } from '../../../src/core/clock.js'
import { openPostgres } from '../../../src/core/postgres/postgres.js'
import { faultText, isBroken, isStorageFault } from '../../../src/core/postgres/postgres-errors.js'
import { serverReport } from '../../../src/core/postgres/server-report.js'
import { statement } from '../../../src/core/postgres/statement.js'
import { runCli } from '../../support/cli.js'
import { EngineMissing, skipOptional } from '../../support/engines.js'
import {
  type PgBouncerSettings,
  pgBouncerVersion,
  requirePgBouncer,
  startPgBouncer,
} from '../../support/pgbouncer.js'
import { postgresDatabases } from '../../support/postgres.js'
import { rejection } from '../../support/rejection.js'

const LIMITS = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']

describe('faults of a pooler before PostgreSQL', () => {
  const fault = (code: string, text: string) => Object.assign(new Error(text), { code })

  it('tell what its settings lack', () => {
    const refused = faultText(fault('08P01', 'unsupported startup parameter: statement_timeout'))
    for (const name of LIMITS) expect(refused).to.include(name)
    for (const code of ['26000', '42P05'])
      expect(faultText(fault(code, 'prepared statement "x"'))).to.include('max_prepared_statements')
    expect(faultText(fault('08P01', 'invalid message format'))).to.equal('invalid message format')
  })

  it('are faults of the database, not of the service, and end the connection', () => {
    for (const code of ['26000', '42P05']) {
      expect(isStorageFault(fault(code, 'prepared statement "x"')), code).to.equal(true)
      expect(isBroken(fault(code, 'prepared statement "x"')), code).to.equal(true)
    }
  })
})

describe('PgBouncer before PostgreSQL', function () {
  this.timeout(30_000)
  const databases = postgresDatabases()
  const parameters = { ignore_startup_parameters: LIMITS.join(', ') }
  before(function () {
    requirePgBouncer(this)
  })

  async function through<T>(
    settings: PgBouncerSettings,
    work: (url: string, direct: string) => Promise<T>,
  ): Promise<T> {
    const direct = await databases.create()
    const pooler = await startPgBouncer(direct, settings)
    try {
      return await work(pooler.url(direct), direct)
    } finally {
      await pooler.stop()
    }
  }

  /** Makes tables where there are none, and writes by several connections. */
  async function tables(url: string): Promise<void> {
    const postgres = openPostgres(url, { clock: systemClock })
    const rooms = ['things', 'others'].map((room) =>
      postgres.open({ room, migrations: [`CREATE TABLE ${room} (name text)`] }),
    )
    expect(await postgres.check()).to.equal(undefined)
    for (const [index, room] of rooms.entries()) {
      const table = ['things', 'others'][index]
      const add = statement(`INSERT INTO ${table} VALUES ($1)`)
      const names = Array.from({ length: 40 }, (_, number) => `${number}`)
      await Promise.all(names.map((name) => room.change(add, [name])))
      expect(await room.rows(statement(`SELECT count(*) FROM ${table}`), [])).to.deep.equal([[40]])
    }
    for (const room of rooms) await room.close()
  }

  it('refuses the time limits where it is not told to ignore them: the start ends with what to do', () =>
    through({ pool_mode: 'session' }, async (url) => {
      const postgres = openPostgres(url, { clock: systemClock })
      const room = postgres.open({ room: 'things', migrations: [] })
      const refused = await rejection(postgres.check())
      expect(refused).to.have.property('name', 'PostgresSetupError')
      expect(String(refused)).to.match(/unsupported startup parameter.*ignore_startup_parameters/)
      await room.close()
      expect(await rejection(serverReport(url, []))).to.have.property('code', '08P01')
    }))

  it('works in session mode, and doctor tells that no time limit reaches the server', () =>
    through({ pool_mode: 'session', ...parameters }, async (url, direct) => {
      await tables(url)
      expect(await serverReport(url, [])).to.have.property('hasTimeLimit', false)
      expect(await serverReport(direct, [])).to.have.property('hasTimeLimit', true)
      const { out } = await runCli(['doctor', '--json'], {
        env: { CHAT_DATABASE: url, JWT_SECRET: 's'.repeat(32), LLM_BASE_URL: 'http://127.0.0.1:1' },
      })
      const { findings } = JSON.parse(out)
      const found = findings.find(({ check }: Finding) => check === 'database')
      expect(found).to.have.property('result', 'warning')
      expect(found?.advice).to.include('statement_timeout')
    }))

  it('works in transaction mode with few connections, from 1.21 on', async function () {
    if (pgBouncerVersion() < 1.21)
      return skipOptional(this, new EngineMissing('PgBouncer before 1.21 keeps no prepared statements'))
    const settings = { pool_mode: 'transaction', max_prepared_statements: 100, default_pool_size: 3 } as const
    await through({ ...settings, ...parameters }, tables)
  })
})
