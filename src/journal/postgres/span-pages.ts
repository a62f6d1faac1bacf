import { type PgValue, type Runner, type Statement, statement } from '../../core/postgres/statement.js'
import {
  type FactPage,
  listOf,
  type Position,
  type SpanFilter,
  type SpanTable,
} from '../database/fact-pages.js'

/** entries of one page: some ms of the event loop's time */
const PAGE = 2_000

/**
 * Reads the facts of a span page by page in the order of the index, each page with one statement. A page is so many entries whatever is
 * picked from them; what it picks comes as one JSON text.
 */
export class SpanPages {
  readonly #page: Statement
  readonly #size: number

  constructor({ table, fixed, picked, facts = 'facts', size = PAGE }: SpanTable) {
    this.#size = size
    const within = fixed.map((column, index) => `${column} = $${index + 5} AND `).join('')
    const among = picked.map((column, index) => {
      const mark = `$${index + 5 + fixed.length}`
      return `(${mark}::text IS NULL OR ${column} = ${mark})`
    })
    this.#page = statement(`
      WITH page AS MATERIALIZED (
        SELECT * FROM ${table}
        WHERE ${within} at >= $1 AND at < $2 AND (at, id) > ($3, $4) ORDER BY at, id LIMIT ${size}
      ), newest AS (SELECT at, id FROM page ORDER BY at DESC, id DESC LIMIT 1)
      SELECT (SELECT count(*) FROM page), (SELECT at FROM newest), (SELECT id FROM newest),
        (SELECT '[' || string_agg((${facts})::text, ',' ORDER BY at, id) || ']' FROM page${among.length > 0 ? ` WHERE ${among.join(' AND ')}` : ''})`)
  }

  /** The facts of the page behind `after`, and its end; without an end it was the last. */
  async page(runner: Runner, { from, to, fixed, picked }: SpanFilter, after?: Position): Promise<FactPage> {
    // Instants are whole.
    const start = after ?? { at: whole(from), id: -1 }
    const values: PgValue[] = [start.at, whole(to), start.at, start.id, ...fixed]
    const [row] = await runner.rows(this.#page, [...values, ...picked.map((value) => value ?? null)])
    const [count, at, id, text] = row ?? []
    const items = typeof text === 'string' ? listOf(text) : []
    return Number(count) < this.#size ? { items } : { items, end: { at: Number(at), id: Number(id) } }
  }
}

/** The first whole instant from there on, as the column can hold it. */
export const whole = (at: number): number =>
  Math.min(Math.max(Math.ceil(at), Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
