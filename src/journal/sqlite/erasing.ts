import type { SqliteDatabase, SqlStatement } from '../../core/sqlite/sqlite.js'
import type { ErasedEntries, ErasedWho } from '../comparison.js'
import { FOR_PLACE } from '../facts.js'

/** rows looked at in one transaction, which holds up everybody else for some milliseconds */
const STEP_ROWS = 500
/** what is erased is overwritten, and contents are large */
const STEP_CONTENTS = 50

const OF_ORG = '(?3 IS NULL OR org_id = ?3)'
const IN_SESSIONS = `json_extract(facts, '$[${FOR_PLACE.sessionId}]') IN (SELECT value FROM json_each(?4))`

/** What belongs to whom, of each table; ?3 is the org or NULL, ?4 the user (of executions: a JSON array of sessions) or NULL. */
const ERASABLE = {
  comparisons: `${OF_ORG} AND (?4 IS NULL OR user_id = ?4)`,
  // Of those that do not say whose they are it might be anybody's of the org: they go too.
  contents: `${OF_ORG} AND (?4 IS NULL OR user_id = ?4 OR user_id IS NULL)`,
  executions: `${OF_ORG} AND (?4 IS NULL OR ${IN_SESSIONS})`,
  drops: 'org_id = ?3 AND ?4 IS NULL',
} as const
type ErasableTable = keyof typeof ERASABLE

/** Runs a piece of the work in a transaction of its own. */
type Step = <T>(work: () => T) => Promise<T>

/** Erases entries in small steps, between which others have their turn. */
export class Erasing {
  readonly #last: Readonly<Record<ErasableTable, SqlStatement>>
  readonly #erase: Readonly<Record<ErasableTable, SqlStatement>>

  constructor(database: SqliteDatabase) {
    const ofEach = (sql: (table: ErasableTable) => string): Record<ErasableTable, SqlStatement> => ({
      comparisons: database.prepare(sql('comparisons')),
      contents: database.prepare(sql('contents')),
      executions: database.prepare(sql('executions')),
      drops: database.prepare(sql('drops')),
    })
    this.#last = ofEach((table) => `SELECT min(id), max(id) FROM ${table}`)
    this.#erase = ofEach((table) => `DELETE FROM ${table} WHERE id >= ?1 AND id < ?2 AND ${ERASABLE[table]}`)
  }

  async run({ orgId, userId, sessionIds }: ErasedWho, step: Step): Promise<ErasedEntries> {
    // Nobody is not everybody.
    if (orgId === undefined && userId === undefined) return { comparisons: 0, contents: 0, executions: 0 }
    const of = (table: ErasableTable, who: string | undefined) => this.#eraseFrom(table, orgId, who, step)
    const comparisons = await of('comparisons', userId)
    const contents = await of('contents', userId)
    const executions = await of('executions', userId === undefined ? undefined : JSON.stringify(sessionIds))
    await of('drops', userId)
    return { comparisons, contents, executions }
  }

  async #eraseFrom(
    table: ErasableTable,
    orgId: string | undefined,
    who: string | undefined,
    step: Step,
  ): Promise<number> {
    const [first, last] = (await step(() => this.#last[table].get())) ?? []
    let erased = 0
    const size = table === 'contents' ? STEP_CONTENTS : STEP_ROWS
    for (let from = Number(first ?? 0); from <= Number(last ?? -1); from += size) {
      erased += await step(() => this.#erase[table].run(from, from + size, orgId ?? null, who ?? null))
      await new Promise((resolve) => setImmediate(resolve))
    }
    return erased
  }
}
