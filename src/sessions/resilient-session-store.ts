import { bounded } from '../core/bounded.js'
import type { Clock, Timer } from '../core/clock.js'
import { errorCode, errorText } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import type { SessionView } from '../protocol/api.js'
import { KnownSessions } from './known-sessions.js'
import {
  type BeginResult,
  DEFAULT_HISTORY_BUDGET,
  type DurableSessionStore,
  type Keeping,
  type NewTurn,
  type PastTurn,
  type Renewal,
  type SessionHolder,
  type SessionOwner,
  type SessionStore,
  SessionStoreUnavailable,
  type TurnEnd,
} from './session-store.js'
import { newestWithin } from './trim-history.js'
import { viewWith } from './view-with.js'
import { isOwners, type LocalTurn, localTurn, needed, pastTurn } from './waiting-turn.js'
import { WAITING_BOUNDS, type WaitingBounds, WaitingTurns } from './waiting-turns.js'

export interface ResilientSessionStoreOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** characters of history `begin` gives; default 32,000 */
  readonly historyBudget?: number
  readonly bounds?: WaitingBounds
}

/** ms between two tries to write what waits */
const RETRY_MS = 500
/** writes before the event loop has its turn */
const BATCH = 20
/** ms the last try may take at the end */
const CLOSE_MS = 250

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
  readonly #waiting: WaitingTurns
  #isAvailable = true
  #lost = 0
  #isLossTold = false
  #timer: Timer | undefined
  #flushing: Promise<void> | undefined
  #closed = false

  constructor(
    private readonly inner: DurableSessionStore,
    private readonly options: ResilientSessionStoreOptions,
  ) {
    this.#waiting = new WaitingTurns(options.bounds ?? WAITING_BOUNDS, (local) => this.#lose(local))
  }

  get isAvailable(): boolean {
    return this.#isAvailable
  }

  get lost(): number {
    return this.#lost
  }

  async create(turn: NewTurn, agentId: string): Promise<Keeping> {
    this.#assertOpen()
    const kept = await this.#tried(() => this.inner.create(turn, agentId))
    this.#start(turn, agentId, kept !== undefined)
    return kept ?? 'waiting'
  }

  async begin(turn: NewTurn): Promise<BeginResult> {
    this.#assertOpen()
    const begun = await this.#tried(() => this.inner.begin(turn))
    if (begun === undefined) return this.#beginAlone(turn)
    if (begun.kind === 'begun') this.#start(turn, begun.agentId, true)
    return begun
  }

  async holder(sessionId: string): Promise<SessionHolder> {
    const local = this.#bySession.get(sessionId)
    if (local !== undefined && !(this.#isAvailable && local.isKept)) return holderOf(local)
    return (await this.#tried(() => this.inner.holder(sessionId))) ?? (local ? holderOf(local) : 'nobody')
  }

  async renew(messageId: string, partialText: string): Promise<Renewal> {
    const local = this.#running.get(messageId)
    if (local === undefined || local.end !== undefined || local.isLost) return 'lost'
    local.text = partialText
    const found = local.isKept ? await this.#tried(() => this.inner.renew(messageId, partialText)) : undefined
    if (found !== undefined && found !== 'held') return found
    return local.stopRequested ? 'stop_requested' : 'held'
  }

  async stopRequested(messageId: string): Promise<boolean> {
    const local = this.#running.get(messageId)
    if (local === undefined) return false
    if (local.stopRequested || !local.isKept) return local.stopRequested
    return (await this.#tried(() => this.inner.stopRequested(messageId))) ?? false
  }

  async finish(messageId: string, end: TurnEnd, release = false): Promise<Keeping> {
    const local = this.#running.get(messageId)
    if (local === undefined || local.end !== undefined) return 'kept'
    local.end = end
    local.endedAt = this.options.clock.wall()
    if (release) this.#free(local)
    if (local.isLost) return 'waiting'
    const kept = local.isKept
      ? await this.#tried(() => this.inner.finish(messageId, end, release))
      : undefined
    if (kept === undefined) {
      this.#wait(local)
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
    if (local.isLost || this.#waiting.has(local)) return
    const done = async (): Promise<true> => {
      await this.inner.release(messageId)
      return true
    }
    // A `finish` may still be under way; once released, its end could not be written any more.
    const isNext = needed(local) === 'release'
    if ((isNext && (await this.#tried(done))) === true) local.isReleaseKept = true
    else this.#wait(local)
  }

  async requestStop(
    sessionId: string,
    owner: SessionOwner,
  ): Promise<{ stopped: boolean; messageId?: string } | undefined> {
    this.#assertOpen()
    const asked = async () => ({ found: await this.inner.requestStop(sessionId, owner) })
    const answer = await this.#tried(asked)
    if (answer?.found !== undefined) return answer.found
    const local = this.#bySession.get(sessionId)
    if (local !== undefined && isOwners(local.turn, owner)) return stopOf(local)
    if (this.#ownWaiting(sessionId, owner).length > 0) return { stopped: false }
    if (answer !== undefined) return undefined
    throw new SessionStoreUnavailable('the session store is unavailable')
  }

  async read(sessionId: string, owner: SessionOwner): Promise<SessionView | undefined> {
    this.#assertOpen()
    const own = this.#ownWaiting(sessionId, owner)
    let view: SessionView | undefined
    try {
      view = await this.inner.read(sessionId, owner)
    } catch (thrown) {
      if (!(thrown instanceof SessionStoreUnavailable) || own.length === 0) throw thrown
    }
    return viewWith(view, own)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    if (this.#waiting.size > 0) await bounded(this.#flush(), CLOSE_MS, this.options.clock)
    const turns = this.#due().length
    if (turns > 0)
      this.options.logger.error({ turns }, '[Sessions] turns were lost: the database took none to the end')
    await this.inner.close()
  }

  /** Undefined where the database does not answer, or is known not to. */
  async #tried<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (!this.#isAvailable) return undefined
    try {
      return await work()
    } catch (thrown) {
      if (!(thrown instanceof SessionStoreUnavailable) || this.#closed) throw thrown
      this.#isAvailable = false
      this.#retry()
      return undefined
    }
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
    return this.#waiting.ofSession(sessionId).filter(({ turn }) => isOwners(turn, owner))
  }

  #start(turn: NewTurn, agentId: string | undefined, isKept: boolean): void {
    const local = localTurn(turn, agentId, this.options.clock.wall(), isKept)
    if (agentId !== undefined) this.#known.add(turn.sessionId, { owner: turn.owner, agentId })
    this.#running.set(turn.messageId, local)
    this.#bySession.set(turn.sessionId, local)
    if (!isKept) this.#wait(local)
  }

  #free(local: LocalTurn): void {
    local.released = true
    this.#running.delete(local.turn.messageId)
    if (this.#bySession.get(local.turn.sessionId) === local) this.#bySession.delete(local.turn.sessionId)
  }

  /** @throws SessionStoreUnavailable once it is closed: nothing would write it any more */
  #wait(local: LocalTurn): void {
    this.#assertOpen()
    if (this.#waiting.size === 0) this.options.logger.warn('[Sessions] turns wait in memory for the database')
    this.#isAvailable = false
    this.#waiting.add(local)
    this.#retry()
  }

  /** It made way for newer ones. */
  #lose(local: LocalTurn): void {
    this.#giveUp(local)
    // Once an outage: under load every turn would tell the same.
    if (this.#isLossTold) return
    this.#isLossTold = true
    this.options.logger.error('[Sessions] turns are lost: memory holds no more of them for the database')
  }

  #retry(): void {
    if (this.#closed) return
    this.#timer ??= this.options.clock.schedule(RETRY_MS, () => {
      this.#timer = undefined
      void this.#flush().finally(() => {
        if (!this.#isAvailable) this.#retry()
      })
    })
  }

  /** Never rejects. */
  #flush(): Promise<void> {
    this.#flushing ??= this.#writeAll().finally(() => {
      this.#flushing = undefined
    })
    return this.#flushing
  }

  async #writeAll(): Promise<void> {
    let written = 0
    try {
      await this.inner.probe()
      for (let waiting = this.#due(); waiting.length > 0; waiting = this.#due())
        for (const local of waiting) {
          await this.#writeOne(local)
          written += 1
          if (written % BATCH === 0) await new Promise((resolve) => setImmediate(resolve))
        }
    } catch {
      // Told by the store itself; tried again.
      return
    }
    this.#isAvailable = true
    this.#isLossTold = false
    if (written > 0)
      this.options.logger.info({ written, lost: this.#lost }, '[Sessions] no turn waits any more')
  }

  /** Those of which something is to be written; the others go. */
  #due(): LocalTurn[] {
    const waiting = this.#waiting.all()
    for (const local of waiting) if (needed(local) === 'nothing') this.#waiting.delete(local)
    return waiting.filter((local) => this.#waiting.has(local))
  }

  /** One step of one turn. @throws SessionStoreUnavailable */
  async #writeOne(local: LocalTurn): Promise<void> {
    const { messageId } = local.turn
    const { end, released } = local
    try {
      switch (needed(local)) {
        case 'turn':
          if ((await this.inner.restore(local)) === 'refused') {
            this.#refuse(local, { error: 'its owner has no such session' })
            return
          }
          local.isKept = true
          local.isEndKept = end !== undefined
          local.isReleaseKept = released
          return
        case 'end':
          if (end !== undefined) await this.inner.finish(messageId, end, released)
          local.isEndKept = true
          local.isReleaseKept = released
          return
        case 'release':
          await this.inner.release(messageId)
          local.isReleaseKept = true
          return
        case 'nothing':
          return
      }
    } catch (thrown) {
      if (thrown instanceof SessionStoreUnavailable) throw thrown
      this.#refuse(local, { code: errorCode(thrown), error: errorText(thrown) })
    }
  }

  #refuse(local: LocalTurn, fault: { readonly code?: string | undefined; readonly error: string }): void {
    this.options.logger.error(
      { ...fault, messageId: local.turn.messageId },
      '[Sessions] a turn cannot be written',
    )
    this.#waiting.delete(local)
    this.#giveUp(local)
  }

  /** Nothing of it will ever be written. */
  #giveUp(local: LocalTurn): void {
    local.isLost = true
    this.inner.forget(local.turn.messageId)
    this.#lost += 1
  }

  #assertOpen(): void {
    if (this.#closed) throw new SessionStoreUnavailable('the session store is closed')
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
