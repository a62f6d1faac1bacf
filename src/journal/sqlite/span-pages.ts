import type { SqliteDatabase, SqlStatement } from '../../core/sqlite/sqlite.js'
import {
  type FactPage,
  listOf,
  type Position,
  type SpanFilter,
  type SpanTable,
} from '../database/fact-pages.js'

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
  page(filter: SpanFilter, after?: Position): FactPage {
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
