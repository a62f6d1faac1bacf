import type { PostgresSchema } from '../core/postgres/migrations.js'
import { POSTGRES_TEXTS_SCHEMA } from '../core/postgres/postgres-kept-texts.js'
import { SQLITE_TEXTS_SCHEMA } from '../core/sqlite/kept-texts.js'
import { hasTable, openSqlite, type SqliteDatabase, type SqliteSchema } from '../core/sqlite/sqlite.js'
import { SqliteOpenError } from '../core/sqlite/sqlite-errors.js'
import { POSTGRES_KEYS_SCHEMA } from '../idempotency/postgres-keys.js'
import { SQLITE_KEYS_SCHEMA } from '../idempotency/sqlite-keys.js'
import { JOURNAL_SCHEMA as POSTGRES_JOURNAL_SCHEMA } from '../journal/postgres/schema.js'
import { JOURNAL_SCHEMA as SQLITE_JOURNAL_SCHEMA } from '../journal/sqlite/schema.js'
import { POSTGRES_USAGE_SCHEMA } from '../limits/postgres-usage.js'
import { SQLITE_USAGE_SCHEMA } from '../limits/sqlite-usage.js'
import { POSTGRES_REPLICAS_SCHEMA } from '../replicas/postgres-replicas.js'
import { SESSIONS_SCHEMA as POSTGRES_SESSIONS_SCHEMA } from '../sessions/postgres/schema.js'
import { SESSIONS_SCHEMA as SQLITE_SESSIONS_SCHEMA } from '../sessions/sqlite/schema.js'

const SQLITE_SCHEMAS: readonly SqliteSchema[] = [
  SQLITE_KEYS_SCHEMA,
  SQLITE_USAGE_SCHEMA,
  SQLITE_TEXTS_SCHEMA,
  SQLITE_JOURNAL_SCHEMA,
  SQLITE_SESSIONS_SCHEMA,
]

/** The tables of every room of the service. */
export const POSTGRES_SCHEMAS: readonly PostgresSchema[] = [
  POSTGRES_SESSIONS_SCHEMA,
  POSTGRES_JOURNAL_SCHEMA,
  POSTGRES_KEYS_SCHEMA,
  POSTGRES_TEXTS_SCHEMA,
  POSTGRES_USAGE_SCHEMA,
  POSTGRES_REPLICAS_SCHEMA,
]

/** The file with the tables of all rooms as this version has them. @throws SqliteOpenError */
export function openFile(path: string): SqliteDatabase {
  // Else our tables would be made in a file of something else.
  if (!hasTable(path, 'sessions'))
    throw new SqliteOpenError(`${path} is not a database of this service: it has no table of conversations`)
  const [last, ...others] = SQLITE_SCHEMAS
  for (const schema of others) openSqlite(path, schema).close()
  return openSqlite(path, last ?? SQLITE_SESSIONS_SCHEMA)
}
