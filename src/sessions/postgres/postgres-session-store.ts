import type { Clock } from '../../core/clock.js'
import { errorCode } from '../../core/errors.js'
import type { Logger } from '../../core/logger.js'
import type { Postgres, PostgresDatabase } from '../../core/postgres/postgres.js'
import { faultText, isStorageFault } from '../../core/postgres/postgres-errors.js'
import type { PgRow, PgValue, Runner, Statement } from '../../core/postgres/statement.js'
import { gathered } from '../../core/sqlite/gathered.js'
import { storableText } from '../../core/text.js'
import type { SessionView } from '../../protocol/api.js'
import {
  type BeginResult,
  type DataScope,
  DEFAULT_HISTORY_BUDGET,
  DEFAULT_RESERVATION_MS,
  type DurableSessionStore,
  type FoundTrace,
  type HeldPage,
  type Keeping,
  type NewTurn,
  type PastTurn,
  type PeekResult,
  type Renewal,
  type SessionHolder,
  type SessionOwner,
  type SessionPlace,
  SessionStoreUnavailable,
  type SessionSummary,
  type TraceReader,
  type TurnEnd,
  type UnkeptTurn,
} from '../session-store.js'
import { isInScope, maySee, sessionView, type TurnRecord, turnRecord } from '../session-view.js'
import { visibleSize } from '../trim-history.js'
import { Reservations, reservationOf } from './reservations.js'
import { SESSIONS_SCHEMA } from './schema.js'
import { SQL } from './session-sql.js'

export interface PostgresSessionStoreOptions {
  readonly clock: Clock
  /** name of this process, kept beside the turns it runs */
  readonly replica: string
  readonly logger: Logger
  /** ms; default 15,000 */
  readonly reservationMs?: number
  /** characters of history `begin` gives; default 32,000 */
  readonly historyBudget?: number
}

/** A turn that this process runs. */
interface OwnTurn {
  readonly messageId: string
  readonly sessionId: string
  readonly seq: number
}

interface AskedRenewal {
  readonly messageId: string
  readonly partialText: string
}

/** ms for which the stop marks once read serve every turn of this process: one read, not one a turn */
const STOP_MARKS_MS = 250
/** renewals of one statement */
const MAX_RENEWALS = 200
/** turns read or erased at once */
const PAGE_TURNS = 200
/** sessions of one page of a scan, whosever */
const SCANNED = 1_000
/** sessions of one step that are looked at, and of those erased */
const LOOKED_IDLE = 200
const MOST_IDLE = 20
/** the place before all sessions there are */
const NEWEST: SessionPlace = { createdAt: Number.MAX_SAFE_INTEGER, sessionId: '' }

/**
 * Conversations in PostgreSQL, shared by replicas on many machines. Every call that a turn waits for is one statement; while the database is
 * away, calls reject with SessionStoreUnavailable.
 */
export function openPostgresSessionStore(
  postgres: Postgres,
  options: PostgresSessionStoreOptions,
): DurableSessionStore {
  return new PostgresSessionStore(postgres.open(SESSIONS_SCHEMA), options)
}

class PostgresSessionStore implements DurableSessionStore {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #replica: string
  readonly #reservationMs: number
  readonly #historyBudget: number
  /** the turns this process started and has not released */
  readonly #own = new Map<string, OwnTurn>()
  readonly #reservations: Reservations
  #marks: Promise<ReadonlySet<string>> = Promise.resolve(new Set<string>())
  #marksReadAt = Number.NEGATIVE_INFINITY
  #available = true
  #writesFail = false
  #closed = false

  constructor(
    private readonly database: PostgresDatabase,
    options: PostgresSessionStoreOptions,
  ) {
    this.#clock = options.clock
    this.#logger = options.logger
    this.#replica = options.replica
    this.#reservationMs = options.reservationMs ?? DEFAULT_RESERVATION_MS
    this.#historyBudget = options.historyBudget ?? DEFAULT_HISTORY_BUDGET
    this.#reservations = new Reservations(options.clock, this.#reservationMs, () =>
      database.rows(SQL.snapshot, []),
    )
  }

  readonly #renewWithOthers = gathered(MAX_RENEWALS, (asked: readonly AskedRenewal[]) => this.#renew(asked))

  get isAvailable(): boolean {
    return this.#available
  }

  /** It holds nothing back, so nothing is lost. */
  readonly lost = 0

  async create(turn: NewTurn, agentId: string): Promise<Keeping> {
    const { sessionId, messageId, owner, message } = turn
    const now = this.#now()
    const stamp = now + this.#reservationMs
    const text = storableText(message)
    const values = [sessionId, owner.orgId, owner.userId, agentId, now, messageId, this.#replica, stamp]
    const [row] = await this.#rows(SQL.create, [...values, text, text.length])
    this.#started(turn, Number(row?.[0]), stamp)
    return 'kept'
  }

  async begin(turn: NewTurn): Promise<BeginResult> {
    const now = this.#now()
    const stamp = now + this.#reservationMs
    const { sessionId, owner, messageId } = turn
    const message = storableText(turn.message)
    const values = [sessionId, owner.orgId, owner.userId, messageId, this.#replica, stamp, message]
    const begin = [...values, message.length, now]
    const [row] = await this.#rows(SQL.begin, [...begin, this.#historyBudget])
    if (row === undefined) return { kind: 'not_found' }
    const [agent, seq, history, ...reservation] = row
    const held = reservationOf(reservation)
    const agentId = String(agent)
    if (typeof seq === 'number') {
      this.#started(turn, seq, stamp)
      // The turn that held the session has only just let it go: its end may have come after the history was read.
      const past = held === undefined ? pastTurns(history) : await this.#history(sessionId)
      return { kind: 'begun', agentId, history: past }
    }
    if (held === undefined) return { kind: 'busy', releasing: false }
    const live = this.#reservations.live(held)
    if (live !== undefined) return { kind: 'busy', releasing: live.releasing }
    const [taken] = await this.#rows(SQL.takeOver, [...begin, held.messageId, held.stamp])
    if (taken === undefined) return { kind: 'busy', releasing: false }
    this.#started(turn, Number(taken[0]), stamp)
    return { kind: 'begun', agentId, history: await this.#history(sessionId) }
  }

  async holder(sessionId: string): Promise<SessionHolder> {
    const [row] = await this.#reads(SQL.running, [sessionId])
    const live = this.#reservations.live(row && reservationOf(row))
    if (live === undefined) return 'nobody'
    return live.releasing ? 'releasing' : 'running'
  }

  async renew(messageId: string, partialText: string): Promise<Renewal> {
    return (await this.#renewWithOthers({ messageId, partialText })) ?? 'lost'
  }

  async stopRequested(messageId: string): Promise<boolean> {
    if (!this.#own.has(messageId)) return false
    const now = this.#clock.monotonic()
    if (this.#closed || now - this.#marksReadAt >= STOP_MARKS_MS) {
      this.#marksReadAt = now
      this.#marks = this.#readMarks()
    }
    return (await this.#marks).has(messageId)
  }

  async finish(messageId: string, end: TurnEnd, release = false): Promise<Keeping> {
    const turn = this.#own.get(messageId)
    if (turn === undefined) {
      this.#assertOpen()
      return 'kept'
    }
    const values = [...endValues(turn, end, this.#now()), turn.sessionId]
    if (release) {
      await this.#rows(SQL.endAndRelease, values)
      this.#own.delete(messageId)
      this.#reservations.forget(turn.sessionId)
      return 'kept'
    }
    const [row] = await this.#rows(SQL.endAndHold, [...values, this.#now() + this.#reservationMs])
    if (row !== undefined) this.#seen(turn, row)
    return 'kept'
  }

  async release(messageId: string): Promise<void> {
    const turn = this.#own.get(messageId)
    if (turn === undefined) return this.#assertOpen()
    await this.#rows(SQL.release, [turn.sessionId, messageId])
    this.#own.delete(messageId)
    this.#reservations.forget(turn.sessionId)
  }

  forget(messageId: string): void {
    this.#own.delete(messageId)
  }

  async peek(turn: NewTurn, hasEnded: (messageId: string) => boolean): Promise<PeekResult> {
    const { sessionId, owner, messageId } = turn
    const [row] = await this.#reads(SQL.peek, [sessionId, owner.orgId, owner.userId, this.#historyBudget])
    if (row === undefined) return { kind: 'not_found' }
    const [agent, history, ...reservation] = row
    const live = this.#reservations.live(reservationOf(reservation))
    // The turn itself is there where the answer to its begin was lost.
    if (live !== undefined && live.messageId !== messageId && !hasEnded(live.messageId))
      return { kind: 'busy', releasing: live.releasing }
    return { kind: 'free', agentId: String(agent), history: pastTurns(history) }
  }

  async restore(unkept: UnkeptTurn): Promise<'kept' | 'refused'> {
    const { turn, released } = unkept
    const stamp = this.#now() + this.#reservationMs
    const kept = await this.#run(() =>
      this.database.transaction((runner) => this.#restore(runner, unkept, stamp)),
    )
    if (kept === undefined) return 'refused'
    if (kept.isHeld) this.#started(turn, kept.seq, stamp)
    else if (!released)
      this.#own.set(turn.messageId, { messageId: turn.messageId, sessionId: turn.sessionId, seq: kept.seq })
    return 'kept'
  }

  async probe(): Promise<void> {
    await this.#rows(SQL.touch, [])
  }

  async requestStop(
    sessionId: string,
    owner: SessionOwner,
  ): Promise<{ stopped: boolean; messageId?: string } | undefined> {
    const [row] = await this.#reads(SQL.owned, [sessionId, owner.orgId, owner.userId])
    if (row === undefined) return undefined
    const running = reservationOf(row.slice(2))
    const live = this.#reservations.live(running)
    // Its replica is gone: the session is free at once, also for those that count by other clocks.
    if (live === undefined && running !== undefined)
      await this.#rows(SQL.releaseUnchanged, [sessionId, running.messageId, running.stamp])
    if (live === undefined || live.releasing) return { stopped: false }
    await this.#rows(SQL.markStop, [sessionId, live.messageId])
    this.#reservations.see({ ...live, stopRequested: true })
    this.#marksReadAt = Number.NEGATIVE_INFINITY
    return { stopped: true, messageId: live.messageId }
  }

  async read(sessionId: string, owner: SessionOwner): Promise<SessionView | undefined> {
    const turns: TurnRecord[] = []
    for (let after = 0; ; ) {
      const rows = await this.#reads(SQL.read, [sessionId, owner.orgId, owner.userId, after, PAGE_TURNS])
      const [session] = rows
      if (session === undefined) return undefined
      const page = rows.map((row) => row.slice(TURN_COLUMNS)).filter(([seq]) => seq !== null)
      turns.push(...page.map(turnRecord))
      const last = page.at(-1)
      if (page.length < PAGE_TURNS || last === undefined) {
        const record = { sessionId, agentId: String(session[0]), createdAt: Number(session[1]) }
        const live = this.#reservations.live(reservationOf(session.slice(2)))
        return sessionView(record, turns, live?.messageId)
      }
      after = Number(last[0])
    }
  }

  async list(owner: SessionOwner, limit: number, before = NEWEST): Promise<readonly SessionSummary[]> {
    const place = [before.createdAt, before.sessionId]
    const rows = await this.#reads(SQL.list, [owner.orgId, owner.userId, ...place, limit])
    return rows.map(([sessionId, agentId, createdAt, updatedAt, turns, title]) => ({
      sessionId: String(sessionId),
      agentId: String(agentId),
      createdAt: Number(createdAt),
      updatedAt: Number(updatedAt ?? createdAt),
      turns: Number(turns),
      title: String(title ?? ''),
    }))
  }

  async delete(sessionId: string, owner: SessionOwner): Promise<boolean> {
    const step = (): Promise<'none' | 'some' | 'all'> =>
      this.#run(() =>
        this.database.transaction(async (runner) => {
          const locked = await runner.rows(SQL.lockForErasure, [sessionId, owner.orgId, owner.userId])
          if (locked.length === 0) return 'none'
          return (await eraseSome(runner, sessionId)) ? 'some' : 'all'
        }),
      )
    let found = await step()
    while (found === 'some') found = await step()
    if (found === 'none') return false
    for (const [messageId, turn] of this.#own) if (turn.sessionId === sessionId) this.#own.delete(messageId)
    this.#reservations.forget(sessionId)
    return true
  }

  async scan(scope: DataScope, after = ''): Promise<HeldPage> {
    const looked = (await this.#reads(SQL.scan, [after, SCANNED])).map(([sessionId, orgId, userId]) => ({
      sessionId: String(sessionId),
      owner: { orgId: String(orgId), userId: String(userId) },
    }))
    const sessions = looked.filter(({ owner }) => isInScope(scope, owner))
    const last = looked.at(-1)
    return looked.length < SCANNED || last === undefined ? { sessions } : { sessions, next: last.sessionId }
  }

  async eraseIdle(before: number, after = ''): Promise<{ readonly erased: number; readonly next?: string }> {
    const limit = Math.ceil(before)
    const looked = await this.#reads(SQL.idle, [after, LOOKED_IDLE, limit])
    let erased = 0
    let last = after
    for (const [id, isIdle] of looked) {
      const sessionId = String(id)
      if (isIdle === true) {
        if (erased >= MOST_IDLE) return { erased, next: last }
        const found = await this.#eraseIdleOne(sessionId, limit)
        // One that was erased in part is looked at again, and is as old as before.
        if (found === 'some') return { erased, next: last }
        if (found === 'all') erased += 1
      }
      last = sessionId
    }
    return looked.length < LOOKED_IDLE ? { erased } : { erased, next: last }
  }

  async newestTurnAt(): Promise<number | undefined> {
    const [row] = await this.#reads(SQL.newestTurnAt, [])
    return row === undefined ? undefined : Number(row[0])
  }

  async readTrace(
    sessionId: string,
    messageId: string,
    reader: TraceReader,
  ): Promise<FoundTrace | undefined> {
    const [owner] = await this.#reads(SQL.owner, [sessionId])
    if (owner === undefined || !maySee(reader, { orgId: String(owner[0]), userId: String(owner[1]) }))
      return undefined
    const [row] = await this.#reads(SQL.trace, [sessionId, messageId])
    return typeof row?.[0] === 'string' ? { kind: 'trace', json: row[0] } : { kind: 'none' }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#reservations.close()
    await this.database.close()
  }

  async #renew(asked: readonly AskedRenewal[]): Promise<Renewal[]> {
    const turns = asked.flatMap(({ messageId, partialText }) => {
      const turn = this.#own.get(messageId)
      return turn === undefined ? [] : [{ ...turn, text: storableText(partialText) }]
    })
    const columns = [
      turns.map(({ sessionId }) => sessionId),
      turns.map(({ messageId }) => messageId),
      turns.map(({ seq }) => seq),
      turns.map(({ text }) => text),
      turns.map(({ text }) => visibleSize(text)),
    ]
    const rows = await this.#rows(SQL.renew, [...columns, this.#now() + this.#reservationMs])
    const found = new Map(rows.map(([messageId, ...rest]) => [messageId, rest]))
    return asked.map(({ messageId }) => {
      const row = found.get(messageId)
      const turn = this.#own.get(messageId)
      if (row === undefined || turn === undefined) return 'lost'
      return this.#seen(turn, row) ? 'stop_requested' : 'held'
    })
  }

  async #restore(
    runner: Runner,
    { turn, agentId, startedAt, text, end, endedAt, released }: UnkeptTurn,
    stamp: number,
  ): Promise<{ readonly seq: number; readonly isHeld: boolean } | undefined> {
    const { sessionId, messageId, owner } = turn
    const who = [sessionId, owner.orgId, owner.userId]
    const started = Math.round(startedAt)
    if ((await runner.rows(SQL.lockOwned, who)).length === 0) {
      if (agentId === undefined) return undefined
      if ((await runner.change(SQL.insertSession, [...who, agentId, started])) === 0) return undefined
    }
    const message = storableText(turn.message)
    const inserted = await runner.rows(SQL.insertTurn, [
      messageId,
      sessionId,
      message,
      message.length,
      started,
    ])
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
    const isHeld = holder?.messageId === messageId || this.#reservations.live(holder) === undefined
    if (isHeld) await runner.rows(SQL.reserve, [sessionId, messageId, this.#replica, stamp])
    return { seq: own.seq, isHeld }
  }

  #eraseIdleOne(sessionId: string, before: number): Promise<'none' | 'some' | 'all'> {
    return this.#run(() =>
      this.database.transaction(async (runner) => {
        await runner.rows(SQL.lock, [sessionId])
        const [row] = await runner.rows(SQL.isIdle, [sessionId, before])
        if (row?.[0] !== true) return 'none'
        return (await eraseSome(runner, sessionId)) ? 'some' : 'all'
      }),
    )
  }

  async #history(sessionId: string): Promise<PastTurn[]> {
    const [row] = await this.#reads(SQL.history, [sessionId, this.#historyBudget])
    return pastTurns(row?.[0])
  }

  async #readMarks(): Promise<ReadonlySet<string>> {
    const rows = await this.#reads(SQL.stopMarks, [this.#replica])
    return new Set(rows.map(([messageId]) => String(messageId)))
  }

  #started({ sessionId, messageId }: NewTurn, seq: number, stamp: number): void {
    this.#own.set(messageId, { messageId, sessionId, seq })
    this.#reservations.see({ sessionId, messageId, stamp, stopRequested: false })
  }

  /** @param row its stamp, and whether a stop is asked for: which is what it returns */
  #seen({ sessionId, messageId }: OwnTurn, [stamp, stop]: PgRow): boolean {
    const stopRequested = stop === true
    this.#reservations.see({ sessionId, messageId, stamp: Number(stamp), stopRequested })
    return stopRequested
  }

  /** Whole ms, as the columns take them. */
  #now(): number {
    return Math.round(this.#clock.wall())
  }

  #rows(query: Statement, values: readonly PgValue[]): Promise<PgRow[]> {
    return this.#run(() => this.database.rows(query, values))
  }

  #reads(query: Statement, values: readonly PgValue[]): Promise<PgRow[]> {
    return this.#run(() => this.database.rows(query, values), 'read')
  }

  #assertOpen(): void {
    if (this.#closed) throw new SessionStoreUnavailable('the session store is closed')
  }

  async #run<T>(work: () => Promise<T>, kind: 'read' | 'write' = 'write'): Promise<T> {
    this.#assertOpen()
    try {
      const result = await work()
      this.#recovered(kind)
      return result
    } catch (error) {
      throw this.#failure(error, kind)
    }
  }

  #failure(error: unknown, kind: 'read' | 'write'): unknown {
    if (this.#closed) return new SessionStoreUnavailable('the session store is closed', { cause: error })
    if (!isStorageFault(error)) return error
    if (kind === 'write') this.#writesFail = true
    // Once until it works again: under load every turn would tell the same.
    if (this.#available) {
      this.#available = false
      this.#logger.error(
        { code: errorCode(error), error: faultText(error) },
        '[Sessions] the session store is unavailable',
      )
    }
    return new SessionStoreUnavailable(`the session store is unavailable: ${faultText(error)}`, {
      cause: error,
    })
  }

  /** A standby, or a full disk, still reads: that says nothing of writes that failed. */
  #recovered(kind: 'read' | 'write'): void {
    if (kind === 'write') this.#writesFail = false
    if (this.#available || this.#writesFail) return
    this.#available = true
    this.#logger.info('[Sessions] the session store is available again')
  }
}

/** columns of SQL.read before those of a turn */
const TURN_COLUMNS = 9

/** @param json pairs of message and text */
function pastTurns(json: unknown): PastTurn[] {
  const pairs: unknown = JSON.parse(String(json ?? '[]'))
  if (!Array.isArray(pairs)) return []
  return pairs.map(([message, text]: unknown[]) => ({ message: String(message), text: String(text) }))
}

/** The values of SQL.end. */
function endValues({ seq, messageId }: OwnTurn, end: TurnEnd, now: number): PgValue[] {
  const text = storableText(end.text)
  const { status, executionMode, finishReason = null, trace = null } = end
  return [text, visibleSize(text), seq, messageId, status, executionMode, finishReason, now, trace]
}

/** The session goes with its last turns: one that was erased in part is still there to be erased again. True where there may be more. */
async function eraseSome(runner: Runner, sessionId: string): Promise<boolean> {
  if ((await runner.change(SQL.deleteTurns, [sessionId, PAGE_TURNS])) === PAGE_TURNS) return true
  await runner.rows(SQL.deleteSession, [sessionId])
  return false
}
