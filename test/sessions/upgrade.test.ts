import { expect } from 'chai'
import { systemClock } from '../../src/core/clock.js'
import { silentLogger } from '../../src/core/logger.js'
import { openSqlite } from '../../src/core/sqlite/sqlite.js'
import { SESSIONS_SCHEMA } from '../../src/sessions/sqlite/schema.js'
import { openSqliteSessionStore } from '../../src/sessions/sqlite/sqlite-session-store.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

describe('conversations written before an answer told why it ended', () => {
  const directory = temporaryDirectory()

  it('are read, and go on', async () => {
    const path = directory.path('chat.db')
    const old = openSqlite(path, { ...SESSIONS_SCHEMA, migrations: SESSIONS_SCHEMA.migrations.slice(0, 1) })
    old.exec(`
      INSERT INTO sessions VALUES ('s', 'o', 'u', 'a', 1);
      INSERT INTO turns (message_id, session, started, ended, status, mode, message_size, size, message, text)
      VALUES ('m1', 's', 1, 2, 'answered', 'direct_llm', 1, 2, 'q', 'a');`)
    old.close()
    const owner = { orgId: 'o', userId: 'u' }
    const store = openSqliteSessionStore(path, { clock: systemClock, replica: 'r', logger: silentLogger })
    const begun = await store.begin({ sessionId: 's', messageId: 'm2', owner, message: 'q2' })
    expect(begun).to.deep.include({ kind: 'begun', history: [{ message: 'q', text: 'a' }] })
    const end = {
      status: 'answered',
      text: 'b',
      executionMode: 'direct_llm',
      finishReason: 'length',
      trace: '{}',
    } as const
    await store.finish('m2', end, true)
    const view = await store.read('s', owner)
    expect(view?.messages[1])
      .to.include({ content: 'a', status: 'answered' })
      .and.not.have.property('finishReason')
    expect(view?.messages[3]).to.include({ content: 'b', finishReason: 'length' })
    expect(await store.readTrace('s', 'm1', owner)).to.deep.equal({ kind: 'none' })
    expect(await store.readTrace('s', 'm2', owner)).to.deep.equal({ kind: 'trace', json: '{}' })
    await store.close()
  })
})
