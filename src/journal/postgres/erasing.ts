import type { PostgresDatabase } from '../../core/postgres/postgres.js'
import { type PgValue, type Statement, statement } from '../../core/postgres/statement.js'
import type { ErasedEntries, ErasedWho } from '../comparison.js'
import { FOR_PLACE } from '../facts.js'

/** entries looked at by one statement */
const STEP_ROWS = 5_000
/** ms such a statement may take */
const STEP_MS = 30_000

const OF_ORG = '($5::text IS NULL OR org_id = $5)'

/** What belongs to whom, of each table; $5 is the org or NULL, $6 the user (of executions: an array of sessions) or NULL. */
const ERASABLE = {
  comparisons: `${OF_ORG} AND ($6::text IS NULL OR user_id = $6)`,
  // Of those that do not say whose they are it might be anybody's of the org: they go too.
  contents: `${OF_ORG} AND ($6::text IS NULL OR user_id = $6 OR user_id IS NULL)`,
  executions: `${OF_ORG} AND ($6::text[] IS NULL OR facts ->> ${FOR_PLACE.sessionId} = ANY ($6))`,
  drops: '$5::text = org_id AND $6::text IS NULL',
} as const
type ErasableTable = keyof typeof ERASABLE

const TABLES = {
  comparisons: erasureOf('comparisons'),
  contents: erasureOf('contents'),
  executions: erasureOf('executions'),
  drops: erasureOf('drops'),
}

interface Erasure {
  /** the last of the next entries: $1 the instant and $2 the id behind which they begin */
  readonly end: Statement
  /** $1, $2 as above; $3, $4 the last of them */
  readonly erase: Statement
}

function erasureOf(table: ErasableTable): Erasure {
  return {
    end: statement(`
      SELECT at, id FROM (SELECT at, id FROM ${table} WHERE (at, id) > ($1, $2) ORDER BY at, id LIMIT ${STEP_ROWS}) AS next
      ORDER BY at DESC, id DESC LIMIT 1`),
    erase: statement(
      `DELETE FROM ${table} WHERE (at, id) > ($1, $2) AND (at, id) <= ($3, $4) AND ${ERASABLE[table]}`,
    ),
  }
}

/** Erases entries in steps, so that no statement takes long. */
export async function erase(
  database: PostgresDatabase,
  { orgId, userId, sessionIds }: ErasedWho,
): Promise<ErasedEntries> {
  // Nobody is not everybody.
  if (orgId === undefined && userId === undefined) return { comparisons: 0, contents: 0, executions: 0 }
  const from = (table: ErasableTable, who: PgValue) => eraseFrom(database, table, orgId ?? null, who)
  const comparisons = await from('comparisons', userId ?? null)
  const contents = await from('contents', userId ?? null)
  const executions = await from('executions', userId === undefined ? null : [...sessionIds])
  await from('drops', userId ?? null)
  return { comparisons, contents, executions }
}

async function eraseFrom(
  database: PostgresDatabase,
  table: ErasableTable,
  orgId: string | null,
  who: PgValue,
): Promise<number> {
  const { end, erase } = TABLES[table]
  let erased = 0
  for (let after: readonly [number, number] = [Number.MIN_SAFE_INTEGER, 0]; ; ) {
    const start = after
    const step = await database.transaction(async (runner) => {
      const [last] = await runner.rows(end, start)
      if (last === undefined) return undefined
      const next: readonly [number, number] = [Number(last[0]), Number(last[1])]
      return { next, count: await runner.change(erase, [...start, ...next, orgId, who]) }
    }, STEP_MS)
    if (step === undefined) return erased
    erased += step.count
    after = step.next
  }
}
