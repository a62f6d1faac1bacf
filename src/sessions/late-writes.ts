import { bounded } from '../core/bounded.js'
import type { Clock, Timer } from '../core/clock.js'
import { errorCode, errorText } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import { type LocalTurn, needed } from './local-turn.js'
import { type DurableSessionStore, SessionStoreUnavailable } from './session-store.js'
import { WAITING_BOUNDS, type WaitingBounds, WaitingTurns } from './waiting-turns.js'

export interface LateWritesOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly bounds?: WaitingBounds
}

/** ms between two tries to write what waits */
const RETRY_MS = 500
/** writes before the event loop has its turn */
const BATCH = 20
/** ms the last try may take at the end */
const CLOSE_MS = 250

/**
 * Whether the database answers, and the turns of which it does not have everything yet: they wait in bounded memory and are
 * written in their order once it is back.
 */
export class LateWrites {
  readonly #waiting: WaitingTurns
  #isAvailable = true
  #lost = 0
  #isLossTold = false
  #timer: Timer | undefined
  #flushing: Promise<void> | undefined
  #closed = false

  constructor(
    private readonly inner: DurableSessionStore,
    private readonly options: LateWritesOptions,
  ) {
    this.#waiting = new WaitingTurns(options.bounds ?? WAITING_BOUNDS, (local) => this.#lose(local))
  }

  /** False while the database does not answer, or turns wait for it. */
  get isAvailable(): boolean {
    return this.#isAvailable
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** turns that will never be written */
  get lost(): number {
    return this.#lost
  }

  has(local: LocalTurn): boolean {
    return this.#waiting.has(local)
  }

  /** Those that wait, oldest first. */
  ofSession(sessionId: string): LocalTurn[] {
    return this.#waiting.ofSession(sessionId)
  }

  /** All that wait, oldest first. */
  all(): LocalTurn[] {
    return this.#waiting.all()
  }

  /** Nothing of it is to be written any more, for its user wants it erased; `add` takes that back. */
  forget(local: LocalTurn): void {
    local.isLost = true
    this.#waiting.delete(local)
  }

  /** Undefined if the database does not answer, or is known not to. */
  async tried<T>(work: () => Promise<T>): Promise<T | undefined> {
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

  /** @throws SessionStoreUnavailable once it is closed: nothing would write it any more */
  add(local: LocalTurn): void {
    this.assertOpen()
    if (this.#waiting.size === 0) this.options.logger.warn('[Sessions] turns wait in memory for the database')
    this.#isAvailable = false
    local.isLost = false
    this.#waiting.add(local)
    this.#retry()
  }

  /** @throws SessionStoreUnavailable */
  assertOpen(): void {
    if (this.#closed) throw new SessionStoreUnavailable('the session store is closed')
  }

  /** Tries once more, within 250 ms. */
  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    if (this.#waiting.size > 0) await bounded(this.#flush(), CLOSE_MS, this.options.clock)
    const turns = this.#due().length
    if (turns > 0)
      this.options.logger.error({ turns }, '[Sessions] turns were lost: the database took none to the end')
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
}
