import { bounded } from '../../core/bounded.js'
import type { Clock, Timer } from '../../core/clock.js'
import type { RedisLink, RedisReply } from '../../core/redis/redis-link.js'
import type { KeptStream, StreamLog, StreamOwner, StreamWriter } from '../stream/stream-log.js'
import type { ReplicaMessages } from './replica-messages.js'
import { StreamCopy } from './stream-copy.js'
import { ALIVE_MS, RUNNING_MS, type StreamKeys } from './stream-keys.js'

export interface CopiedStreamLogOptions {
  readonly own: StreamLog
  readonly link: RedisLink
  readonly keys: StreamKeys
  readonly messages: ReplicaMessages
  readonly clock: Clock
  readonly replica: string
  tokenOf(streamId: string): string
}

/** ms in which the ends of the last turns are copied at the end */
const CLOSE_MS = 1_000
/** ms between two signs of life */
const SIGN_MS = ALIVE_MS / 3
const RENEW_EVERY = Math.floor(RUNNING_MS / 2 / SIGN_MS)
/** ended streams that wait for Redis, and sessions to be erased there; older ones are forgotten: they expire */
const MAX_WAITING = 1_000

/** This replica's own log, of which each stream is copied into Redis for readers on other replicas. */
export class CopiedStreamLog implements StreamLog {
  readonly #copies = new Set<StreamCopy>()
  readonly #waiting = new Set<StreamCopy>()
  /** sessions erased while Redis was away */
  readonly #toErase = new Set<string>()
  #isScheduled = false
  #timer: Timer | undefined
  #rounds = 0
  #ends: (() => void)[] = []

  constructor(private readonly options: CopiedStreamLogOptions) {}

  /** Begins the signs of life; `close` ends them. */
  start(): void {
    const { link, messages } = this.options
    this.#ends = [
      link.onUp(() => this.#onUp()),
      messages.listen((message) => {
        if (message.kind === 'erase') this.#erasedElsewhere(message.sessionId)
      }),
    ]
    this.#round()
  }

  /** What waits is still copied, within a second; nothing more after that. */
  async close(): Promise<void> {
    this.#timer?.cancel()
    for (const end of this.#ends.splice(0)) end()
    const flushed = Promise.all([...this.#copies].map((copy) => copy.flushed()))
    await bounded(flushed, CLOSE_MS, this.options.clock)
    for (const copy of this.#copies) copy.stop()
  }

  open(stream: { streamId: string; sessionId: string; owner: StreamOwner }): StreamWriter {
    const { own, link, keys, replica, tokenOf } = this.options
    const copy = new StreamCopy(own.open(stream), {
      link,
      keys,
      replica,
      token: tokenOf(stream.streamId),
      onWaiting: (one) => this.#schedule(one),
      onDone: (one) => {
        this.#copies.delete(one)
        this.#waiting.delete(one)
      },
    })
    this.#copies.add(copy)
    this.#schedule(copy)
    return copy
  }

  find(streamId: string): KeptStream | undefined {
    return this.options.own.find(streamId)
  }

  erase(sessionId: string): void {
    this.#erased(sessionId)
    this.#eraseCopies(sessionId)
  }

  /** @returns the streams of which copies were being written */
  #erased(sessionId: string): string[] {
    this.options.own.erase(sessionId)
    const stopped = [...this.#copies].filter(({ kept }) => kept.sessionId === sessionId)
    for (const copy of stopped) copy.stop()
    return stopped.map(({ kept }) => kept.streamId)
  }

  /** What was written here between the deletion there and its message would stay. */
  #erasedElsewhere(sessionId: string): void {
    const stopped = this.#erased(sessionId)
    this.#orLater(sessionId, Promise.all(stopped.map((streamId) => this.#deleteCopy(streamId))))
  }

  #eraseCopies(sessionId: string): void {
    this.options.messages.tell({ kind: 'erase', sessionId })
    this.#orLater(sessionId, this.#deleteCopies(sessionId))
  }

  #orLater(sessionId: string, deletion: Promise<unknown>): void {
    deletion.catch(() => {
      this.#toErase.add(sessionId)
      const [oldest] = this.#toErase
      if (this.#toErase.size > MAX_WAITING && oldest !== undefined) this.#toErase.delete(oldest)
    })
  }

  async #deleteCopies(sessionId: string): Promise<void> {
    const { link, keys } = this.options
    const ofSession = keys.ofSession(sessionId)
    const streams = await link.call(ofSession, 'SMEMBERS', ofSession)
    const deleted = (Array.isArray(streams) ? streams : []).map((streamId) =>
      this.#deleteCopy(String(streamId)),
    )
    await Promise.all([...deleted, link.call(ofSession, 'DEL', ofSession)])
  }

  #deleteCopy(streamId: string): Promise<RedisReply> {
    const { link, keys } = this.options
    const about = keys.about(streamId)
    // Both have one hash tag.
    return link.call(about, 'DEL', about, keys.events(streamId))
  }

  #onUp(): void {
    for (const sessionId of [...this.#toErase]) {
      this.#toErase.delete(sessionId)
      this.#eraseCopies(sessionId)
    }
    this.#sign()
    for (const copy of this.#copies) copy.flush()
  }

  /** Once in a round of the event loop, after the responses: their writes come first. */
  #schedule(copy: StreamCopy): void {
    this.#waiting.add(copy)
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      const waiting = [...this.#waiting]
      this.#waiting.clear()
      for (const one of waiting) one.flush()
    })
  }

  #round(): void {
    this.#timer = this.options.clock.schedule(SIGN_MS, () => this.#round())
    this.#sign()
    this.#rounds += 1
    const isRenewed = this.#rounds % RENEW_EVERY === 0
    const ended = [...this.#copies].filter((copy) => copy.kept.isOver)
    for (const copy of ended.slice(0, Math.max(0, ended.length - MAX_WAITING))) copy.stop()
    for (const copy of this.#copies) {
      copy.flush()
      if (isRenewed) copy.renew()
    }
  }

  #sign(): void {
    const { link, keys, replica } = this.options
    const alive = keys.alive(replica)
    if (link.isUp) link.call(alive, 'SET', alive, '1', 'PX', String(ALIVE_MS)).catch(() => undefined)
  }
}
