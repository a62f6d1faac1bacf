import type { Clock, Timer } from '../../core/clock.js'
import { errorText } from '../../core/errors.js'
import type { Logger } from '../../core/logger.js'
import { type BusyQueue, BusyQueueError } from '../../core/sqlite/busy-queue.js'
import { databaseQueue } from '../../core/sqlite/database-queue.js'
import { gathered } from '../../core/sqlite/gathered.js'
import { openSqlite, type SqliteDatabase } from '../../core/sqlite/sqlite.js'
import { isStorageFault } from '../../core/sqlite/sqlite-errors.js'
import { storableText } from '../../core/text.js'
import type { SessionView } from '../../protocol/api.js'
import { ReservationWatch } from '../reservation-watch.js'
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
import { isInScope, maySee, sessionView, type TurnRecord } from '../session-view.js'
import { StoreAvailability } from '../store-availability.js'
import { SESSIONS_SCHEMA } from './schema.js'
import { type Reservation, SessionStatements, type TurnRow } from './sqlite-statements.js'

export interface SqliteSessionStoreOptions {
  readonly clock: Clock
  /** name of this process, kept beside the turns it runs */
  readonly replica: string
  readonly logger: Logger
  /** ms; default 15,000 */
  readonly reservationMs?: number
  /** characters of history `begin` gives; default 32,000 */
  readonly historyBudget?: number
}

/** ms a call waits for a lock held by another process before it rejects with `SessionStoreUnavailable` */
const LOCK_DEADLINE_MS = 2_000
/** ms for which the stop marks once read serve every turn of this process: one read, not one a turn */
const STOP_MARKS_MS = 250
/** looks at all reservations in the time of one: so a replica that is gone is noticed before anybody asks */
const LOOKS = 15
/** calls that may wait for the lock at once */
const MAX_WAITING = 10_000
/** sessions of one page of a scan, whosever: about a millisecond */
const SCANNED = 1_000
/** sessions of one step that are looked at, and of those erased */
const LOOKED_IDLE = 200
const MOST_IDLE = 20
/** in one transaction, which holds the event loop and the lock of the others for about 2 ms */
const MAX_RENEWALS = 32

/** commits after which the log is copied back: some thousand pages of it */
const COPIED_COMMITS = 120

/** What is asked for with one renewal. */
interface AskedRenewal {
  readonly messageId: string
  readonly partialText: string
}

/**
 * Conversations in one SQLite file, shared by all replicas of the machine. Every call is one short transaction.
 * @param path file, created with its directory, or `:memory:`
 * @throws SqliteOpenError when the file cannot be used
 */
export function openSqliteSessionStore(
  path: string,
  options: SqliteSessionStoreOptions,
): DurableSessionStore {
  return new SqliteSessionStore(openSqlite(path, SESSIONS_SCHEMA), options)
}

class SqliteSessionStore implements DurableSessionStore {
  readonly #database: SqliteDatabase
  readonly #statements: SessionStatements
  readonly #queue: BusyQueue
  readonly #clock: Clock
  readonly #availability: StoreAvailability
  readonly #replica: string
  readonly #reservationMs: number
  readonly #historyBudget: number
  /** the turns this process started and has not released */
  readonly #own = new Map<string, TurnRow>()
  readonly #watch: ReservationWatch
  #look: Timer
  #commits = 0
  #copying: Timer | undefined
  #marks: ReadonlySet<string> = new Set()
  #marksReadAt = Number.NEGATIVE_INFINITY
  #closed = false

  constructor(database: SqliteDatabase, options: SqliteSessionStoreOptions) {
    this.#database = database
    this.#statements = new SessionStatements(database)
    this.#clock = options.clock
    this.#availability = new StoreAvailability(options.logger)
    this.#replica = options.replica
    this.#reservationMs = options.reservationMs ?? DEFAULT_RESERVATION_MS
    this.#historyBudget = options.historyBudget ?? DEFAULT_HISTORY_BUDGET
    this.#queue = databaseQueue(options.clock, { deadlineMs: LOCK_DEADLINE_MS, maxWaiting: MAX_WAITING })
    this.#watch = new ReservationWatch(this.#reservationMs)
    this.#look = this.#lookAround()
  }

  /** Turns look for their renewal at common instants: one commit serves all of one. */
  readonly #renewWithOthers = gathered(MAX_RENEWALS, (asked: readonly AskedRenewal[]) =>
    this.#write(() => asked.map((one) => this.#renew(one))),
  )

  get isAvailable(): boolean {
    return this.#availability.isAvailable
  }

  /** It holds nothing back, so nothing is lost. */
  readonly lost = 0

  async create(turn: NewTurn, agentId: string): Promise<Keeping> {
    const row = await this.#write(() => {
      const now = this.#clock.wall()
      this.#statements.insertSession(turn.sessionId, turn.owner, agentId, now)
      return this.#start(turn, now)
    })
    this.#own.set(turn.messageId, row)
    return 'kept'
  }

  async begin(turn: NewTurn): Promise<BeginResult> {
    const { row, ...result } = await this.#write((): BeginResult & { row?: TurnRow } => {
      const now = this.#clock.wall()
      const session = this.#statements.owned(turn.sessionId, turn.owner)
      if (session === undefined) return { kind: 'not_found' }
      const live = this.#live(session.running)
      if (live !== undefined) return { kind: 'busy', releasing: live.releasing }
      const history = this.#statements.history(turn.sessionId, this.#historyBudget)
      return { kind: 'begun', agentId: session.agentId, history, row: this.#start(turn, now) }
    })
    if (row !== undefined) this.#own.set(turn.messageId, row)
    return result
  }

  holder(sessionId: string): Promise<SessionHolder> {
    return this.#read(() => {
      const live = this.#live(this.#statements.running(sessionId))
      if (live === undefined) return 'nobody'
      return live.releasing ? 'releasing' : 'running'
    })
  }

  async renew(messageId: string, partialText: string): Promise<Renewal> {
    return (await this.#renewWithOthers({ messageId, partialText })) ?? 'lost'
  }

  async stopRequested(messageId: string): Promise<boolean> {
    if (!this.#own.has(messageId)) return false
    const now = this.#clock.monotonic()
    if (now - this.#marksReadAt >= STOP_MARKS_MS) {
      this.#marksReadAt = now
      this.#marks = await this.#read(() => this.#statements.stopMarks(this.#replica))
    }
    return this.#marks.has(messageId)
  }

  async finish(messageId: string, end: TurnEnd, release = false): Promise<Keeping> {
    await this.#writeTurn(messageId, undefined, (turn) => {
      const now = this.#clock.wall()
      this.#statements.end(turn, { ...end, text: storableText(end.text) }, now)
      if (release) this.#statements.release(turn)
      else {
        const held = this.#statements.startReleasing(turn, now + this.#reservationMs)
        if (held !== undefined) this.#watch.see(held, this.#clock.monotonic())
      }
    })
    if (release) this.#own.delete(messageId)
    return 'kept'
  }

  async release(messageId: string): Promise<void> {
    await this.#writeTurn(messageId, undefined, (turn) => this.#statements.release(turn))
    this.#own.delete(messageId)
  }

  forget(messageId: string): void {
    this.#own.delete(messageId)
  }

  peek(turn: NewTurn, hasEnded: (messageId: string) => boolean): Promise<PeekResult> {
    return this.#read(() =>
      this.#database.snapshot((): PeekResult => {
        const session = this.#statements.owned(turn.sessionId, turn.owner)
        if (session === undefined) return { kind: 'not_found' }
        const live = this.#live(session.running)
        if (live !== undefined && !hasEnded(live.messageId))
          return { kind: 'busy', releasing: live.releasing }
        const history = this.#statements.history(turn.sessionId, this.#historyBudget)
        return { kind: 'free', agentId: session.agentId, history }
      }),
    )
  }

  async restore(unkept: UnkeptTurn): Promise<'kept' | 'refused'> {
    const { turn, agentId, startedAt, end, released } = unkept
    const { sessionId, messageId, owner } = turn
    const row = await this.#write((): TurnRow | undefined => {
      let session = this.#statements.owned(sessionId, owner)
      if (session === undefined) {
        if (agentId === undefined || this.#statements.hasSession(sessionId)) return undefined
        this.#statements.insertSession(sessionId, owner, agentId, startedAt)
        session = { sessionId, agentId, createdAt: startedAt, running: undefined }
      }
      const inserted = this.#statements.insertTurn(
        messageId,
        sessionId,
        storableText(turn.message),
        startedAt,
      )
      if (end === undefined) this.#statements.keepText(inserted, storableText(unkept.text))
      else
        this.#statements.end(inserted, { ...end, text: storableText(end.text) }, unkept.endedAt ?? startedAt)
      if (!released && this.#live(session.running) === undefined) this.#reserve(inserted)
      return inserted
    })
    if (row === undefined) return 'refused'
    if (!released) this.#own.set(messageId, row)
    return 'kept'
  }

  probe(): Promise<void> {
    return this.#write(() => this.#statements.touch())
  }

  requestStop(
    sessionId: string,
    owner: SessionOwner,
  ): Promise<{ stopped: boolean; messageId?: string } | undefined> {
    return this.#write(() => {
      const session = this.#statements.owned(sessionId, owner)
      if (session === undefined) return undefined
      const { running } = session
      const live = this.#live(running)
      // Its replica is gone: the session is free at once, also for those that count by other clocks.
      if (live === undefined && running !== undefined) this.#statements.release(running)
      if (live === undefined || live.releasing) return { stopped: false }
      this.#statements.markStop(sessionId, live.messageId)
      this.#watch.see({ ...live, stopRequested: true }, this.#clock.monotonic())
      this.#marksReadAt = Number.NEGATIVE_INFINITY
      return { stopped: true, messageId: live.messageId }
    })
  }

  async read(sessionId: string, owner: SessionOwner): Promise<SessionView | undefined> {
    const turns: TurnRecord[] = []
    for (let after = 0; ; ) {
      const page = await this.#read(() =>
        this.#database.snapshot(() => {
          const session = this.#statements.owned(sessionId, owner)
          return session && { session, ...this.#statements.turnsAfter(sessionId, after) }
        }),
      )
      if (page === undefined) return undefined
      turns.push(...page.turns)
      if (page.next === undefined) {
        return sessionView(page.session, turns, this.#live(page.session.running)?.messageId)
      }
      after = page.next
      // A long conversation is read in pages, so that it holds up nobody else's stream.
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  list(owner: SessionOwner, limit: number, before?: SessionPlace): Promise<readonly SessionSummary[]> {
    return this.#read(() => this.#statements.list(owner, limit, before))
  }

  async delete(sessionId: string, owner: SessionOwner): Promise<boolean> {
    for (;;) {
      const found = await this.#write((): 'none' | 'some' | 'all' => {
        if (this.#statements.owned(sessionId, owner) === undefined) return 'none'
        // The session goes with its last turns: one that was erased in part is still there to be erased again.
        if (this.#statements.deleteTurns(sessionId)) return 'some'
        this.#statements.deleteSession(sessionId)
        return 'all'
      })
      if (found === 'none') return false
      if (found === 'all') break
      await new Promise((resolve) => setImmediate(resolve))
    }
    for (const [messageId, turn] of this.#own) if (turn.sessionId === sessionId) this.#own.delete(messageId)
    this.#watch.forget(sessionId)
    return true
  }

  async scan(scope: DataScope, after = ''): Promise<HeldPage> {
    const looked = await this.#read(() => this.#statements.scan(after, SCANNED))
    const sessions = looked.filter(({ owner }) => isInScope(scope, owner))
    const last = looked.at(-1)
    return looked.length < SCANNED || last === undefined ? { sessions } : { sessions, next: last.sessionId }
  }

  eraseIdle(before: number, after = ''): Promise<{ readonly erased: number; readonly next?: string }> {
    return this.#write(() => {
      const looked = this.#statements.idle(after, LOOKED_IDLE, before)
      let erased = 0
      let last = after
      for (const { sessionId, isIdle } of looked) {
        if (isIdle) {
          if (erased >= MOST_IDLE) return { erased, next: last }
          // One that was erased in part is looked at again, and is as old as before.
          if (this.#statements.deleteTurns(sessionId)) return { erased, next: last }
          this.#statements.deleteSession(sessionId)
          erased += 1
        }
        last = sessionId
      }
      return looked.length < LOOKED_IDLE ? { erased } : { erased, next: last }
    })
  }

  newestTurnAt(): Promise<number | undefined> {
    return this.#read(() => this.#statements.newestTurnAt())
  }

  readTrace(sessionId: string, messageId: string, reader: TraceReader): Promise<FoundTrace | undefined> {
    return this.#read(() => {
      const owner = this.#statements.ownerOf(sessionId)
      if (owner === undefined || !maySee(reader, owner)) return undefined
      const json = this.#statements.trace(sessionId, messageId)
      return json === undefined ? { kind: 'none' } : { kind: 'trace', json }
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#look.cancel()
    this.#copying?.cancel()
    this.#queue.close()
    this.#database.close()
  }

  #renew({ messageId, partialText }: AskedRenewal): Renewal {
    const turn = this.#own.get(messageId)
    if (turn === undefined) return 'lost'
    const held = this.#statements.renew(turn, this.#clock.wall() + this.#reservationMs)
    if (held === undefined) return 'lost'
    this.#watch.see(held, this.#clock.monotonic())
    this.#statements.keepText(turn, storableText(partialText))
    return held.stopRequested ? 'stop_requested' : 'held'
  }

  #start(turn: NewTurn, now: number): TurnRow {
    const { messageId, sessionId } = turn
    const row = this.#statements.insertTurn(messageId, sessionId, storableText(turn.message), now)
    this.#reserve(row)
    return row
  }

  #reserve({ sessionId, messageId }: TurnRow): void {
    const stamp = this.#clock.wall() + this.#reservationMs
    this.#statements.reserve(sessionId, messageId, this.#replica, stamp)
    this.#watch.see({ sessionId, messageId, stamp, stopRequested: false }, this.#clock.monotonic())
  }

  /** The turn that holds the session; one whose replica is dead or cut off holds nothing. */
  #live(running: Reservation | undefined): Reservation | undefined {
    if (running === undefined || this.#watch.isOver(running, this.#clock.monotonic())) return undefined
    return running
  }

  #lookAround(): Timer {
    return this.#clock.schedule(this.#reservationMs / LOOKS, () => {
      try {
        this.#watch.seeAll(this.#statements.allRunning(), this.#clock.monotonic())
      } catch {
        // The next caller that needs the store reports it; what was seen before still counts.
      }
      this.#look = this.#lookAround()
    })
  }

  /** Only the process that started a turn keeps its end; of any other turn there is nothing to do. */
  #writeTurn<T>(messageId: string, none: T, work: (turn: TurnRow) => T): Promise<T> {
    return this.#write(() => {
      const turn = this.#own.get(messageId)
      return turn === undefined ? none : work(turn)
    })
  }

  #write<T>(work: () => T): Promise<T> {
    return this.#run(() => {
      const result = this.#database.transaction(work)
      this.#commits += 1
      if (this.#commits >= COPIED_COMMITS) this.#copyBackSoon()
      return result
    }, 'write')
  }

  /** In a round of its own, before which a turn that has just begun makes its request: the commit would take some ms for it. */
  #copyBackSoon(): void {
    this.#commits = 0
    this.#copying ??= this.#clock.schedule(0, () => {
      this.#copying = undefined
      this.#database.copyLogBack()
    })
  }

  #read<T>(work: () => T): Promise<T> {
    return this.#run(work, 'read')
  }

  async #run<T>(work: () => T, kind: 'read' | 'write'): Promise<T> {
    try {
      const result = await this.#queue.run(work, kind === 'read')
      this.#availability.worked(kind)
      return result
    } catch (error) {
      throw this.#failure(error, kind)
    }
  }

  #failure(error: unknown, kind: 'read' | 'write'): unknown {
    if (this.#closed) return new SessionStoreUnavailable('the session store is closed', { cause: error })
    if (!(error instanceof BusyQueueError) && !isStorageFault(error)) return error
    const cause = error instanceof BusyQueueError ? (error.cause ?? error) : error
    this.#availability.failed(kind, cause, errorText(cause))
    return new SessionStoreUnavailable(`the session store is unavailable: ${errorText(error)}`, {
      cause: error,
    })
  }
}
