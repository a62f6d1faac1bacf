import type { IdempotencyKeys } from './idempotency-keys.js'
import { MemoryKeys } from './memory-keys.js'
import { openSqliteKeys, type SqliteKeysOptions } from './sqlite-keys.js'

/** @param database path of the SQLite file, or `:memory:`. @throws SqliteOpenError */
export function openIdempotencyKeys(database: string, options: SqliteKeysOptions): IdempotencyKeys {
  return database === ':memory:' ? new MemoryKeys(options.clock) : openSqliteKeys(database, options)
}
