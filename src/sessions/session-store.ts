import type { SessionView, TurnStatus } from '../protocol/api.js'
import type { FinishReason } from '../protocol/events.js'
import type { ExecutionMode } from '../protocol/modes.js'

/** ms a running turn's reservation lasts without a renewal (protocols: 15 s) */
export const DEFAULT_RESERVATION_MS = 15_000
/** characters of history `begin` gives where the store is told nothing else */
export const DEFAULT_HISTORY_BUDGET = 32_000

/** Who may see a session: its org and user, nobody else. */
export interface SessionOwner {
  readonly orgId: string
  readonly userId: string
}

/** Whose conversations: of a user in one org, of all users of an org, or of a user in whatever org. */
export type DataScope =
  | SessionOwner
  | { readonly orgId: string; readonly userId?: undefined }
  | { readonly orgId?: undefined; readonly userId: string }

export interface NewTurn {
  readonly sessionId: string
  /** id of the answer */
  readonly messageId: string
  readonly owner: SessionOwner
  readonly message: string
}

/** One session of a list; times in wall ms. */
export interface SessionSummary {
  readonly sessionId: string
  readonly agentId: string
  readonly createdAt: number
  /** the newest turn's end, or its start while it runs */
  readonly updatedAt: number
  readonly turns: number
  /** the first characters of the first message */
  readonly title: string
}

/** A session and whose it is. */
export interface HeldSession {
  readonly sessionId: string
  readonly owner: SessionOwner
}

/** Some of the sessions asked for, perhaps none; without `next` there are no more. */
export interface HeldPage {
  readonly sessions: readonly HeldSession[]
  readonly next?: string
}

/** Where a session stands in the list of its owner. */
export type SessionPlace = Pick<SessionSummary, 'createdAt' | 'sessionId'>

/** characters of a title */
export const TITLE_CHARACTERS = 100

/** One past turn, as the history for a backend is made of. */
export interface PastTurn {
  readonly message: string
  /** the answer's text, also a partial one; may be empty */
  readonly text: string
}

/** `waiting`: the database does not have it yet; memory does, and writes it when it can. */
export type Keeping = 'kept' | 'waiting'

export type BeginResult =
  | {
      readonly kind: 'begun'
      /** undefined only with `historyUnavailable`, for a session that this process has not met */
      readonly agentId: string | undefined
      readonly history: readonly PastTurn[]
      /** the database could not be read: `history` is at most what memory has of it */
      readonly historyUnavailable?: true
    }
  /** no such session, or another owner's: nothing tells which */
  | { readonly kind: 'not_found' }
  /** a turn is running; `releasing`: its stream has ended and only a cancel is still under way */
  | { readonly kind: 'busy'; readonly releasing: boolean }

/** `releasing`: a turn whose stream has ended, while its last cancel is still under way. */
export type SessionHolder = 'nobody' | 'running' | 'releasing'

export interface TurnEnd {
  readonly status: Exclude<TurnStatus, 'running'>
  readonly text: string
  readonly executionMode: ExecutionMode
  readonly finishReason?: FinishReason
  /** what happened in the turn, as JSON text of bounded size (protocol/turn-trace.ts) */
  readonly trace?: string
}

/** Who may see a trace: the owner of the session; without a user, an admin of its org. */
export interface TraceReader {
  readonly orgId: string
  readonly userId?: string
}

/** `none`: no such turn, one that runs, or one that was kept without a trace. */
export type FoundTrace = { readonly kind: 'trace'; readonly json: string } | { readonly kind: 'none' }

/** What a reservation renewal finds: go on, somebody pressed stop, or another replica took the session over. */
export type Renewal = 'held' | 'stop_requested' | 'lost'

/**
 * Conversations and the one running turn of each, shared by the replicas of one machine. A running turn is a row with
 * a reservation: after a kill it runs out and the turn reads as `aborted`. Each replica judges that by its own monotonic clock,
 * from when it first saw the newest renewal; a stop that nobody obeys for a fifth of the time ends it too.
 * Every method rejects with `SessionStoreUnavailable` when the store cannot be read or written within its deadline, or is closed.
 * What a turn's own replica tells last is what counts: a turn taken over (its reservation ran out and the next one began) is
 * never running again, but a late `finish` still keeps the text and the status its reader got.
 */
export interface SessionStore {
  /** False while the database cannot be written, or turns still wait for it. */
  readonly isAvailable: boolean
  /** turns that memory could not hold until the database took them */
  readonly lost: number
  /** Creates the session with its first turn running. */
  create(turn: NewTurn, agentId: string): Promise<Keeping>
  /**
   * Starts the next turn; an expired reservation is taken over. `history` is oldest first, the turns without a visible answer
   * left out, and no more of it than the store's `historyBudget` lets through (trim-history.ts).
   */
  begin(turn: NewTurn): Promise<BeginResult>
  /** A cheap look, without a write, at what a `begin` would find now: who holds the session, if anybody. */
  holder(sessionId: string): Promise<SessionHolder>
  /** Renews the reservation of the turn, keeps the partial text, and tells whether a stop was asked for. `lost` once it ended. */
  renew(messageId: string, partialText: string): Promise<Renewal>
  /** A cheap look between two renewals (each second): was a stop asked for? */
  stopRequested(messageId: string): Promise<boolean>
  /**
   * Keeps how the turn ended; the first end counts. The session stays busy (`releasing`) until `release`, the time of a reservation at
   * most; with `release` it is free at once.
   */
  finish(messageId: string, end: TurnEnd, release?: boolean): Promise<Keeping>
  /** The session may take its next turn; of this one nothing more is kept, also if it cannot be told. */
  release(messageId: string): Promise<void>
  /**
   * Marks the running turn for its replica to stop; frees the session of one whose replica is gone. `undefined` when the
   * caller has no such session.
   */
  requestStop(
    sessionId: string,
    owner: SessionOwner,
  ): Promise<{ stopped: boolean; messageId?: string } | undefined>
  read(sessionId: string, owner: SessionOwner): Promise<SessionView | undefined>
  /**
   * The owner's sessions, the newest (by their creation) first.
   * @param before those after this place of the list alone
   */
  list(owner: SessionOwner, limit: number, before?: SessionPlace): Promise<readonly SessionSummary[]>
  /**
   * Erases the session with all its turns; one that still runs loses its session and is never kept.
   * @returns false if the owner has no such session
   */
  delete(sessionId: string, owner: SessionOwner): Promise<boolean>
  /**
   * Sessions of all owners in the scope, in an order of the store's own, a bounded number looked at in each call. One that begins meanwhile may be
   * missing.
   * @param after `next` of the page before
   */
  scan(scope: DataScope, after?: string): Promise<HeldPage>
  /**
   * Erases sessions in which nothing was said since an instant and no turn runs, a few of the next ones in an order of the store's own;
   * without `next` all were looked at.
   * @param before wall ms
   * @param after `next` of the call before
   */
  eraseIdle(before: number, after?: string): Promise<{ readonly erased: number; readonly next?: string }>
  /** Wall ms of the end of the newest turn, or its start while it runs; undefined where there is none. */
  newestTurnAt(): Promise<number | undefined>
  /** The trace of one turn; undefined where the reader may not see its session, or there is none. */
  readTrace(sessionId: string, messageId: string, reader: TraceReader): Promise<FoundTrace | undefined>
  close(): Promise<void>
}

/** What a turn that could not be begun in the database finds there. */
export type PeekResult =
  | { readonly kind: 'free'; readonly agentId: string; readonly history: readonly PastTurn[] }
  | Exclude<BeginResult, { kind: 'begun' }>

/** A turn that was begun without the database. Times in wall ms. */
export interface UnkeptTurn {
  readonly turn: NewTurn
  /** undefined: never of a new session */
  readonly agentId: string | undefined
  readonly startedAt: number
  /** the answer so far */
  readonly text: string
  readonly end: TurnEnd | undefined
  readonly endedAt: number | undefined
  readonly released: boolean
}

/** A store on a disk, and what it takes to go on without it for a while. */
export interface DurableSessionStore extends SessionStore {
  /**
   * What `begin` would find, without a write.
   * @param hasEnded says of a turn by its id that it holds nothing any more, whatever the database says
   */
  peek(turn: NewTurn, hasEnded: (messageId: string) => boolean): Promise<PeekResult>
  /**
   * Keeps a turn that was begun without it. `refused`: there is no such session of this owner, and none can be made. A session
   * that another turn holds by now is left to it.
   */
  restore(turn: UnkeptTurn): Promise<'kept' | 'refused'>
  /** Rejects while nothing can be written. */
  probe(): Promise<void>
  /** Of the turn nothing more is kept in memory. */
  forget(messageId: string): void
}

/** The database did not answer within its deadline, or is broken; what cannot do without it is refused with 503. */
export class SessionStoreUnavailable extends Error {
  override readonly name = 'SessionStoreUnavailable'
}
