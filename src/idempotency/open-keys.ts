import type { Postgres } from '../core/postgres/postgres.js'
import type { DatabaseKeysOptions } from './database-keys.js'
import type { IdempotencyKeys } from './idempotency-keys.js'
import { MemoryKeys } from './memory-keys.js'
import { openPostgresKeys } from './postgres-keys.js'
import { openSqliteKeys } from './sqlite-keys.js'

/** @param database path of the SQLite file, `:memory:`, or PostgreSQL. @throws SqliteOpenError */
export function openIdempotencyKeys(
  database: string | Postgres,
  options: DatabaseKeysOptions,
): IdempotencyKeys {
  if (typeof database !== 'string') return openPostgresKeys(database, options)
  return database === ':memory:' ? new MemoryKeys(options.clock) : openSqliteKeys(database, options)
}
