import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { silentLogger } from '../../../src/core/logger.js'
import { hasTable, openSqlite } from '../../../src/core/sqlite/sqlite.js'
import { openSqliteSessionStore } from '../../../src/sessions/sqlite/sqlite-session-store.js'
import { runCli } from '../../support/cli.js'
import { postgresDatabases } from '../../support/postgres.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

describe('chat-cutover migrate', () => {
  const databases = postgresDatabases()
  const directory = temporaryDirectory()

  it('moves a file, says what was moved, and shows no password', async () => {
    const store = openSqliteSessionStore(directory.path('chat.db'), {
      clock: systemClock,
      replica: 'a',
      logger: silentLogger,
    })
    const owner = { orgId: 'acme', userId: 'ada' }
    await store.create({ sessionId: 's', messageId: 'm', owner, message: 'q' }, 'agent')
    await store.close()
    const url = new URL(await databases.create())
    url.password = 'secret'
    const words = ['migrate', '--from', directory.path('chat.db')]
    const { code, out } = await runCli(words, { env: { CHAT_DATABASE: url.href } })
    expect([code, out]).to.deep.equal([0, out])
    expect(out).to.match(/✓ sessions: 1\n✓ turns: 1\n/)
    expect(out).to.match(/Both sides are the same/)
    expect(out).to.not.include('secret')
    const again = await runCli([...words, '--to', url.href, '--json'])
    expect(JSON.parse(again.out)).to.include({ same: true })
    const doctor = await runCli(['doctor', '--json'], {
      env: { CHAT_DATABASE: url.href, LLM_BASE_URL: 'http://127.0.0.1:1' },
    })
    expect(doctor.out).to.match(/PostgreSQL [\d.]+.*sessions 1, journal 1/)
    expect(doctor.out).to.not.include('secret')
  })

  it('says what is missing', async () => {
    const none = await runCli(['migrate', '--from', directory.path('none.db'), '--to', 'postgres://a/b'])
    expect([none.code, none.err.includes('There is no file')]).to.deep.equal([2, true])
    const nowhere = await runCli(['migrate'], { env: { CHAT_DATABASE: 'data/chat.db' } })
    expect([nowhere.code, nowhere.err.includes('--to')]).to.deep.equal([2, true])
  })

  it('refuses a file of something else, and leaves it as it was', async () => {
    const file = directory.path('other.db')
    const other = openSqlite(file, { room: 'other', migrations: ['CREATE TABLE things (name TEXT) STRICT'] })
    other.close()
    const words = ['migrate', '--to', 'postgres://u@127.0.0.1:1/b', '--from']
    const { code, err } = await runCli([...words, file])
    expect([code, err]).to.deep.equal([
      1,
      `${file} is not a database of this service: it has no table of conversations\n`,
    ])
    expect(hasTable(file, 'turns')).to.equal(false)
    writeFileSync(
      directory.path('text.db'),
      'no database at all, but long enough to be read as one'.repeat(100),
    )
    const text = await runCli([...words, directory.path('text.db')])
    expect([text.code, text.err]).to.deep.equal([1, text.err])
    expect(text.err).to.match(/not a (SQLite )?database/)
  })

  it('says what is wrong with the address of the target, and opens nothing', async () => {
    const wrong = await runCli(['migrate', '--to', 'postgres://u:secret@a/b?sslmode=some'])
    expect(wrong).to.deep.equal({
      code: 2,
      out: '',
      err: '--to has sslmode=some: use one of disable, require, verify-ca, verify-full\n',
    })
    const set = await runCli(['migrate'], { env: { CHAT_DATABASE: 'postgres://u:secret@a:99999/b' } })
    expect([set.code, set.err]).to.deep.equal([
      2,
      'CHAT_DATABASE is not a URL like postgres://user:password@host:5432/database\n',
    ])
  })
})
