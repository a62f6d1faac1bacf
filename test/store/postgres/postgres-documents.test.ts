import { expect } from 'chai'
import pg from 'pg'
import { systemClock } from '../../../src/core/clock.js'
import { createPostgresDocuments } from '../../../src/store/postgres/postgres-documents.js'
import { createDocumentFlagStore, createOpsDocument } from '../../../src/store/shared/document-flag-store.js'
import type { SharedDocuments } from '../../../src/store/shared/documents.js'
import { postgresDatabases } from '../../support/postgres.js'
import { TcpProxy } from '../../support/tcp-proxy.js'
import { until } from '../../support/until.js'
import { flagStoreContract } from '../flag-store-contract.js'

const ROWS = { override: 'override', lease: 'override-lease' } as const

describe('the flag store in PostgreSQL', function () {
  this.timeout(60_000)
  const databases = postgresDatabases()
  let url = ''
  let opened: SharedDocuments[] = []
  const documents = (clock = systemClock): SharedDocuments => {
    const made = createPostgresDocuments({ url, clock })
    opened.push(made)
    return made
  }
  const store = (over = documents()) =>
    createDocumentFlagStore(over, { clock: systemClock, lease: 'override-lease' })
  const rows = (sql: string, values: unknown[] = []) => databases.query(url, sql, values)

  beforeEach(async () => {
    url = await databases.create()
    // The tables: a person may write before the first replica has started.
    await store().write('{}', 'missing')
    await rows('DELETE FROM flag_documents')
  })
  afterEach(async () => {
    await Promise.all(opened.map((one) => one.close()))
    opened = []
  })

  flagStoreContract(() => ({
    open: () => store(),
    async put(file, text) {
      const name = ROWS[file]
      if (text === undefined) await rows('DELETE FROM flag_documents WHERE name = $1', [name])
      else
        await rows(
          'INSERT INTO flag_documents (name, content) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET content = $2',
          [name, text],
        )
    },
    async get(file) {
      const [row] = await rows('SELECT content FROM flag_documents WHERE name = $1', [ROWS[file]])
      return row === undefined ? undefined : String(row.content)
    },
    keptAside: async () =>
      (await rows('SELECT content FROM flag_documents_aside ORDER BY kept_at')).map(({ content }) =>
        String(content),
      ),
  }))

  it('tells each change to those who watch, also those by hand and those missed while away', async () => {
    const watching = documents()
    const told: string[] = []
    const stop = watching.watch('override', () => told.push('override'))
    watching.watch('ops', () => told.push('ops'))
    // Both are told once it listens: anything may have changed before.
    await until('the listener', () => told.length === 2)
    await store().write('{}', 'missing')
    await until('the override', () => told.length === 3)
    await rows("UPDATE flag_documents SET content = '{} ' WHERE name = 'override'")
    await until('the edit by hand', () => told.length === 4)
    expect(told.slice(2)).to.deep.equal(['override', 'override'])
    await rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'")
    await until('the listener again', () => told.length === 6)
    stop()
    await rows("DELETE FROM flag_documents WHERE name = 'override'")
    await createOpsDocument(documents(), systemClock).write('{}', 'missing')
    await until('the ops flags', () => told.length === 7)
    expect(told.at(-1)).to.equal('ops')
  })

  it('survives the loss of a connection in use', async () => {
    const direct = new URL(url)
    const proxy = await TcpProxy.start(Number(direct.port || 5432), direct.hostname)
    const holder = new pg.Client({ connectionString: url })
    try {
      const far = new URL(url)
      far.hostname = '127.0.0.1'
      far.port = String(proxy.port)
      url = far.href
      const one = store()
      await one.write('0', 'missing')
      const read = await one.read()
      if (read.kind !== 'text') throw new Error(read.kind)
      await holder.connect()
      await holder.query('BEGIN; SELECT 1 FROM flag_documents FOR UPDATE')
      const writing = one.write('1', read.hash, { keepAside: true })
      await until('the write that waits for the row', async () => {
        const waiting = await holder.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return waiting.rowCount === 1
      })
      proxy.reset()
      expect((await writing).kind).to.equal('failed')
      await holder.query('COMMIT')
      await until('the row that is free', async () => {
        const result = await one.write('2', read.hash, { keepAside: true })
        return result.kind === 'written'
      })
      expect(await one.read()).to.include({ kind: 'text', text: '2' })
    } finally {
      url = direct.href
      await holder.end()
      await proxy.close()
    }
  })

  it('counts revisions, whoever changes a row', async () => {
    const one = store()
    await one.write('1', 'missing')
    await rows("UPDATE flag_documents SET content = '2'")
    const read = await one.read()
    if (read.kind !== 'text') throw new Error(read.kind)
    await one.write('3', read.hash)
    expect(await rows('SELECT revision, content FROM flag_documents')).to.deep.equal([
      { revision: '3', content: '3' },
    ])
  })

  it('holds two connections for calls at most, and one that listens', async () => {
    await Promise.all(opened.splice(0).map((other) => other.close()))
    const one = documents()
    let told = 0
    one.watch('override', () => {
      told += 1
    })
    await until('the listener', () => told === 1)
    await Promise.all(Array.from({ length: 20 }, () => one.read('override')))
    const held = await rows(
      "SELECT query LIKE 'LISTEN %' AS listens FROM pg_stat_activity WHERE application_name = 'chat-cutover flags' AND datname = current_database()",
    )
    expect(held.filter(({ listens }) => listens === true)).to.have.length(1)
    expect(held.filter(({ listens }) => listens === false)).to.have.length.within(1, 2)
  })

  it('keeps the newest five copies', async () => {
    // A copy is named by the ms in which it was made.
    let now = systemClock.wall()
    const wall = () => ++now
    const one = store(documents({ ...systemClock, wall }))
    await one.write('0', 'missing')
    for (let at = 1; at <= 7; at += 1) {
      const read = await one.read()
      if (read.kind !== 'text') throw new Error(read.kind)
      const result = await one.write(String(at), read.hash, { keepAside: true })
      expect(result.kind).to.equal('written')
    }
    const kept = await rows('SELECT content FROM flag_documents_aside ORDER BY kept_at')
    expect(kept.map(({ content }) => content)).to.deep.equal(['2', '3', '4', '5', '6'])
  })

  it('reads nothing larger than flagd takes', async () => {
    await rows("INSERT INTO flag_documents (name, content) VALUES ('override', repeat('x', 4194305))")
    expect(await store().read()).to.have.nested.property('fault.code', 'EFBIG')
  })

  it('makes the tables once, however many replicas start', async () => {
    url = await databases.create()
    const reads = await Promise.all(Array.from({ length: 2 }, () => store().read()))
    expect(reads.map(({ kind }) => kind)).to.deep.equal(['missing', 'missing'])
    expect(await rows("SELECT to_regclass('flag_documents') AS made")).to.deep.equal([{ made: null }])
    const writes = await Promise.all(Array.from({ length: 8 }, () => store().write('{}', 'missing')))
    const kinds = writes.map(({ kind }) => kind).sort()
    expect(kinds).to.deep.equal([...Array.from({ length: 7 }, () => 'conflict'), 'written'])
  })

  it('is enough with a user that may read and write the rows', async () => {
    const name = `reader_${Date.now().toString(36)}`
    await rows(`CREATE ROLE ${name} LOGIN`)
    try {
      await rows(`GRANT SELECT, INSERT, UPDATE, DELETE ON flag_documents, flag_documents_aside TO ${name}`)
      const asUser = new URL(url)
      asUser.username = name
      url = asUser.href
      expect((await store().write('{}', 'missing')).kind).to.equal('written')
    } finally {
      asOwner()
      await rows(`DROP OWNED BY ${name}`)
      await rows(`DROP ROLE ${name}`)
    }
    function asOwner(): void {
      const owner = new URL(url)
      owner.username = 'chat'
      url = owner.href
    }
  })

  it('names the fault, what to do, and no password', async () => {
    const wrong = new URL(url)
    wrong.pathname = '/nowhere'
    wrong.password = 'secret-word'
    url = wrong.href
    const missing = await store().read()
    expect(missing).to.have.nested.property('fault.code', '3D000')
    expect(missing)
      .to.have.nested.property('fault.message')
      .that.matches(/^cannot read postgres:\/\/[^@]+\/nowhere\/flag_documents\/override: .*create it/)
    wrong.port = '1'
    url = wrong.href
    const refused = await store().write('{}', 'missing')
    expect(refused).to.have.nested.property('fault.code', 'ECONNREFUSED')
    expect(JSON.stringify([missing, refused])).to.not.include('secret-word')
  })
})
