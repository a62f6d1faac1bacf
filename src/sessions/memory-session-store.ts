import type { Clock } from '../core/clock.js'
import { storableText } from '../core/text.js'
import type { SessionView } from '../protocol/api.js'
import { ReservationWatch } from './reservation-watch.js'
import {
  type BeginResult,
  type DataScope,
  DEFAULT_HISTORY_BUDGET,
  DEFAULT_RESERVATION_MS,
  type FoundTrace,
  type HeldPage,
  type Keeping,
  type NewTurn,
  type Renewal,
  type SessionHolder,
  type SessionOwner,
  type SessionPlace,
  type SessionStore,
  SessionStoreUnavailable,
  type SessionSummary,
  type TraceReader,
  type TurnEnd,
} from './session-store.js'
import {
  isBefore,
  isInScope,
  maySee,
  newestFirst,
  type SessionRecord,
  sessionSummary,
  sessionView,
  type TurnRecord,
} from './session-view.js'
import { newestWithin } from './trim-history.js'

export interface MemorySessionStoreOptions {
  readonly clock: Clock
  /** name of this process; nobody shares the memory, so it is only kept for the likeness to the SQLite store */
  readonly replica?: string
  /** ms; default 15,000 */
  readonly reservationMs?: number
  /** characters of history `begin` gives; default 32,000 */
  readonly historyBudget?: number
}

/** sessions of one page of a scan */
const SCANNED = 1_000

interface Running {
  readonly messageId: string
  /** counts the renewals */
  stamp: number
  stopRequested: boolean
  releasing: boolean
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

interface Session extends Mutable<SessionRecord> {
  readonly owner: SessionOwner
  readonly turns: Mutable<TurnRecord>[]
  running: Running | undefined
}

/**
 * Conversations in memory: the twin of the SQLite store for tests and tools, with the same answers to every call.
 * It forgets nothing while it lives, so it is not for production.
 */
export function createMemorySessionStore(options: MemorySessionStoreOptions): SessionStore {
  return new MemorySessionStore(options)
}

class MemorySessionStore implements SessionStore {
  readonly #clock: Clock
  readonly #historyBudget: number
  readonly #sessions = new Map<string, Session>()
  readonly #turns = new Map<string, { session: Session; turn: Mutable<TurnRecord> }>()
  readonly #watch: ReservationWatch
  #lastStamp = 0
  #closed = false

  constructor({ clock, reservationMs, historyBudget }: MemorySessionStoreOptions) {
    this.#clock = clock
    this.#historyBudget = historyBudget ?? DEFAULT_HISTORY_BUDGET
    this.#watch = new ReservationWatch(reservationMs ?? DEFAULT_RESERVATION_MS)
  }

  readonly isAvailable = true
  readonly lost = 0

  async create(turn: NewTurn, agentId: string): Promise<Keeping> {
    this.#assertOpen()
    if (this.#sessions.has(turn.sessionId)) throw new Error(`session ${turn.sessionId} exists already`)
    const now = this.#clock.wall()
    const session: Session = {
      sessionId: turn.sessionId,
      owner: turn.owner,
      agentId,
      createdAt: now,
      turns: [],
      running: undefined,
    }
    this.#start(session, turn)
    this.#sessions.set(turn.sessionId, session)
    return 'kept'
  }

  async begin(turn: NewTurn): Promise<BeginResult> {
    const session = this.#owned(turn.sessionId, turn.owner)
    if (session === undefined) return { kind: 'not_found' }
    const live = this.#live(session)
    if (live !== undefined) return { kind: 'busy', releasing: live.releasing }
    const history = newestWithin(session.turns, this.#historyBudget).map(({ message, text }) => ({
      message,
      text,
    }))
    this.#start(session, turn)
    return { kind: 'begun', agentId: session.agentId, history }
  }

  async holder(sessionId: string): Promise<SessionHolder> {
    this.#assertOpen()
    const session = this.#sessions.get(sessionId)
    const live = session === undefined ? undefined : this.#live(session)
    if (live === undefined) return 'nobody'
    return live.releasing ? 'releasing' : 'running'
  }

  async renew(messageId: string, partialText: string): Promise<Renewal> {
    const { session, turn, running } = this.#find(messageId)
    if (session === undefined || turn === undefined || running === undefined || running.releasing)
      return 'lost'
    this.#touch(session, running)
    turn.text = storableText(partialText)
    return running.stopRequested ? 'stop_requested' : 'held'
  }

  async stopRequested(messageId: string): Promise<boolean> {
    return this.#find(messageId).running?.stopRequested ?? false
  }

  async finish(messageId: string, end: TurnEnd, release = false): Promise<Keeping> {
    const { session, turn, running } = this.#find(messageId)
    if (session === undefined || turn === undefined) return 'kept'
    const now = this.#clock.wall()
    if (turn.status === undefined) {
      turn.status = end.status
      turn.text = storableText(end.text)
      turn.executionMode = end.executionMode
      if (end.finishReason !== undefined) turn.finishReason = end.finishReason
      if (end.trace !== undefined) turn.trace = end.trace
      turn.endedAt = now
    }
    if (running === undefined) return 'kept'
    if (release) await this.release(messageId)
    else {
      running.releasing = true
      this.#touch(session, running)
    }
    return 'kept'
  }

  async release(messageId: string): Promise<void> {
    const { session, running } = this.#find(messageId)
    if (session !== undefined && running !== undefined) this.#free(session)
    this.#turns.delete(messageId)
  }

  async requestStop(
    sessionId: string,
    owner: SessionOwner,
  ): Promise<{ stopped: boolean; messageId?: string } | undefined> {
    const session = this.#owned(sessionId, owner)
    if (session === undefined) return undefined
    const live = this.#live(session)
    if (live === undefined) this.#free(session)
    if (live === undefined || live.releasing) return { stopped: false }
    live.stopRequested = true
    this.#watch.see({ ...live, sessionId }, this.#clock.monotonic())
    return { stopped: true, messageId: live.messageId }
  }

  async read(sessionId: string, owner: SessionOwner): Promise<SessionView | undefined> {
    const session = this.#owned(sessionId, owner)
    if (session === undefined) return undefined
    return sessionView(session, session.turns, this.#live(session)?.messageId)
  }

  async list(owner: SessionOwner, limit: number, before?: SessionPlace): Promise<readonly SessionSummary[]> {
    this.#assertOpen()
    return [...this.#sessions.values()]
      .filter((session) => isOwnedBy(session, owner) && isBefore(session, before))
      .sort(newestFirst)
      .slice(0, limit)
      .map((session) => sessionSummary(session, session.turns))
  }

  async delete(sessionId: string, owner: SessionOwner): Promise<boolean> {
    const session = this.#owned(sessionId, owner)
    if (session === undefined) return false
    this.#free(session)
    this.#sessions.delete(sessionId)
    for (const { messageId } of session.turns) this.#turns.delete(messageId)
    return true
  }

  async scan(scope: DataScope, after = ''): Promise<HeldPage> {
    this.#assertOpen()
    const found = [...this.#sessions.values()]
      .filter(({ sessionId, owner }) => sessionId > after && isInScope(scope, owner))
      .sort((a, b) => (a.sessionId < b.sessionId ? -1 : 1))
    const sessions = found.slice(0, SCANNED).map(({ sessionId, owner }) => ({ sessionId, owner }))
    const last = sessions.at(-1)
    return found.length <= SCANNED || last === undefined ? { sessions } : { sessions, next: last.sessionId }
  }

  async eraseIdle(before: number): Promise<{ readonly erased: number }> {
    this.#assertOpen()
    const idle = [...this.#sessions.values()].filter(
      (session) => this.#live(session) === undefined && lastChange(session) < before,
    )
    for (const { sessionId, owner } of idle) await this.delete(sessionId, owner)
    return { erased: idle.length }
  }

  async newestTurnAt(): Promise<number | undefined> {
    this.#assertOpen()
    const ends = [...this.#sessions.values()].flatMap(({ turns }) =>
      turns.map((turn) => turn.endedAt ?? turn.startedAt),
    )
    return ends.length === 0 ? undefined : ends.reduce((newest, end) => Math.max(newest, end))
  }

  async readTrace(
    sessionId: string,
    messageId: string,
    reader: TraceReader,
  ): Promise<FoundTrace | undefined> {
    this.#assertOpen()
    const session = this.#sessions.get(sessionId)
    if (session === undefined || !maySee(reader, session.owner)) return undefined
    const json = session.turns.find((turn) => turn.messageId === messageId)?.trace
    return json === undefined ? { kind: 'none' } : { kind: 'trace', json }
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #start(session: Session, turn: NewTurn): void {
    const now = this.#clock.wall()
    const { messageId, message } = turn
    const record = { messageId, message: storableText(message), text: '', startedAt: now }
    session.turns.push(record)
    session.running = {
      messageId: turn.messageId,
      stamp: 0,
      stopRequested: false,
      releasing: false,
    }
    this.#touch(session, session.running)
    this.#turns.set(turn.messageId, { session, turn: record })
  }

  #owned(sessionId: string, owner: SessionOwner): Session | undefined {
    this.#assertOpen()
    const session = this.#sessions.get(sessionId)
    return session !== undefined && isOwnedBy(session, owner) ? session : undefined
  }

  /** The turn and its session; `running` only while this very turn holds the session. */
  #find(messageId: string) {
    this.#assertOpen()
    const found = this.#turns.get(messageId)
    const running = found?.session.running
    return { ...found, running: running?.messageId === messageId ? running : undefined }
  }

  #touch({ sessionId }: Session, running: Running): void {
    this.#lastStamp += 1
    running.stamp = this.#lastStamp
    this.#watch.see({ ...running, sessionId }, this.#clock.monotonic())
  }

  #free(session: Session): void {
    session.running = undefined
    this.#watch.forget(session.sessionId)
  }

  #live({ sessionId, running }: Session): Running | undefined {
    if (running === undefined || this.#watch.isOver({ ...running, sessionId }, this.#clock.monotonic()))
      return undefined
    return running
  }

  #assertOpen(): void {
    if (this.#closed) throw new SessionStoreUnavailable('the session store is closed')
  }
}

const lastChange = ({ createdAt, turns }: Session): number =>
  Math.max(createdAt, turns.at(-1)?.endedAt ?? turns.at(-1)?.startedAt ?? 0)

const isOwnedBy = (session: Session, { orgId, userId }: SessionOwner): boolean =>
  session.owner.orgId === orgId && session.owner.userId === userId
