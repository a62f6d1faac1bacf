import type { SessionView } from '../protocol/api.js'
import { KnownSessions } from './known-sessions.js'
import { LateWrites, type LateWritesOptions } from './late-writes.js'
import { isOwners, type LocalTurn, localTurn, needed, pastTurn } from './local-turn.js'
import {
  type BeginResult,
  type DataScope,
  DEFAULT_HISTORY_BUDGET,
  type DurableSessionStore,
  type FoundTrace,
  type HeldPage,
  type Keeping,
  type NewTurn,
  type PastTurn,
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
import { isInScope, maySee } from './session-view.js'
import { newestWithin } from './trim-history.js'
import { viewWithWaitingTurns } from './view-with-waiting-turns.js'

export interface ResilientSessionStoreOptions extends LateWritesOptions {
  /** characters of history `begin` gives; default 32,000 */
  readonly historyBudget?: number
}

/**
 * Goes on without the database: while it is full, locked or gone, turns begin and end in memory, 409 and stop hold within this
 * process, and what could not be written is written later, in its order. The rest (another process's turns, histories that
 * cannot be read) is what the database has.
 */
export function createResilientSessionStore(
  inner: DurableSessionStore,
  options: ResilientSessionStoreOptions,
): SessionStore {
  return new ResilientSessionStore(inner, options)
}

class ResilientSessionStore implements SessionStore {
  /** turns of this process that are not released, by their id and by their session */
  readonly #running = new Map<string, LocalTurn>()
  readonly #bySession = new Map<string, LocalTurn>()
  readonly #known = new KnownSessions()
  readonly #late: LateWrites

  constructor(
    private readonly inner: DurableSessionStore,
    private readonly options: ResilientSessionStoreOptions,
  ) {
    this.#late = new LateWrites(inner, options)
  }

  get isAvailable(): boolean {
    return this.#late.isAvailable
  }

  get lost(): number {
    return this.#late.lost
  }

  async create(turn: NewTurn, agentId: string): Promise<Keeping> {
    this.#late.assertOpen()
    const kept = await this.#late.tried(() => this.inner.create(turn, agentId))
    this.#start(turn, agentId, kept !== undefined)
    return kept ?? 'waiting'
  }

  async begin(turn: NewTurn): Promise<BeginResult> {
    this.#late.assertOpen()
    const begun = await this.#late.tried(() => this.inner.begin(turn))
    if (begun === undefined) return this.#beginAlone(turn)
    if (begun.kind === 'begun') this.#start(turn, begun.agentId, true)
    return begun
  }

  async holder(sessionId: string): Promise<SessionHolder> {
    const local = this.#bySession.get(sessionId)
    if (local !== undefined && !(this.#late.isAvailable && local.isKept)) return holderOf(local)
    return (
      (await this.#late.tried(() => this.inner.holder(sessionId))) ?? (local ? holderOf(local) : 'nobody')
    )
  }

  async renew(messageId: string, partialText: string): Promise<Renewal> {
    const local = this.#running.get(messageId)
    if (local === undefined || local.end !== undefined || local.isLost) return 'lost'
    local.text = partialText
    const found = local.isKept
      ? await this.#late.tried(() => this.inner.renew(messageId, partialText))
      : undefined
    if (found !== undefined && found !== 'held') return found
    return local.stopRequested ? 'stop_requested' : 'held'
  }

  async stopRequested(messageId: string): Promise<boolean> {
    const local = this.#running.get(messageId)
    if (local === undefined) return false
    if (local.stopRequested || !local.isKept) return local.stopRequested
    return (await this.#late.tried(() => this.inner.stopRequested(messageId))) ?? false
  }

  async finish(messageId: string, end: TurnEnd, release = false): Promise<Keeping> {
    const local = this.#running.get(messageId)
    if (local === undefined || local.end !== undefined) return 'kept'
    local.end = end
    local.endedAt = this.options.clock.wall()
    if (release) this.#free(local)
    if (local.isLost) return 'waiting'
    const kept = local.isKept
      ? await this.#late.tried(() => this.inner.finish(messageId, end, release))
      : undefined
    if (kept === undefined) {
      this.#late.add(local)
      return 'waiting'
    }
    local.isEndKept = true
    if (release) local.isReleaseKept = true
    return kept
  }

  async release(messageId: string): Promise<void> {
    const local = this.#running.get(messageId)
    if (local === undefined) return
    this.#free(local)
    if (local.isLost || this.#late.has(local)) return
    const done = async (): Promise<true> => {
      await this.inner.release(messageId)
      return true
    }
    // A `finish` may still be under way; once released, its end could not be written any more.
    const isNext = needed(local) === 'release'
    if ((isNext && (await this.#late.tried(done))) === true) local.isReleaseKept = true
    else this.#late.add(local)
  }

  async requestStop(
    sessionId: string,
    owner: SessionOwner,
  ): Promise<{ stopped: boolean; messageId?: string } | undefined> {
    this.#late.assertOpen()
    const asked = async () => ({ found: await this.inner.requestStop(sessionId, owner) })
    const answer = await this.#late.tried(asked)
    if (answer?.found !== undefined) return answer.found
    const local = this.#bySession.get(sessionId)
    if (local !== undefined && isOwners(local.turn, owner)) return stopOf(local)
    if (this.#ownWaiting(sessionId, owner).length > 0) return { stopped: false }
    if (answer !== undefined) return undefined
    throw new SessionStoreUnavailable('the session store is unavailable')
  }

  async read(sessionId: string, owner: SessionOwner): Promise<SessionView | undefined> {
    this.#late.assertOpen()
    const own = this.#ownWaiting(sessionId, owner)
    let view: SessionView | undefined
    try {
      view = await this.inner.read(sessionId, owner)
    } catch (thrown) {
      if (!(thrown instanceof SessionStoreUnavailable) || own.length === 0) throw thrown
    }
    return viewWithWaitingTurns(view, own)
  }

  /** As the database has it: a session that waits for it is not there yet. */
  async list(owner: SessionOwner, limit: number, before?: SessionPlace): Promise<readonly SessionSummary[]> {
    this.#late.assertOpen()
    return this.inner.list(owner, limit, before)
  }

  /** Needs the database: only it can say whose the session is, and that nothing is left of it. */
  async delete(sessionId: string, owner: SessionOwner): Promise<boolean> {
    this.#late.assertOpen()
    const waiting = this.#ownWaiting(sessionId, owner)
    // First: what is written while the database erases would bring the session back.
    for (const local of waiting) this.#late.forget(local)
    try {
      const isErased = await this.inner.delete(sessionId, owner)
      if (!isErased && waiting.length === 0) return false
    } catch (thrown) {
      for (const local of waiting) this.#late.add(local)
      throw thrown
    }
    const running = this.#bySession.get(sessionId)
    if (running !== undefined) {
      this.#late.forget(running)
      this.#free(running)
    }
    this.#known.delete(sessionId)
    return true
  }

  /** With the sessions that only memory has, on the first page. */
  async scan(scope: DataScope, after?: string): Promise<HeldPage> {
    this.#late.assertOpen()
    const page = await this.inner.scan(scope, after)
    if (after !== undefined) return page
    const known = new Set(page.sessions.map(({ sessionId }) => sessionId))
    const waiting = this.#late
      .all()
      .map(({ turn: { sessionId, owner } }) => ({ sessionId, owner }))
      .filter(
        ({ sessionId, owner }) => isInScope(scope, owner) && !known.has(sessionId) && known.add(sessionId),
      )
    return { ...page, sessions: [...waiting, ...page.sessions] }
  }

  async eraseIdle(
    before: number,
    after?: string,
  ): Promise<{ readonly erased: number; readonly next?: string }> {
    this.#late.assertOpen()
    return this.inner.eraseIdle(before, after)
  }

  async newestTurnAt(): Promise<number | undefined> {
    this.#late.assertOpen()
    return this.inner.newestTurnAt()
  }

  async readTrace(
    sessionId: string,
    messageId: string,
    reader: TraceReader,
  ): Promise<FoundTrace | undefined> {
    this.#late.assertOpen()
    const waiting = this.#late.ofSession(sessionId).find(({ turn }) => turn.messageId === messageId)
    if (waiting?.end === undefined || !maySee(reader, waiting.turn.owner))
      return this.inner.readTrace(sessionId, messageId, reader)
    const { trace } = waiting.end
    return trace === undefined ? { kind: 'none' } : { kind: 'trace', json: trace }
  }

  async close(): Promise<void> {
    if (this.#late.isClosed) return
    await this.#late.close()
    await this.inner.close()
  }

  /** Reads may work where writes do not; what they tell counts. */
  async #beginAlone(turn: NewTurn): Promise<BeginResult> {
    const local = this.#bySession.get(turn.sessionId)
    if (local !== undefined)
      return isOwners(local.turn, turn.owner)
        ? { kind: 'busy', releasing: local.end !== undefined }
        : { kind: 'not_found' }
    const own = this.#ownWaiting(turn.sessionId, turn.owner)
    const known = this.#known.get(turn.sessionId)
    if (known !== undefined && !isOwners(known, turn.owner)) return { kind: 'not_found' }
    const found = await this.#peeked(turn, own)
    if (found?.kind === 'busy' || (found?.kind === 'not_found' && own.length === 0)) return found
    // Another turn may have come while the database was asked.
    if (this.#bySession.has(turn.sessionId)) return { kind: 'busy', releasing: false }
    const kept = found?.kind === 'free' ? found : undefined
    const agentId = kept?.agentId ?? known?.agentId
    this.#start(turn, agentId, false)
    const history = this.#history(kept?.history ?? [], own)
    return kept === undefined
      ? { kind: 'begun', agentId, history, historyUnavailable: true }
      : { kind: 'begun', agentId, history }
  }

  async #peeked(turn: NewTurn, own: readonly LocalTurn[]) {
    const ended = new Set(own.filter(({ released }) => released).map((local) => local.turn.messageId))
    try {
      return await this.inner.peek(turn, (messageId) => ended.has(messageId))
    } catch (thrown) {
      if (!(thrown instanceof SessionStoreUnavailable)) throw thrown
      return undefined
    }
  }

  /** Of a turn whose end waits the database may have the first part of the answer. */
  #history(kept: readonly PastTurn[], own: readonly LocalTurn[]): readonly PastTurn[] {
    const waiting = own.filter(({ isEndKept }) => !isEndKept)
    const begun = waiting.filter(({ isKept }) => isKept).map(pastTurn)
    const isPart = ({ message, text }: PastTurn) =>
      begun.some((whole) => whole.message === message && whole.text.startsWith(text))
    return newestWithin(
      [...kept.filter((past) => !isPart(past)), ...waiting.map(pastTurn)],
      this.options.historyBudget ?? DEFAULT_HISTORY_BUDGET,
    )
  }

  #ownWaiting(sessionId: string, owner: SessionOwner): LocalTurn[] {
    return this.#late.ofSession(sessionId).filter(({ turn }) => isOwners(turn, owner))
  }

  #start(turn: NewTurn, agentId: string | undefined, isKept: boolean): void {
    const local = localTurn(turn, agentId, this.options.clock.wall(), isKept)
    if (agentId !== undefined) this.#known.add(turn.sessionId, { owner: turn.owner, agentId })
    this.#running.set(turn.messageId, local)
    this.#bySession.set(turn.sessionId, local)
    if (!isKept) this.#late.add(local)
  }

  #free(local: LocalTurn): void {
    local.released = true
    this.#running.delete(local.turn.messageId)
    if (this.#bySession.get(local.turn.sessionId) === local) this.#bySession.delete(local.turn.sessionId)
  }
}

function holderOf({ end }: LocalTurn): SessionHolder {
  return end === undefined ? 'running' : 'releasing'
}

function stopOf(local: LocalTurn): { stopped: boolean; messageId?: string } {
  if (local.end !== undefined) return { stopped: false }
  local.stopRequested = true
  return { stopped: true, messageId: local.turn.messageId }
}
