import { statSync } from 'node:fs'
import { expect } from 'chai'
import { silentLogger } from '../../src/core/logger.js'
import { createMemorySessionStore } from '../../src/sessions/memory-session-store.js'
import { createResilientSessionStore } from '../../src/sessions/resilient-session-store.js'
import { openSqliteSessionStore } from '../../src/sessions/sqlite/sqlite-session-store.js'
import { manualClock } from '../support/manual-clock.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { sessionStoreContract } from './session-store-contract.js'

describe('the session store in memory', () => {
  sessionStoreContract((options) => createMemorySessionStore({ ...options, replica: 'a' }))
})

describe('the session store in a SQLite file', () => {
  const directory = temporaryDirectory()
  sessionStoreContract((options) =>
    openSqliteSessionStore(directory.path('chat.db'), { ...options, replica: 'a', logger: silentLogger }),
  )

  it('copies its log back in a round of its own, after many commits', async () => {
    const file = directory.path('log.db')
    const clock = manualClock()
    const store = openSqliteSessionStore(file, { clock, replica: 'a', logger: silentLogger })
    const owner = { orgId: 'org', userId: 'user' }
    const begin = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n += 1)
        await store.create({ sessionId: `s${n}`, messageId: `m${n}`, owner, message: 'hello' }, 'assistant')
    }
    const first = statSync(file).size
    await begin(0, 119)
    clock.advance(0)
    expect(statSync(file).size).to.equal(first)
    await begin(119, 120)
    expect(statSync(file).size).to.equal(first)
    clock.advance(0)
    expect(statSync(file).size).to.be.greaterThan(first)
    await begin(120, 240)
    await store.close()
    clock.advance(0)
  })
})

describe('the session store that goes on without its database', () => {
  sessionStoreContract((options) => {
    const logger = silentLogger
    const inner = openSqliteSessionStore(':memory:', { ...options, replica: 'a', logger })
    return createResilientSessionStore(inner, { ...options, logger })
  })
})

describe('the session store in SQLite without a file', () => {
  sessionStoreContract((options) =>
    openSqliteSessionStore(':memory:', { ...options, replica: 'a', logger: silentLogger }),
  )
})
