import type { Postgres } from '../core/postgres/postgres.js'
import { openPostgresUsage } from './postgres-usage.js'
import { openSqliteUsage } from './sqlite-usage.js'
import { createMemoryUsage, type TokenUsage, type UsageDeps } from './token-usage.js'

/**
 * @param database path of the SQLite file, `:memory:`, or PostgreSQL
 * @param process random: a name of this process that no other has
 * @throws SqliteOpenError when the file cannot be used
 */
export function openUsage(database: string | Postgres, process: string, deps: UsageDeps): TokenUsage {
  if (typeof database !== 'string') return openPostgresUsage(database, process, deps)
  return database === ':memory:' ? createMemoryUsage(deps.clock) : openSqliteUsage(database, deps)
}
