import { systemClock } from '../../../src/core/clock.js'
import { silentLogger } from '../../../src/core/logger.js'
import { openPostgres } from '../../../src/core/postgres/postgres.js'
import { openPostgresSessionStore } from '../../../src/sessions/postgres/postgres-session-store.js'
import { postgresDatabases } from '../../support/postgres.js'
import { type ContractOptions, sessionStoreContract } from '../session-store-contract.js'

const logger = silentLogger

describe('the session store in PostgreSQL', () => {
  const postgres = postgresDatabases()
  const open = async (options: ContractOptions) =>
    openPostgresSessionStore(openPostgres(await postgres.schema(), { clock: systemClock }), {
      ...options,
      replica: 'a',
      logger,
    })

  sessionStoreContract(open)
})
