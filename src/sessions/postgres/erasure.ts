import type { PgRow, PgValue, Runner, Statement } from '../../core/postgres/statement.js'
import type { SessionOwner } from '../session-store.js'
import { SQL } from './session-sql.js'

/** sessions of one step that are looked at, and of those erased */
const LOOKED_IDLE = 200
const MOST_IDLE = 20
/** turns erased at once */
const PAGE_TURNS = 200

/** Of one session: nothing, some of its turns, or all of it. */
export type Erased = 'none' | 'some' | 'all'

export interface ErasureCalls {
  reads(query: Statement, values: readonly PgValue[]): Promise<readonly PgRow[]>
  transaction<T>(work: (runner: Runner) => Promise<T>): Promise<T>
}

/** Within a transaction. To be called again while it erases `some`. */
export async function eraseOwned(runner: Runner, sessionId: string, owner: SessionOwner): Promise<Erased> {
  const locked = await runner.rows(SQL.lockForErasure, [sessionId, owner.orgId, owner.userId])
  return locked.length === 0 ? 'none' : eraseSome(runner, sessionId)
}

/** One step over the sessions after this id: those in which nothing was said since `before` (wall-clock ms) go. */
export async function eraseIdleSessions(
  before: number,
  after: string,
  { reads, transaction }: ErasureCalls,
): Promise<{ readonly erased: number; readonly next?: string }> {
  const limit = Math.ceil(before)
  const looked = await reads(SQL.idle, [after, LOOKED_IDLE, limit])
  let erased = 0
  let last = after
  for (const [id, isIdle] of looked) {
    const sessionId = String(id)
    if (isIdle === true) {
      if (erased >= MOST_IDLE) return { erased, next: last }
      const found = await transaction((runner) => eraseIdle(runner, sessionId, limit))
      // One that was erased in part is looked at again, and is as old as before.
      if (found === 'some') return { erased, next: last }
      if (found === 'all') erased += 1
    }
    last = sessionId
  }
  return looked.length < LOOKED_IDLE ? { erased } : { erased, next: last }
}

/** Somebody may have used it since it was looked at. */
async function eraseIdle(runner: Runner, sessionId: string, before: number): Promise<Erased> {
  await runner.rows(SQL.lock, [sessionId])
  const [row] = await runner.rows(SQL.isIdle, [sessionId, before])
  return row?.[0] === true ? eraseSome(runner, sessionId) : 'none'
}

/** The session goes with its last turns: one that was erased in part is still there to be erased again. */
async function eraseSome(runner: Runner, sessionId: string): Promise<Erased> {
  if ((await runner.change(SQL.deleteTurns, [sessionId, PAGE_TURNS])) === PAGE_TURNS) return 'some'
  await runner.rows(SQL.deleteSession, [sessionId])
  return 'all'
}
