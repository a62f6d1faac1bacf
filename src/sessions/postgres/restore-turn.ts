import type { Runner } from '../../core/postgres/statement.js'
import { storableText } from '../../core/text.js'
import type { UnkeptTurn } from '../session-store.js'
import { visibleSize } from '../trim-history.js'
import { type Reservation, reservationOf } from './reservations.js'
import { SQL } from './session-sql.js'
import { endValues } from './turn-values.js'

/** Under which reservation a turn that still runs is kept. */
export interface RestoreContext {
  readonly replica: string
  /** wall-clock ms: until when it is reserved */
  readonly stamp: number
  /** Whether nobody holds the session by this reservation. */
  isFree(reservation: Reservation | undefined): boolean
}

/**
 * Writes a turn that ran while the database was away, within one transaction. A turn that was written in part is written to its end.
 * @returns undefined where the session is not the owner's
 */
export async function restoreTurn(
  runner: Runner,
  { turn, agentId, startedAt, text, end, endedAt, released }: UnkeptTurn,
  { replica, stamp, isFree }: RestoreContext,
): Promise<{ readonly seq: number; readonly isHeld: boolean } | undefined> {
  const { sessionId, messageId, owner } = turn
  const who = [sessionId, owner.orgId, owner.userId]
  const started = Math.round(startedAt)
  if ((await runner.rows(SQL.lockOwned, who)).length === 0) {
    if (agentId === undefined) return undefined
    if ((await runner.change(SQL.insertSession, [...who, agentId, started])) === 0) return undefined
  }
  const message = storableText(turn.message)
  const inserted = await runner.rows(SQL.insertTurn, [messageId, sessionId, message, message.length, started])
  const [row] = inserted.length > 0 ? inserted : await runner.rows(SQL.turnOf, [messageId, sessionId])
  if (row === undefined) return undefined
  const own = { messageId, sessionId, seq: Number(row[0]) }
  if (end === undefined) {
    const partial = storableText(text)
    await runner.rows(SQL.keepText, [partial, visibleSize(partial), own.seq, messageId])
  } else await runner.rows(SQL.end, endValues(own, end, Math.round(endedAt ?? startedAt)))
  const [held] = await runner.rows(SQL.running, [sessionId])
  const holder = held && reservationOf(held)
  if (released) {
    if (holder?.messageId === messageId) await runner.rows(SQL.release, [sessionId, messageId])
    return { seq: own.seq, isHeld: false }
  }
  const isHeld = holder?.messageId === messageId || isFree(holder)
  if (isHeld) await runner.rows(SQL.reserve, [sessionId, messageId, replica, stamp])
  return { seq: own.seq, isHeld }
}
