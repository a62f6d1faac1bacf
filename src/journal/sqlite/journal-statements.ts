import type { SqliteDatabase, SqlRow, SqlStatement } from '../../core/sqlite/sqlite.js'
import type { ComparisonQuery } from '../comparison.js'
import type {
  ComparisonEntry,
  DropEntry,
  EditEntry,
  ExecutionEntry,
  RolloutEntry,
  SampleEntry,
  TransitionEntry,
} from '../entries.js'
import {
  CONTENT_COLUMNS,
  contentValues,
  EDIT_COLUMNS,
  editValues,
  SAMPLE_COLUMNS,
  sampleValues,
  TRANSITION_COLUMNS,
  transitionValues,
} from '../journal-rows.js'
import type { Bound, Retention } from '../retention.js'

/** The name of a table is that of its bound. */
export type Table = keyof Retention
export const TABLES = [
  'transitions',
  'samples',
  'comparisons',
  'contents',
  'executions',
  'drops',
  'edits',
  'rollout_changes',
] as const satisfies Table[]

/** one change, from whichever replica reports it */
const SAME_CHANGE = 'revision = ? AND replica = ? AND at = ?'

/** The SQL of the journal, but that of the spans (span-pages.ts). */
export class JournalStatements {
  readonly #insertTransition: SqlStatement
  readonly #insertAdopted: SqlStatement
  readonly #replaceAdopted: SqlStatement
  readonly #insertSample: SqlStatement
  readonly #insertEdit: SqlStatement
  readonly #editsBefore: SqlStatement
  readonly #insertRolloutChange: SqlStatement
  readonly #rolloutChangesBefore: SqlStatement
  readonly #insertComparison: SqlStatement
  readonly #insertContent: SqlStatement
  readonly #insertExecution: SqlStatement
  readonly #addDrops: SqlStatement
  readonly #insertDrops: SqlStatement
  readonly #transitionsBefore: SqlStatement
  readonly #samplesAfter: SqlStatement
  readonly #contents: SqlStatement
  readonly #newestAt: SqlStatement
  readonly #newestId: Readonly<Record<Table, SqlStatement>>
  readonly #deleteOld: Readonly<Record<Table, SqlStatement>>

  constructor(database: SqliteDatabase) {
    const marks = TRANSITION_COLUMNS.map(() => '?')
    this.#insertTransition = database.prepare(insert('transitions', TRANSITION_COLUMNS))
    this.#insertAdopted = database.prepare(
      `INSERT INTO transitions (${TRANSITION_COLUMNS}) SELECT ${marks}
        WHERE NOT EXISTS (SELECT 1 FROM transitions WHERE ${SAME_CHANGE})`,
    )
    this.#replaceAdopted = database.prepare(
      `UPDATE transitions SET (${TRANSITION_COLUMNS}) = (${marks}) WHERE ${SAME_CHANGE} AND adopted = 1`,
    )
    this.#insertSample = database.prepare(insert('samples', SAMPLE_COLUMNS))
    this.#insertEdit = database.prepare(insert('edits', EDIT_COLUMNS))
    this.#editsBefore = database.prepare(
      `SELECT id, ${EDIT_COLUMNS} FROM edits WHERE id < ? ORDER BY id DESC LIMIT ?`,
    )
    this.#insertRolloutChange = database.prepare(insert('rollout_changes', ['at', 'record']))
    this.#rolloutChangesBefore = database.prepare(
      'SELECT id, at, record FROM rollout_changes WHERE id < ? ORDER BY id DESC LIMIT ?',
    )
    this.#insertComparison = database.prepare(
      insert('comparisons', ['at', 'control_mode', 'org_id', 'user_id', 'agent_id', 'replica', 'facts']),
    )
    this.#insertContent = database.prepare(
      insert('contents', ['control_mode', 'user_id', ...CONTENT_COLUMNS]),
    )
    this.#insertExecution = database.prepare(insert('executions', ['at', 'org_id', 'facts']))
    this.#addDrops = database.prepare(
      `UPDATE drops SET turns = turns + ? WHERE control_mode = ? AND at = ? AND org_id IS ? AND agent_id IS ?
        AND replica = ? AND reason = ? AND kind IS ?`,
    )
    this.#insertDrops = database.prepare(
      insert('drops', ['turns', 'control_mode', 'at', 'org_id', 'agent_id', 'replica', 'reason', 'kind']),
    )
    this.#transitionsBefore = database.prepare(
      `SELECT id, ${TRANSITION_COLUMNS} FROM transitions WHERE id < ? ORDER BY id DESC LIMIT ?`,
    )
    this.#samplesAfter = database.prepare(
      `SELECT id, ${SAMPLE_COLUMNS} FROM samples WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?`,
    )
    // Without an index of an org's own: at most the 10,000 entries of the span's index are looked at, not their texts.
    this.#contents = database.prepare(
      `SELECT id, ${CONTENT_COLUMNS} FROM contents
        WHERE control_mode = ? AND at >= ? AND at < ?
          AND (? IS NULL OR org_id = ?) AND (? IS NULL OR agent_id = ?)
        ORDER BY at DESC, id DESC LIMIT ?`,
    )
    const ofEach = (sql: (table: Table) => string): Record<Table, SqlStatement> => ({
      transitions: database.prepare(sql('transitions')),
      samples: database.prepare(sql('samples')),
      comparisons: database.prepare(sql('comparisons')),
      contents: database.prepare(sql('contents')),
      executions: database.prepare(sql('executions')),
      drops: database.prepare(sql('drops')),
      edits: database.prepare(sql('edits')),
      rollout_changes: database.prepare(sql('rollout_changes')),
    })
    const newest = TABLES.map((table) => `SELECT * FROM (SELECT at FROM ${table} ORDER BY id DESC LIMIT 1)`)
    this.#newestAt = database.prepare(`SELECT max(at) FROM (${newest.join(' UNION ALL ')})`)
    this.#newestId = ofEach((table) => `SELECT max(id) FROM ${table}`)
    // Only the oldest rows are looked at: nothing here ever reads the whole table.
    this.#deleteOld = ofEach(
      (table) =>
        `DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} ORDER BY id LIMIT ?) AND (id <= ? OR at < ?)`,
    )
  }

  /** One's own takes the place of the same change as adopted, at its id. */
  insertTransition(entry: TransitionEntry): void {
    const values = transitionValues(entry)
    const change = [entry.revision, entry.replica, entry.at]
    if (entry.adopted === true) this.#insertAdopted.run(...values, ...change)
    else if (this.#replaceAdopted.run(...values, ...change) === 0) this.#insertTransition.run(...values)
  }

  insertEdit(entry: EditEntry): void {
    this.#insertEdit.run(...editValues(entry))
  }

  insertRolloutChange({ at, record }: RolloutEntry): void {
    this.#insertRolloutChange.run(at, record)
  }

  insertSample(entry: SampleEntry): void {
    this.#insertSample.run(...sampleValues(entry))
  }

  insertComparison(entry: ComparisonEntry): void {
    const { at, controlMode, orgId, userId = null, agentId, replica, content } = entry
    this.#insertComparison.run(at, controlMode, orgId, userId, agentId, replica, JSON.stringify(entry.facts))
    if (content !== undefined) this.#insertContent.run(controlMode, userId, ...contentValues(content))
  }

  insertExecution({ at, orgId, facts }: ExecutionEntry): void {
    this.#insertExecution.run(at, orgId, JSON.stringify(facts))
  }

  /** Added to what is kept of the same minute already. */
  insertDrops({ turns, controlMode, at, orgId, agentId, replica, reason, kind }: DropEntry): void {
    const values = [turns, controlMode, at, orgId, agentId, replica, reason, kind ?? null]
    if (this.#addDrops.run(...values) === 0) this.#insertDrops.run(...values)
  }

  /** Newest first; each row begins with its id. */
  transitionsBefore(id: number, limit: number): SqlRow[] {
    return this.#transitionsBefore.all(id, limit)
  }

  /** Newest first; each row begins with its id. */
  editsBefore(id: number, limit: number): SqlRow[] {
    return this.#editsBefore.all(id, limit)
  }

  /** Newest first; each row begins with its id. */
  rolloutChangesBefore(id: number, limit: number): SqlRow[] {
    return this.#rolloutChangesBefore.all(id, limit)
  }

  /** In order of `seq`. */
  samplesAfter(run: string, seq: number, limit: number): SqlRow[] {
    return this.#samplesAfter.all(run, seq, limit)
  }

  /** Newest first. */
  contents({ controlMode, from, to, orgId, agentId }: ComparisonQuery, limit: number): SqlRow[] {
    const picked = [orgId, agentId].flatMap((value) => [value ?? null, value ?? null])
    return this.#contents.all(controlMode, from, to, ...picked, limit)
  }

  /** Wall ms of the newest entry, of whatever kind; undefined if there is none. */
  newestAt(): number | undefined {
    const at = this.#newestAt.get()?.[0]
    return typeof at === 'number' ? at : undefined
  }

  /**
   * Deletes what is beyond the bound among the oldest `step` rows; rows deleted.
   * @param now wall ms from which ages count; undefined: nothing is deleted by age
   */
  prune(table: Table, bound: Bound, now: number | undefined, step: number): number {
    const newest = Number(this.#newestId[table].get()?.[0] ?? 0)
    const oldest = now === undefined ? Number.MIN_SAFE_INTEGER : Math.floor(now - bound.maxAgeMs)
    return this.#deleteOld[table].run(step, newest - bound.count, oldest)
  }
}

const insert = (table: Table, columns: readonly string[]): string =>
  `INSERT INTO ${table} (${columns}) VALUES (${columns.map(() => '?')})`
