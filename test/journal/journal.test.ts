import { silentLogger } from '../../src/core/logger.js'
import { createMemoryJournal } from '../../src/journal/memory-journal.js'
import { openSqliteJournal } from '../../src/journal/sqlite-journal.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { journalContract } from './journal-contract.js'

describe('the journal in memory', () => {
  journalContract((options) => createMemoryJournal(options))
})

describe('the journal in a SQLite file', () => {
  const directory = temporaryDirectory()
  journalContract((options) =>
    openSqliteJournal(directory.path('chat.db'), { ...options, logger: silentLogger }),
  )
})
