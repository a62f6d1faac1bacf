import type { SqliteDatabase, SqlRow, SqlStatement, SqlValue } from '../../core/sqlite/sqlite.js'
import type { SeenReservation } from '../reservation-watch.js'
import {
  type HeldSession,
  type PastTurn,
  type SessionOwner,
  type SessionSummary,
  TITLE_CHARACTERS,
  type TurnEnd,
} from '../session-store.js'
import { NEWEST, type SessionRecord, summaryRecord, type TurnRecord, turnRecord } from '../session-view.js'
import { MAX_HISTORY_TURNS, visibleSize } from '../trim-history.js'

/** A turn that holds its session, be the reservation over or not. */
export interface Reservation extends SeenReservation {
  readonly releasing: boolean
}

/** A session and the turn that holds it. */
export interface OwnedSession extends SessionRecord {
  readonly running: Reservation | undefined
}

/** Which row of `turns` is a turn's. */
export interface TurnRow {
  readonly messageId: string
  readonly sessionId: string
  readonly seq: number
}

/** turns read at once */
const PAGE_TURNS = 200
/** far more than one machine runs turns */
const MAX_RUNNING = 20_000

/** The SQL of the session store; the caller sees to transactions. Schema and units: schema.ts. */
export class SessionStatements {
  readonly #insertSession: SqlStatement
  readonly #session: SqlStatement
  readonly #touch: SqlStatement
  readonly #insertTurn: SqlStatement
  readonly #reserve: SqlStatement
  readonly #owned: SqlStatement
  readonly #running: SqlStatement
  readonly #allRunning: SqlStatement
  readonly #history: SqlStatement
  readonly #renew: SqlStatement
  readonly #keepText: SqlStatement
  readonly #stopMarks: SqlStatement
  readonly #markStop: SqlStatement
  readonly #end: SqlStatement
  readonly #startReleasing: SqlStatement
  readonly #release: SqlStatement
  readonly #turnsAfter: SqlStatement
  readonly #list: SqlStatement
  readonly #deleteTurns: SqlStatement
  readonly #deleteRunning: SqlStatement
  readonly #deleteSession: SqlStatement
  readonly #owner: SqlStatement
  readonly #trace: SqlStatement
  readonly #scan: SqlStatement
  readonly #idle: SqlStatement
  readonly #newestTurnAt: SqlStatement

  constructor(database: SqliteDatabase) {
    const prepare = (sql: string): SqlStatement => database.prepare(sql)
    this.#insertSession = prepare('INSERT INTO sessions VALUES (?, ?, ?, ?, ?)')
    this.#session = prepare('SELECT 1 FROM sessions WHERE id = ?')
    this.#touch = prepare("UPDATE schema_versions SET version = version WHERE room = 'sessions'")
    this.#insertTurn = prepare(
      'INSERT INTO turns (message_id, session, message, message_size, started) VALUES (?, ?, ?, ?, ?) RETURNING seq',
    )
    this.#reserve = prepare(
      'INSERT OR REPLACE INTO running (session, message_id, replica, lease_until) VALUES (?, ?, ?, ?)',
    )
    this.#owned = prepare(`
      SELECT id, agent, created, message_id, lease_until, releasing, stop_requested
      FROM sessions LEFT JOIN running ON running.session = id
      WHERE id = ? AND org = ? AND user = ?`)
    const reservation = 'session, message_id, lease_until, releasing, stop_requested'
    this.#running = prepare(`SELECT ${reservation} FROM running WHERE session = ?`)
    this.#allRunning = prepare(`SELECT ${reservation} FROM running LIMIT ${MAX_RUNNING}`)
    // The rules of newestWithin (trim-history.ts). One JSON text: a third of the cost of as many rows.
    this.#history = prepare(`
      WITH fitting AS (
        SELECT seq, size FROM turns WHERE session = ?1 AND size BETWEEN 1 AND ?2 ORDER BY seq DESC LIMIT ?3
      ), summed AS (
        SELECT seq, sum(size) OVER (ORDER BY seq DESC) AS total FROM fitting
      )
      SELECT json_group_array(json_array(message, text) ORDER BY seq) FROM turns
      WHERE session = ?1 AND size BETWEEN 1 AND ?2 AND seq >= (SELECT min(seq) FROM summed WHERE total <= ?2)`)
    // Another value at each renewal, whatever the wall clock does: it is by its changes that others see that we live.
    this.#renew = prepare(`
      UPDATE running SET lease_until = max(lease_until + 1, ?) WHERE session = ? AND message_id = ? AND releasing = 0
      RETURNING lease_until, stop_requested`)
    // The row of an erased turn may be another turn's by now: so it has to be of this message too.
    this.#keepText = prepare(`
      UPDATE turns SET text = ?1, size = CASE WHEN ?2 = 0 THEN 0 ELSE message_size + ?2 END
      WHERE seq = ?3 AND message_id = ?4 AND status IS NULL`)
    this.#stopMarks = prepare('SELECT message_id FROM running WHERE stop_requested = 1 AND replica = ?')
    this.#markStop = prepare('UPDATE running SET stop_requested = 1 WHERE session = ? AND message_id = ?')
    this.#end = prepare(`
      UPDATE turns SET text = ?1, size = CASE WHEN ?2 = 0 THEN 0 ELSE message_size + ?2 END,
        status = ?3, mode = ?4, finish = ?5, ended = ?6, trace = ?7
      WHERE seq = ?8 AND message_id = ?9 AND status IS NULL`)
    this.#startReleasing = prepare(`
      UPDATE running SET releasing = 1, lease_until = max(lease_until + 1, ?) WHERE session = ? AND message_id = ?
      RETURNING lease_until, stop_requested`)
    this.#release = prepare('DELETE FROM running WHERE session = ? AND message_id = ?')
    this.#turnsAfter = prepare(`
      SELECT seq, message_id, message, text, started, ended, status, mode, finish FROM turns
      WHERE session = ? AND seq > ? ORDER BY seq LIMIT ?`)
    this.#list = prepare(`
      SELECT id, agent, created,
        (SELECT coalesce(ended, started) FROM turns WHERE session = id ORDER BY seq DESC LIMIT 1),
        (SELECT count(*) FROM turns WHERE session = id),
        (SELECT substr(message, 1, ${TITLE_CHARACTERS}) FROM turns WHERE session = id ORDER BY seq LIMIT 1)
      FROM sessions WHERE org = ? AND user = ? AND (created, id) < (?, ?) ORDER BY created DESC, id DESC LIMIT ?`)
    this.#deleteTurns = prepare(
      'DELETE FROM turns WHERE seq IN (SELECT seq FROM turns WHERE session = ? LIMIT ?)',
    )
    this.#deleteRunning = prepare('DELETE FROM running WHERE session = ?')
    this.#deleteSession = prepare('DELETE FROM sessions WHERE id = ?')
    this.#owner = prepare('SELECT org, user FROM sessions WHERE id = ?')
    this.#scan = prepare('SELECT id, org, user FROM sessions WHERE id > ? ORDER BY id LIMIT ?')
    this.#idle = prepare(`
      SELECT id, created < ?3 AND coalesce((SELECT coalesce(ended, started) FROM turns WHERE session = id ORDER BY seq DESC LIMIT 1), 0) < ?3
        AND NOT EXISTS (SELECT 1 FROM running WHERE session = id AND lease_until >= ?3)
      FROM sessions WHERE id > ?1 ORDER BY id LIMIT ?2`)
    this.#newestTurnAt = prepare('SELECT coalesce(ended, started) FROM turns ORDER BY seq DESC LIMIT 1')
    // The session's turns are few; its own index finds them, and what is before the texts tells which.
    this.#trace = prepare('SELECT trace FROM turns WHERE session = ? AND message_id = ?')
  }

  insertSession(sessionId: string, owner: SessionOwner, agentId: string, now: number): void {
    this.#insertSession.run(sessionId, owner.orgId, owner.userId, agentId, now)
  }

  /** Its owner. */
  hasSession(sessionId: string): boolean {
    return this.#session.get(sessionId) !== undefined
  }

  /** Writes something, and changes nothing. */
  touch(): void {
    this.#touch.run()
  }

  /** @returns which row is the turn's: it is found by that from now on */
  insertTurn(messageId: string, sessionId: string, message: string, now: number): TurnRow {
    const row = this.#insertTurn.get(messageId, sessionId, message, message.length, now)
    return { messageId, sessionId, seq: Number(row?.[0]) }
  }

  /** The turn holds its session from now on, even if another turn held it before. */
  reserve(sessionId: string, messageId: string, replica: string, reservedUntil: number): void {
    this.#reserve.run(sessionId, messageId, replica, reservedUntil)
  }

  owned(sessionId: string, owner: SessionOwner): OwnedSession | undefined {
    const row = this.#owned.get(sessionId, owner.orgId, owner.userId)
    if (row === undefined) return undefined
    const [id, agent, created, messageId, stamp, releasing, stop] = row
    return {
      sessionId: String(id),
      agentId: String(agent),
      createdAt: Number(created),
      running:
        typeof messageId === 'string' ? reservationOf(id, messageId, stamp, releasing, stop) : undefined,
    }
  }

  /** The turn that holds the session, even if its reservation has expired. */
  running(sessionId: string): Reservation | undefined {
    const row = this.#running.get(sessionId)
    return row && reservationOf(...row)
  }

  /** The turns that hold a session. */
  allRunning(): Reservation[] {
    return this.#allRunning.all().map((row) => reservationOf(...row))
  }

  history(sessionId: string, budget: number): PastTurn[] {
    const row = this.#history.get(sessionId, budget, MAX_HISTORY_TURNS)
    const pairs: unknown = JSON.parse(String(row?.[0] ?? '[]'))
    if (!Array.isArray(pairs)) return []
    return pairs.map(([message, text]: unknown[]) => ({ message: String(message), text: String(text) }))
  }

  /** `undefined` when the turn does not hold its session, or has ended. */
  renew(turn: TurnRow, reservedUntil: number): SeenReservation | undefined {
    return seen(turn, this.#renew.get(reservedUntil, turn.sessionId, turn.messageId))
  }

  keepText(turn: TurnRow, text: string): void {
    this.#keepText.run(text, visibleSize(text), turn.seq, turn.messageId)
  }

  /** The turns of a replica that somebody wants stopped. */
  stopMarks(replica: string): ReadonlySet<string> {
    return new Set(this.#stopMarks.all(replica).map(([messageId]) => String(messageId)))
  }

  markStop(sessionId: string, messageId: string): void {
    this.#markStop.run(sessionId, messageId)
  }

  /** Nothing when the turn had ended before. */
  end(turn: TurnRow, end: TurnEnd, now: number): void {
    const { text, status, executionMode, finishReason = null, trace = null } = end
    const { seq, messageId } = turn
    const size = visibleSize(text)
    this.#end.run(text, size, status, executionMode, finishReason, now, trace, seq, messageId)
  }

  startReleasing(turn: TurnRow, reservedUntil: number): SeenReservation | undefined {
    return seen(turn, this.#startReleasing.get(reservedUntil, turn.sessionId, turn.messageId))
  }

  release({ sessionId, messageId }: Pick<TurnRow, 'sessionId' | 'messageId'>): void {
    this.#release.run(sessionId, messageId)
  }

  ownerOf(sessionId: string): SessionOwner | undefined {
    const row = this.#owner.get(sessionId)
    return row && { orgId: String(row[0]), userId: String(row[1]) }
  }

  /** JSON text, where the turn has one. */
  trace(sessionId: string, messageId: string): string | undefined {
    const trace = this.#trace.get(sessionId, messageId)?.[0]
    return typeof trace === 'string' ? trace : undefined
  }

  /**
   * One page of turns, oldest first; `next` is where the following page begins, absent at the last one. The newest
   * turn, which alone may be running, is always on the last page: read together with the session, it is told right.
   */
  turnsAfter(sessionId: string, seq: number): { turns: TurnRecord[]; next?: number } {
    const rows = this.#turnsAfter.all(sessionId, seq, PAGE_TURNS + 1)
    const page = rows.slice(0, PAGE_TURNS)
    const last = page.at(-1)
    const turns = page.map(turnRecord)
    return rows.length > PAGE_TURNS && last !== undefined ? { turns, next: Number(last[0]) } : { turns }
  }

  list({ orgId, userId }: SessionOwner, limit: number, before = NEWEST): SessionSummary[] {
    const rows = this.#list.all(orgId, userId, before.createdAt, before.sessionId, limit)
    return rows.map(summaryRecord)
  }

  /** The next sessions in the order of their ids, whosever they are. */
  scan(after: string, limit: number): HeldSession[] {
    return this.#scan.all(after, limit).map(([sessionId, orgId, userId]) => ({
      sessionId: String(sessionId),
      owner: { orgId: String(orgId), userId: String(userId) },
    }))
  }

  /** The next sessions in the order of their ids, and whether nothing was said in them since `before` and no turn holds them. */
  idle(after: string, limit: number, before: number): { sessionId: string; isIdle: boolean }[] {
    return this.#idle
      .all(after, limit, before)
      .map(([sessionId, isIdle]) => ({ sessionId: String(sessionId), isIdle: isIdle === 1 }))
  }

  newestTurnAt(): number | undefined {
    const at = this.#newestTurnAt.get()?.[0]
    return typeof at === 'number' ? at : undefined
  }

  /** @returns whether there may be more */
  deleteTurns(sessionId: string): boolean {
    return this.#deleteTurns.run(sessionId, PAGE_TURNS) === PAGE_TURNS
  }

  /** Of a session without turns. */
  deleteSession(sessionId: string): void {
    this.#deleteRunning.run(sessionId)
    this.#deleteSession.run(sessionId)
  }
}

function seen({ sessionId, messageId }: TurnRow, row: SqlRow | undefined): SeenReservation | undefined {
  return row && { sessionId, messageId, stamp: Number(row[0]), stopRequested: row[1] === 1 }
}

const reservationOf = (
  ...[session, message, stamp, releasing, stop]: (SqlValue | undefined)[]
): Reservation => ({
  sessionId: String(session),
  messageId: String(message),
  stamp: Number(stamp),
  releasing: releasing === 1,
  stopRequested: stop === 1,
})
