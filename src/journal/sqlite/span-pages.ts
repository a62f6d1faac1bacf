import type { SqliteDatabase, SqlStatement, SqlValue } from '../../core/sqlite/sqlite.js'

/** Where a page ends: an entry's instant, and its id among those of the same instant. */
export interface Position {
  readonly at: number
  readonly id: number
}

/** Which entries of a table: all of a span, or those with these values in the named columns. */
export interface SpanFilter {
  readonly from: number
  readonly to: number
  /** values of the columns the index begins with, in its order */
  readonly fixed: readonly SqlValue[]
  /** values of the other columns, undefined for any */
  readonly picked: readonly (string | undefined)[]
}

export interface SpanTable {
  readonly table: 'comparisons' | 'executions' | 'drops' | 'samples'
  /** columns of its index on spans before `at` */
  readonly fixed: readonly string[]
  readonly picked: readonly string[]
  /** SQL of an entry's facts as JSON, where they are no column */
  readonly facts?: string
  /** entries of one page, where they are long; default 1,000 */
  readonly size?: number
}

/** entries of one page: about a millisecond of the event loop's time */
const PAGE = 1_000

/**
 * Reads the facts of a span page by page in the order of the index. A page is so many entries whatever is picked from
 * them, so that none takes long; what it picks comes as one JSON text, for a row costs more than what is in it.
 */
export class SpanPages {
  readonly #end: SqlStatement
  readonly #facts: SqlStatement

  constructor(database: SqliteDatabase, { table, fixed, picked, facts = 'facts', size = PAGE }: SpanTable) {
    const within = fixed.map((column) => `${column} = ? AND `).join('')
    const among = picked.map((column) => ` AND (? IS NULL OR ${column} = ?)`).join('')
    this.#end = database.prepare(
      `SELECT at, id FROM ${table} WHERE ${within} at >= ? AND at < ? AND (at, id) > (?, ?)
        ORDER BY at, id LIMIT 1 OFFSET ${size - 1}`,
    )
    this.#facts = database.prepare(
      `SELECT '[' || group_concat(${facts}) || ']' FROM ${table}
        WHERE ${within} at >= ? AND at <= ? AND (at, id) > (?, ?) AND (at, id) <= (?, ?)${among}`,
    )
  }

  /** The facts of the page behind `after`, and its end; without an end it was the last. */
  page(filter: SpanFilter, after?: Position): { items: readonly unknown[]; end?: Position } {
    const { fixed, from, to } = filter
    const start = after ?? { at: from, id: -1 }
    const row = this.#end.get(...fixed, start.at, to, start.at, start.id)
    const end = row === undefined ? undefined : { at: Number(row[0]), id: Number(row[1]) }
    // Instants are whole: the last before `to`.
    const last = end ?? { at: Math.ceil(to) - 1, id: Number.MAX_SAFE_INTEGER }
    const picked = filter.picked.flatMap((value) => [value ?? null, value ?? null])
    const text = this.#facts.get(
      ...fixed,
      start.at,
      last.at,
      start.at,
      start.id,
      last.at,
      last.id,
      ...picked,
    )?.[0]
    return { items: typeof text === 'string' ? listOf(text) : [], ...(end === undefined ? {} : { end }) }
  }
}

/** Each entry's facts were checked to be JSON as they were written. */
function listOf(text: string): readonly unknown[] {
  const list: unknown = JSON.parse(text)
  return Array.isArray(list) ? list : []
}
