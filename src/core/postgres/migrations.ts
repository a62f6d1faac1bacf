import { errorCode } from '../errors.js'
import { PostgresSetupError } from './postgres-errors.js'
import { type Runner, statement } from './statement.js'

/** The tables of one room, as the list of its migrations: version n is what the first n scripts made. Scripts only ever follow. */
export interface PostgresSchema {
  readonly room: string
  readonly migrations: readonly string[]
}

/** Any number that no other program takes as an advisory lock in this database. */
const LOCK = 7_145_036_041

/**
 * Without a name, since its table may be missing: PgBouncer would keep the name of a statement that PostgreSQL refused, and refuse it in
 * turn.
 */
const VERSION = { name: '', text: 'SELECT version FROM schema_version WHERE room = $1' }
const ADVISORY_LOCK = statement('SELECT pg_advisory_xact_lock($1)')
const CREATE = statement(
  'CREATE TABLE IF NOT EXISTS schema_version (room text PRIMARY KEY, version int NOT NULL)',
)
const SET_VERSION = statement(
  'INSERT INTO schema_version VALUES ($1, $2) ON CONFLICT (room) DO UPDATE SET version = excluded.version',
)

/** 0 where the room has no tables yet. */
export async function schemaVersion(runner: Runner, room: string): Promise<number> {
  try {
    const [row] = await runner.rows(VERSION, [room])
    return Number(row?.[0] ?? 0)
  } catch (thrown) {
    if (errorCode(thrown) === '42P01') return 0
    throw thrown
  }
}

/**
 * Whether the tables are those of this version.
 * @throws PostgresSetupError where a newer version made them
 */
export async function isUpToDate(runner: Runner, { room, migrations }: PostgresSchema): Promise<boolean> {
  const version = await schemaVersion(runner, room)
  if (version > migrations.length)
    throw new PostgresSetupError(
      `the tables of ${room} were made by a newer version of this service (${version}, this one knows ${migrations.length}): start that one`,
    )
  return version === migrations.length
}

/** Brings the tables up to date; one replica at a time. In a transaction of the caller, so all of it or nothing. */
export async function migrate(runner: Runner, schema: PostgresSchema): Promise<void> {
  await runner.rows(ADVISORY_LOCK, [LOCK])
  await runner.rows(CREATE, [])
  if (await isUpToDate(runner, schema)) return
  const version = await schemaVersion(runner, schema.room)
  for (const script of schema.migrations.slice(version)) await runner.script(script)
  await runner.change(SET_VERSION, [schema.room, schema.migrations.length])
}
