import { silentLogger } from '../../src/core/logger.js'
import { createMemorySessionStore } from '../../src/sessions/memory-session-store.js'
import { createResilientSessionStore } from '../../src/sessions/resilient-session-store.js'
import { openSqliteSessionStore } from '../../src/sessions/sqlite/sqlite-session-store.js'
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
