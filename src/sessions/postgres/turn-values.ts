import type { PgValue } from '../../core/postgres/statement.js'
import { storableText } from '../../core/text.js'
import type { PastTurn, TurnEnd } from '../session-store.js'
import { visibleSize } from '../trim-history.js'

/** Turns between their rows and their form in this process. */

/** A turn that this process runs. */
export interface OwnTurn {
  readonly messageId: string
  readonly sessionId: string
  readonly seq: number
}

/** columns of SQL.read before those of a turn */
export const READ_COLUMNS = 9

/** @param json pairs of message and text */
export function pastTurns(json: unknown): PastTurn[] {
  const pairs: unknown = JSON.parse(String(json ?? '[]'))
  if (!Array.isArray(pairs)) return []
  return pairs.map(([message, text]: unknown[]) => ({ message: String(message), text: String(text) }))
}

/** The values of SQL.end. */
export function endValues({ seq, messageId }: OwnTurn, end: TurnEnd, now: number): PgValue[] {
  const text = storableText(end.text)
  const { status, executionMode, finishReason = null, trace = null } = end
  return [text, visibleSize(text), seq, messageId, status, executionMode, finishReason, now, trace]
}
