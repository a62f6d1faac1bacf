import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import pg from 'pg'
import { systemClock } from '../../../src/core/clock.js'
import { openPostgres } from '../../../src/core/postgres/postgres.js'
import { serverReport } from '../../../src/core/postgres/server-report.js'
import { statement } from '../../../src/core/postgres/statement.js'
import { type Authority, type Certificate, makeAuthority, pemOf } from '../../support/certificates.js'
import { engine } from '../../support/engines.js'
import { type PostgresServer, startPostgresServer } from '../../support/postgres-server.js'

interface Served {
  readonly server: PostgresServer
  readonly authority: Authority
  readonly stranger: Authority
  readonly client: Certificate
}

/** lets `tls` in over TLS alone, with a certificate of the same authority */
const RULES = ['hostssl all tls all trust clientcert=verify-ca', 'host all chat 127.0.0.1/32 trust']

const IS_ENCRYPTED = statement('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')

describe('a connection to PostgreSQL over TLS', function () {
  this.timeout(60_000)
  let directory: string
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'chat-cutover-tls-'))
  })
  after(() => rmSync(directory, { recursive: true, force: true }))
  const served = engine(
    async (): Promise<Served> => {
      const authority = makeAuthority(directory)
      const server = await startPostgresServer()
      await requireTls(server, authority)
      return {
        server,
        authority,
        stranger: makeAuthority(directory, 'stranger'),
        client: authority.issue('tls'),
      }
    },
    ({ server }) => server.remove(),
  )

  /** @param files of the authority that the client trusts */
  function url(mode: string, { host = 'localhost', trusts = served().authority, shows = true } = {}): string {
    const { server, client } = served()
    const files = shows ? `&sslcert=${client.cert}&sslkey=${client.key}` : ''
    const ca = mode === 'disable' ? '' : `&sslrootcert=${trusts.ca}`
    return `postgres://tls@${host}:${server.port}/postgres?sslmode=${mode}${ca}${files}`
  }

  async function fault(given: string): Promise<string> {
    try {
      return (await serverReport(given, [])).server === '' ? 'no version' : 'none'
    } catch (thrown) {
      return String(thrown)
    }
  }

  it('is made with each mode that suits the certificate', async () => {
    for (const mode of ['require', 'verify-ca', 'verify-full'])
      expect(await fault(url(mode)), mode).to.equal('none')
    expect(await fault(url('verify-ca', { host: '127.0.0.1' })), 'another name').to.equal('none')
  })

  it('is refused without TLS, without a certificate of the client, and by a stranger or another name', async () => {
    expect(await fault(url('disable'))).to.match(/no encryption|pg_hba/)
    expect(await fault(url('verify-ca', { shows: false }))).to.match(/certificate/)
    expect(await fault(url('verify-full', { host: '127.0.0.1' }))).to.match(/altnames|IP: 127\.0\.0\.1/)
    for (const mode of ['require', 'verify-ca', 'verify-full'])
      expect(await fault(url(mode, { trusts: served().stranger })), mode).to.match(/certificate|verify/)
  })

  it('is what the pool of the service uses too', async () => {
    const postgres = openPostgres(url('verify-full'), { clock: systemClock })
    const database = postgres.open({ room: 'tls-test', migrations: [] })
    const [row] = await database.rows(IS_ENCRYPTED, [])
    expect(row).to.deep.equal([true])
    await database.close()
  })
})

/** Through the server itself, so that the files are its user's: a key that others may read is refused. */
async function requireTls(server: PostgresServer, authority: Authority): Promise<void> {
  const { cert, key } = authority.issue('localhost')
  const admin = new pg.Client({ connectionString: server.url() })
  await admin.connect()
  try {
    const write = async (name: string, text: string): Promise<void> => {
      const lines = `SELECT unnest(string_to_array('${text.trimEnd()}', E'\\n'))`
      await admin.query(`COPY (${lines}) TO PROGRAM 'umask 077; cat > ${name}'`)
    }
    await write('server.crt', pemOf(cert))
    await write('server.key', pemOf(key))
    await write('clients.crt', pemOf(authority.ca))
    await write('pg_hba.conf', RULES.join('\n'))
    await admin.query('CREATE ROLE tls LOGIN SUPERUSER')
    await admin.query("ALTER SYSTEM SET ssl_ca_file = 'clients.crt'")
    await admin.query('ALTER SYSTEM SET ssl = on')
    await admin.query('SELECT pg_reload_conf()')
  } finally {
    await admin.end()
  }
}
