import { systemClock } from '../../../src/core/clock.js'
import { silentLogger } from '../../../src/core/logger.js'
import { openPostgres } from '../../../src/core/postgres/postgres.js'
import { openPostgresJournal } from '../../../src/journal/postgres/postgres-journal.js'
import { countedPostgres } from '../../support/counted-postgres.js'
import { postgresDatabases } from '../../support/postgres.js'
import { comparisonsContract } from '../comparisons-contract.js'
import { dropsContract } from '../drops-contract.js'
import { editsContract } from '../edits-contract.js'
import { erasureContract } from '../erasure-contract.js'
import { journalContract } from '../journal-contract.js'
import type { Open } from '../journal-rig.js'
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
