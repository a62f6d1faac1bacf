import { silentLogger } from '../../src/core/logger.js'
import { createMemoryJournal } from '../../src/journal/memory/memory-journal.js'
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { comparisonsContract } from './comparisons-contract.js'
import { dropsContract } from './drops-contract.js'
import { editsContract } from './edits-contract.js'
import { erasureContract } from './erasure-contract.js'
import { journalContract } from './journal-contract.js'
import type { Open } from './journal-rig.js'
import { transitionsContract } from './transitions-contract.js'

describe('the journal in memory', () => {
  const open: Open = (options) => createMemoryJournal(options)
  journalContract(open)
  transitionsContract(open)
  comparisonsContract(open)
  dropsContract(open)
  editsContract(open)
  erasureContract(open)
})

describe('the journal in a SQLite file', () => {
  const directory = temporaryDirectory()
  const open: Open = (options) =>
    openSqliteJournal(directory.path('chat.db'), { ...options, logger: silentLogger })
  journalContract(open)
  transitionsContract(open)
  comparisonsContract(open)
  dropsContract(open)
  editsContract(open)
  erasureContract(open)
})
