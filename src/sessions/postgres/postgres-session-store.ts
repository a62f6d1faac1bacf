import type { Clock } from '../../core/clock.js'
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
  SessionStoreUnavailable,
  type SessionSummary,
  type TraceReader,
  type TurnEnd,
  type UnkeptTurn,
} from '../session-store.js'
import {
  isInScope,
  maySee,
  NEWEST,
  sessionView,
  summaryRecord,
  type TurnRecord,
  turnRecord,
} from '../session-view.js'
import { StoreAvailability } from '../store-availability.js'
import { visibleSize } from '../trim-history.js'
import { type Erased, eraseIdleSessions, eraseOwned } from './erasure.js'
import { Reservations, reservationOf } from './reservations.js'
import { restoreTurn } from './restore-turn.js'
import { SESSIONS_SCHEMA } from './schema.js'
import { SQL } from './session-sql.js'
import { endValues, type OwnTurn, pastTurns, READ_COLUMNS } from './turn-values.js'

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

interface AskedRenewal {
  readonly messageId: string
  readonly partialText: string
}

/** ms for which the stop marks once read serve every turn of this process: one read, not one a turn */
const STOP_MARKS_MS = 250
/** renewals of one statement */
const MAX_RENEWALS = 200
/** turns read at once */
const PAGE_TURNS = 200
/** sessions of one page of a scan, whosever */
const SCANNED = 1_000

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
  readonly #availability: StoreAvailability
  readonly #replica: string
  readonly #reservationMs: number
  readonly #historyBudget: number
  /** the turns this process started and has not released */
  readonly #own = new Map<string, OwnTurn>()
  readonly #reservations: Reservations
  #marks: Promise<ReadonlySet<string>> = Promise.resolve(new Set<string>())
  #marksReadAt = Number.NEGATIVE_INFINITY
  #closed = false

  constructor(
    private readonly database: PostgresDatabase,
    options: PostgresSessionStoreOptions,
  ) {
    this.#clock = options.clock
    this.#availability = new StoreAvailability(options.logger)
    this.#replica = options.replica
    this.#reservationMs = options.reservationMs ?? DEFAULT_RESERVATION_MS
    this.#historyBudget = options.historyBudget ?? DEFAULT_HISTORY_BUDGET
    this.#reservations = new Reservations(options.clock, this.#reservationMs, () =>
      database.rows(SQL.snapshot, []),
    )
  }

  readonly #renewWithOthers = gathered(MAX_RENEWALS, (asked: readonly AskedRenewal[]) => this.#renew(asked))

  get isAvailable(): boolean {
    return this.#availability.isAvailable
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
    const { messageId, sessionId } = turn
    const stamp = this.#now() + this.#reservationMs
    const kept = await this.#transaction((runner) =>
      restoreTurn(runner, unkept, {
        replica: this.#replica,
        stamp,
        isFree: (reservation) => this.#reservations.live(reservation) === undefined,
      }),
    )
    if (kept === undefined) return 'refused'
    if (kept.isHeld) this.#started(turn, kept.seq, stamp)
    else if (!released) this.#own.set(messageId, { messageId, sessionId, seq: kept.seq })
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
      const page = rows.map((row) => row.slice(READ_COLUMNS)).filter(([seq]) => seq !== null)
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
    return rows.map(summaryRecord)
  }

  async delete(sessionId: string, owner: SessionOwner): Promise<boolean> {
    const step = (): Promise<Erased> => this.#transaction((runner) => eraseOwned(runner, sessionId, owner))
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

  eraseIdle(before: number, after = ''): Promise<{ readonly erased: number; readonly next?: string }> {
    return eraseIdleSessions(before, after, {
      reads: (query, values) => this.#reads(query, values),
      transaction: (work) => this.#transaction(work),
    })
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

  #transaction<T>(work: (runner: Runner) => Promise<T>): Promise<T> {
    return this.#run(() => this.database.transaction(work))
  }

  #assertOpen(): void {
    if (this.#closed) throw new SessionStoreUnavailable('the session store is closed')
  }

  async #run<T>(work: () => Promise<T>, kind: 'read' | 'write' = 'write'): Promise<T> {
    this.#assertOpen()
    try {
      const result = await work()
      this.#availability.worked(kind)
      return result
    } catch (error) {
      throw this.#failure(error, kind)
    }
  }

  #failure(error: unknown, kind: 'read' | 'write'): unknown {
    if (this.#closed) return new SessionStoreUnavailable('the session store is closed', { cause: error })
    if (!isStorageFault(error)) return error
    const text = faultText(error)
    this.#availability.failed(kind, error, text)
    return new SessionStoreUnavailable(`the session store is unavailable: ${text}`, { cause: error })
  }
}
