import type { SqliteDatabase, SqlRow, SqlStatement } from '../core/sqlite.js'
import type { SampleEntry, TransitionEntry } from './entries.js'
import { SAMPLE_COLUMNS, sampleValues, TRANSITION_COLUMNS, transitionValues } from './journal-rows.js'
import type { Bound } from './retention.js'

type Table = 'transitions' | 'samples'

/** The SQL of the journal. */
export class JournalStatements {
  readonly #insertTransition: SqlStatement
  readonly #insertSample: SqlStatement
  readonly #transitionsBefore: SqlStatement
  readonly #samplesAfter: SqlStatement
  readonly #newestId: Readonly<Record<Table, SqlStatement>>
  readonly #deleteOld: Readonly<Record<Table, SqlStatement>>

  constructor(database: SqliteDatabase) {
    this.#insertTransition = database.prepare(insert('transitions', TRANSITION_COLUMNS))
    this.#insertSample = database.prepare(insert('samples', SAMPLE_COLUMNS))
    this.#transitionsBefore = database.prepare(
      `SELECT id, ${TRANSITION_COLUMNS} FROM transitions WHERE id < ? ORDER BY id DESC LIMIT ?`,
    )
    this.#samplesAfter = database.prepare(
      `SELECT id, ${SAMPLE_COLUMNS} FROM samples WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?`,
    )
    const both = (sql: (table: Table) => string): Record<Table, SqlStatement> => ({
      transitions: database.prepare(sql('transitions')),
      samples: database.prepare(sql('samples')),
    })
    this.#newestId = both((table) => `SELECT max(id) FROM ${table}`)
    // Only the oldest rows are looked at: nothing here ever reads the whole table.
    this.#deleteOld = both(
      (table) =>
        `DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} ORDER BY id LIMIT ?) AND (id <= ? OR at < ?)`,
    )
  }

  insertTransition(entry: TransitionEntry): void {
    this.#insertTransition.run(...transitionValues(entry))
  }

  insertSample(entry: SampleEntry): void {
    this.#insertSample.run(...sampleValues(entry))
  }

  /** Newest first; each row begins with its id. */
  transitionsBefore(id: number, limit: number): SqlRow[] {
    return this.#transitionsBefore.all(id, limit)
  }

  /** In order of `seq`. */
  samplesAfter(run: string, seq: number, limit: number): SqlRow[] {
    return this.#samplesAfter.all(run, seq, limit)
  }

  /** Deletes what is beyond the bound among the oldest `step` rows; rows deleted. */
  prune(table: Table, bound: Bound, now: number, step: number): number {
    const newest = Number(this.#newestId[table].get()?.[0] ?? 0)
    return this.#deleteOld[table].run(step, newest - bound.count, now - bound.maxAgeMs)
  }
}

const insert = (table: Table, columns: readonly string[]): string =>
  `INSERT INTO ${table} (${columns}) VALUES (${columns.map(() => '?')})`
