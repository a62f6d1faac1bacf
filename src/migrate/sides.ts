import type { PostgresDatabase } from '../core/postgres/postgres.js'
import {
  type PgScalar,
  type PgValue,
  type Runner,
  type Statement,
  statement,
} from '../core/postgres/statement.js'
import type { SqliteDatabase, SqlStatement } from '../core/sqlite/sqlite.js'
import type { MovedColumn, MovedTable } from './tables.js'

export type MovedRow = readonly PgScalar[]

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ')
/** before the first key of a table: ids and texts are above it, and instants too */
const first = ({ type }: MovedColumn): PgScalar => (type === 'text' ? '' : Number.MIN_SAFE_INTEGER)

/** One table in the file: read page by page in the order of its key. */
export class SqliteSide {
  readonly #count: SqlStatement
  readonly #page: SqlStatement

  constructor(
    database: SqliteDatabase,
    private readonly table: MovedTable,
  ) {
    const names = table.columns.map(({ from }) => from)
    const key = quoted(names.slice(0, table.key))
    this.#count = database.prepare(`SELECT count(*) FROM ${table.name}`)
    this.#page = database.prepare(
      `SELECT ${quoted(names)} FROM ${table.name} WHERE (${key}) > (${names.slice(0, table.key).map(() => '?')})
        ORDER BY ${key} LIMIT ?`,
    )
  }

  count(): number {
    return Number(this.#count.get()?.[0] ?? 0)
  }

  page(after: MovedRow | undefined, most: number): MovedRow[] {
    const key = (after ?? this.table.columns.map(first)).slice(0, this.table.key)
    return this.#page.all(...key.map(sqlValue), most)
  }
}

const sqlValue = (value: PgScalar): string | number | null =>
  typeof value === 'boolean' ? Number(value) : value

/** The same table in PostgreSQL. */
export class PostgresSide {
  readonly #count: Statement
  readonly #page: Statement
  readonly #insert: Statement

  constructor(
    private readonly database: PostgresDatabase,
    private readonly table: MovedTable,
  ) {
    const { name, columns, key, sequence } = table
    const names = columns.map(({ to }) => to)
    // Texts by their bytes, as SQLite sorts them.
    const sorted = columns
      .slice(0, key)
      .map(({ to, type }) => `"${to}"${type === 'text' ? ' COLLATE "C"' : ''}`)
    const marks = columns.slice(0, key).map((_, index) => `$${index + 1}`)
    this.#count = statement(`SELECT count(*) FROM ${name}`)
    this.#page = statement(
      `SELECT ${quoted(names)} FROM ${name} WHERE (${sorted.join(', ')}) > (${marks.join(', ')})
        ORDER BY ${sorted.join(', ')} LIMIT $${key + 1}`,
    )
    const given = columns.map(({ type }, index) => `$${index + 1}::${type === 'json' ? 'text' : type}[]`)
    const read = columns.map(({ to, type }) => `"${to}"${type === 'json' ? '::json' : ''}`)
    this.#insert = statement(
      `INSERT INTO ${name} (${quoted(names)}) ${sequence?.startsWith('pg_get') ? 'OVERRIDING SYSTEM VALUE ' : ''}
        SELECT ${read.join(', ')} FROM unnest(${given.join(', ')}) AS given (${quoted(names)}) ON CONFLICT DO NOTHING`,
    )
  }

  async count(): Promise<number> {
    return Number((await this.database.rows(this.#count, []))[0]?.[0] ?? 0)
  }

  page(after: MovedRow | undefined, most: number): Promise<MovedRow[]> {
    const key = (after ?? this.table.columns.map(first)).slice(0, this.table.key)
    return this.database.rows(this.#page, [...key, most])
  }

  /** Those that are not there yet. */
  async insert(runner: Runner, rows: readonly MovedRow[]): Promise<void> {
    const values: PgValue[] = this.table.columns.map((_, index) => rows.map((row) => row[index] ?? null))
    await runner.change(this.#insert, values)
  }

  /** The next id is beyond all that were moved. */
  async setSequence(): Promise<void> {
    const { name, sequence, columns } = this.table
    if (sequence === undefined) return
    const id = columns.find(({ to }) => to === 'id' || to === 'seq')?.to ?? 'id'
    await this.database.script(
      `SELECT setval(${sequence}, (SELECT max(${id}) FROM ${name})) WHERE EXISTS (SELECT 1 FROM ${name})`,
    )
  }
}
