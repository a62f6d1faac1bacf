import { createHash, type Hash } from 'node:crypto'
import type { PostgresSchema } from '../core/postgres/migrations.js'
import type { PostgresDatabase } from '../core/postgres/postgres.js'
import { statement } from '../core/postgres/statement.js'
import type { SqliteDatabase } from '../core/sqlite/sqlite.js'
import { isPartitioned, Partitions } from '../journal/postgres/partitions.js'
import { type MovedRow, PostgresSide, SqliteSide } from './sides.js'
import { MOVED_TABLES, type MovedTable } from './tables.js'

/** How far each file was moved: `last_key` is a JSON array. */
export const MOVE_SCHEMA: PostgresSchema = {
  room: 'move',
  migrations: [
    `CREATE TABLE moved_tables (
      source text NOT NULL, table_name text NOT NULL, last_key text NOT NULL, moved bigint NOT NULL,
      PRIMARY KEY (source, table_name)
    )`,
  ],
}

export interface MoveOptions {
  /** the file; the same name goes on where it ended before */
  readonly source: string
  readonly file: SqliteDatabase
  /** with the tables of all rooms, and those of MOVE_SCHEMA */
  readonly database: PostgresDatabase
  readonly wall: () => number
  readonly signal: AbortSignal
  onProgress?(table: string, moved: number, all: number): void
}

/** One table after the move; `same`: as many rows with the same content on both sides. */
export interface MovedReport {
  readonly table: string
  readonly rows: number
  readonly same: boolean
}

/** The database has rows that do not come from this file. */
export class TargetNotEmpty extends Error {
  override readonly name = 'TargetNotEmpty'
}

const PAGE_ROWS = 200
/** ms one page may take */
const PAGE_MS = 60_000

const PROGRESS = statement('SELECT table_name, last_key, moved FROM moved_tables WHERE source = $1')
const KEEP = statement(`
  INSERT INTO moved_tables VALUES ($1, $2, $3, $4)
  ON CONFLICT (source, table_name) DO UPDATE SET last_key = $3, moved = $4`)

interface Progress {
  readonly lastKey: MovedRow
  readonly moved: number
}

/**
 * Copies all tables from the file and compares both sides. Rows and how far it came are one transaction, so that it may end at any time
 * and go on with the next call. The file must not be written meanwhile: `same` is false then.
 * @throws TargetNotEmpty
 */
export async function move(options: MoveOptions): Promise<MovedReport[]> {
  const progress = await progressOf(options)
  const { file, database, signal } = options
  if (progress.size === 0)
    for (const table of MOVED_TABLES)
      if ((await new PostgresSide(database, table).count()) > 0) throw new TargetNotEmpty(table.name)
  for (const table of MOVED_TABLES) await copy(table, progress.get(table.name), options)
  const reports: MovedReport[] = []
  for (const table of MOVED_TABLES) {
    signal.throwIfAborted()
    reports.push(await compare(table, file, database, signal))
  }
  return reports
}

async function progressOf({ database, source }: MoveOptions): Promise<Map<string, Progress>> {
  const rows = await database.rows(PROGRESS, [source])
  return new Map(
    rows.map(([table, lastKey, moved]) => [String(table), { lastKey: keyOf(lastKey), moved: Number(moved) }]),
  )
}

/** As written by `copy`. */
function keyOf(json: unknown): MovedRow {
  const key: unknown = JSON.parse(String(json))
  if (!Array.isArray(key)) return []
  return key.map((value: unknown) => (typeof value === 'number' ? value : String(value)))
}

async function copy(table: MovedTable, before: Progress | undefined, options: MoveOptions): Promise<void> {
  const { source, file, database, wall, signal, onProgress } = options
  const from = new SqliteSide(file, table)
  const to = new PostgresSide(database, table)
  const partitions = new Partitions(database, wall)
  const all = from.count()
  let after = before?.lastKey
  let moved = before?.moved ?? 0
  for (;;) {
    onProgress?.(table.name, moved, all)
    signal.throwIfAborted()
    const rows = from.page(after, PAGE_ROWS)
    const last = rows.at(-1)
    if (last === undefined) break
    if (isPartitioned(table.name))
      await partitions.make(
        table.name,
        rows.map(([at]) => Number(at)),
      )
    const key = last.slice(0, table.key)
    const count = moved + rows.length
    await database.transaction(async (runner) => {
      await to.insert(runner, rows)
      await runner.change(KEEP, [source, table.name, JSON.stringify(key), count])
    }, PAGE_MS)
    after = key
    moved = count
  }
  await to.setSequence()
}

async function compare(
  table: MovedTable,
  file: SqliteDatabase,
  database: PostgresDatabase,
  signal: AbortSignal,
): Promise<MovedReport> {
  const from = new SqliteSide(file, table)
  const to = new PostgresSide(database, table)
  const source = await digest(async (after) => from.page(after, PAGE_ROWS), signal)
  const target = await digest((after) => to.page(after, PAGE_ROWS), signal)
  return {
    table: table.name,
    rows: target.rows,
    same: source.rows === target.rows && source.hash === target.hash,
  }
}

async function digest(
  page: (after: MovedRow | undefined) => Promise<MovedRow[]>,
  signal: AbortSignal,
): Promise<{ readonly rows: number; readonly hash: string }> {
  const hash: Hash = createHash('sha256')
  let rows = 0
  for (let after: MovedRow | undefined; ; ) {
    signal.throwIfAborted()
    const next = await page(after)
    const last = next.at(-1)
    if (last === undefined) return { rows, hash: hash.digest('hex') }
    for (const row of next) hash.update(`${JSON.stringify(row)}\n`)
    rows += next.length
    after = last
  }
}
