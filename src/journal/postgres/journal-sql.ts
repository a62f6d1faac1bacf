import { type Statement, statement } from '../../core/postgres/statement.js'
import { CONTENT_COLUMNS, EDIT_COLUMNS, SAMPLE_COLUMNS, TRANSITION_COLUMNS } from '../journal-rows.js'
import type { Retention } from '../retention.js'

/** The name of a table is that of its bound. */
export type Table = keyof Retention
export type PlainTable = Exclude<Table, 'executions' | 'comparisons'>
export const PLAIN_TABLES = [
  'transitions',
  'samples',
  'contents',
  'drops',
  'edits',
  'rollout_changes',
] as const satisfies PlainTable[]

/** `user` is a word of SQL. */
const quoted = (columns: readonly string[]): string => columns.map((column) => `"${column}"`).join(', ')
const marks = (count: number, first = 1): string =>
  Array.from({ length: count }, (_, index) => `$${index + first}`).join(', ')
const insert = (table: string, columns: readonly string[]): Statement =>
  statement(`INSERT INTO ${table} (${quoted(columns)}) VALUES (${marks(columns.length)})`)

const CHANGE = TRANSITION_COLUMNS.length
/** one change, from whichever replica reports it; its values come behind those of the columns */
const SAME_CHANGE = `revision = $${CHANGE + 1} AND replica = $${CHANGE + 2} AND at = $${CHANGE + 3}`
/** of the columns, since the values of a SELECT have no type of their own */
const TRANSITION_TYPES = TRANSITION_COLUMNS.map((column, index) => {
  if (['at', 'trips', 'hold_until', 'revision'].includes(column)) return `$${index + 1}::bigint`
  if (['value', 'threshold', 'recovering_percent'].includes(column)) return `$${index + 1}::double precision`
  return column === 'adopted' ? `$${index + 1}::int` : `$${index + 1}::text`
}).join(', ')

const CONTENT_INSERT = ['control_mode', 'user_id', ...CONTENT_COLUMNS]
const DROP_COLUMNS = ['turns', 'control_mode', 'at', 'org_id', 'agent_id', 'replica', 'reason', 'kind']

/** The SQL of the journal, but that of the spans (span-pages.ts). */
export const SQL = {
  /** Nothing where the batch was written before. $1 writer, $2 batch, $3 now */
  batch: statement(`
    INSERT INTO journal_writers AS kept VALUES ($1, $2, $3)
    ON CONFLICT (writer) DO UPDATE SET batch = $2, at = $3 WHERE kept.batch < $2`),
  forgetWriters: statement('DELETE FROM journal_writers WHERE at < $1'),
  /** One replica at a time tells of changes, so that ids rise with their commits and none is told twice. */
  lockTransitions: statement('SELECT pg_advisory_xact_lock(7145036043)'),
  insertTransition: insert('transitions', TRANSITION_COLUMNS),
  insertAdopted: statement(`
    INSERT INTO transitions (${quoted(TRANSITION_COLUMNS)}) SELECT ${TRANSITION_TYPES}
    WHERE NOT EXISTS (SELECT 1 FROM transitions WHERE ${SAME_CHANGE})`),
  replaceAdopted: statement(`
    UPDATE transitions SET (${quoted(TRANSITION_COLUMNS)}) = ROW (${marks(CHANGE)}) WHERE ${SAME_CHANGE} AND adopted = 1`),
  insertEdit: insert('edits', EDIT_COLUMNS),
  insertRolloutChange: insert('rollout_changes', ['at', 'record']),
  /** Arrays of the columns, as below. */
  insertSamples: statement(`
    INSERT INTO samples (${quoted(SAMPLE_COLUMNS)})
    SELECT at, replica, run, seq, input::json
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[]) AS given (at, replica, run, seq, input)`),
  insertComparisons: statement(`
    INSERT INTO comparisons (at, control_mode, org_id, user_id, agent_id, replica, facts)
    SELECT at, mode, org, owner, agent, replica, facts::json
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
      AS given (at, mode, org, owner, agent, replica, facts)`),
  insertExecutions: statement(`
    INSERT INTO executions (at, org_id, facts) SELECT at, org, facts::json
    FROM unnest($1::bigint[], $2::text[], $3::text[]) AS given (at, org, facts)`),
  insertContent: insert('contents', CONTENT_INSERT),
  addDrops: statement(`
    UPDATE drops SET turns = turns + $1 WHERE control_mode = $2 AND at = $3 AND org_id IS NOT DISTINCT FROM $4
      AND agent_id IS NOT DISTINCT FROM $5 AND replica = $6 AND reason = $7 AND kind IS NOT DISTINCT FROM $8`),
  insertDrops: insert('drops', DROP_COLUMNS),
  transitionsBefore: statement(
    `SELECT id, ${quoted(TRANSITION_COLUMNS)} FROM transitions WHERE id < $1 ORDER BY id DESC LIMIT $2`,
  ),
  editsBefore: statement(
    `SELECT id, ${quoted(EDIT_COLUMNS)} FROM edits WHERE id < $1 ORDER BY id DESC LIMIT $2`,
  ),
  rolloutChangesBefore: statement(
    'SELECT id, at, record FROM rollout_changes WHERE id < $1 ORDER BY id DESC LIMIT $2',
  ),
  samplesAfter: statement(
    `SELECT id, ${quoted(SAMPLE_COLUMNS)} FROM samples WHERE run = $1 AND seq > $2 ORDER BY seq LIMIT $3`,
  ),
  /** $1 mode, $2 from, $3 to, $4 org, $5 agent, $6 most */
  contents: statement(`
    SELECT id, ${quoted(CONTENT_COLUMNS)} FROM contents
    WHERE control_mode = $1 AND at >= $2 AND at < $3
      AND ($4::text IS NULL OR org_id = $4) AND ($5::text IS NULL OR agent_id = $5)
    ORDER BY at DESC, id DESC LIMIT $6`),
  newestAt: statement(`
    SELECT max(at) FROM (
      ${PLAIN_TABLES.map((table) => `(SELECT at FROM ${table} ORDER BY id DESC LIMIT 1)`).join(' UNION ALL ')}
      UNION ALL (SELECT max(at) FROM executions) UNION ALL (SELECT at FROM comparisons ORDER BY at DESC LIMIT 1)
    ) AS newest`),
} as const

/** Deletes among the oldest $1 rows those with an id up to `max - $2`, or older than $3: nothing here ever reads the whole table. */
export const pruneOf = (table: PlainTable): Statement =>
  statement(`
    DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} ORDER BY id LIMIT $1)
      AND (id <= (SELECT max(id) FROM ${table}) - $2::bigint OR at < $3)`)

/** Of a partitioned table the newest entry beyond the $1 newest; for bounds by number. */
export const beyondOf = (table: 'executions' | 'comparisons'): Statement =>
  statement(`SELECT at, id FROM ${table} ORDER BY at DESC, id DESC OFFSET $1 LIMIT 1`)

/** Deletes of a partitioned table a few of the oldest up to an entry: $1 its instant, $2 its id, $3 most. */
export const deleteUpTo = (table: 'executions' | 'comparisons'): Statement =>
  statement(`
    DELETE FROM ${table} WHERE (at, id) IN (
      SELECT at, id FROM ${table} WHERE (at, id) <= ($1, $2) ORDER BY at, id LIMIT $3)`)

/** What is of no day near, by its age: $1 before, $2 most. */
export const deleteOtherOf = (table: 'executions' | 'comparisons'): Statement =>
  statement(`
    DELETE FROM ${table}_other WHERE (at, id) IN (
      SELECT at, id FROM ${table}_other WHERE at < $1 ORDER BY at, id LIMIT $2)`)
