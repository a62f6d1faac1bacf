import { type RedisLink, RedisRefused, type RedisReply } from '../../core/redis/redis-link.js'
import type { StreamWriter } from '../stream/stream-log.js'
import { RETAIN_MS, RUNNING_MS, type StreamKeys } from './stream-keys.js'

/** Redis gives up the oldest pieces of one stream beyond so many, or beyond so many characters */
const MAX_PIECES = 8_192
const MAX_CHARACTERS = 1_048_576
/** characters between two places at which a copy may be cut */
const CUT_CHARACTERS = 65_536
/** characters that wait for Redis; what is more is read again from what this replica keeps */
const MAX_WAITING = 65_536

export interface StreamCopyOptions {
  readonly link: RedisLink
  readonly keys: StreamKeys
  /** of this process, unique among all */
  readonly replica: string
  readonly token: string
  /** Something waits: `flush` is to be called soon, in a later round of the event loop. */
  onWaiting(copy: StreamCopy): void
  /** Nothing of it is left to be copied. */
  onDone(copy: StreamCopy): void
}

interface Piece {
  readonly text: string
  /** id before its first event, and of its last one */
  readonly before: number
  readonly lastId: number
  readonly end?: 'ended' | 'given_up'
}

/**
 * Copies one stream of this replica into Redis. The turn never waits for it: what is not there yet waits here, bounded, or is read
 * again from the replica's own log. One write at a time; what comes meanwhile goes out as one piece.
 */
export class StreamCopy implements StreamWriter {
  #waiting = ''
  /** id before the first event that waits */
  #waitsFrom = 0
  #sentId = 0
  #end: 'ended' | 'given_up' | undefined
  #isAnnounced = false
  #sending: Promise<void> | undefined
  #isDone = false
  #characters = 0
  /** where the copy may be cut: a piece's id, and the characters up to its end */
  #cuts: { readonly id: number; readonly upTo: number }[] = []

  constructor(
    private readonly own: StreamWriter,
    private readonly options: StreamCopyOptions,
  ) {}

  get kept() {
    return this.own.kept
  }

  append(text: string, lastId: number): void {
    const before = this.own.kept.lastId
    this.own.append(text, lastId)
    if (this.#isDone) return
    if (this.#waiting === '') this.#waitsFrom = before
    if (this.#waiting.length + text.length <= MAX_WAITING || this.#waiting === '') this.#waiting += text
    else this.#dropWaiting()
    this.options.onWaiting(this)
  }

  end(): void {
    this.own.end()
    this.#ended('ended')
  }

  giveUp(): void {
    this.own.giveUp()
    this.#ended('given_up')
  }

  /** Sends what waits, as far as Redis takes it. Never throws, and never waits for an answer. */
  flush(): void {
    if (this.#sending !== undefined || this.#isDone || !this.options.link.isUp) return
    this.#sending = this.#send().finally(() => {
      this.#sending = undefined
    })
  }

  /** Sends what waits, and resolves once Redis took it, or did not. Never rejects. */
  async flushed(): Promise<void> {
    await this.#sending
    this.flush()
    await this.#sending
  }

  /** A stream that goes on without events is kept as well. */
  renew(): void {
    const { streamId, sessionId } = this.kept
    const { link, keys } = this.options
    if (!this.#isAnnounced || this.#isDone || !link.isUp) return
    const renewed = [keys.about(streamId), keys.events(streamId), keys.ofSession(sessionId)].map((key) =>
      link.call(key, 'PEXPIRE', key, String(RUNNING_MS)),
    )
    void Promise.allSettled(renewed)
  }

  /** Nothing more of it is copied; who erases it also deletes what is there. */
  stop(): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#waiting = ''
    this.options.onDone(this)
  }

  #ended(how: 'ended' | 'given_up'): void {
    if (this.#isDone) return
    this.#end ??= how
    this.options.onWaiting(this)
  }

  /** Never rejects: what Redis did not take is sent again later. */
  async #send(): Promise<void> {
    try {
      for (let piece = this.#next(); piece !== undefined; piece = this.#next()) {
        const isThere = await this.#write(piece)
        if (this.#isDone) return
        if (isThere) this.#sent(piece)
        else this.#beginAgain()
      }
    } catch {
      this.#dropWaiting()
    }
  }

  #next(): Piece | undefined {
    if (this.#isDone || !this.options.link.isUp) return undefined
    const { kept } = this.own
    const before = this.#sentId
    if (this.#end === 'given_up') return { text: '', before, lastId: before, end: 'given_up' }
    if (kept.lastId > before) return this.#following(before)
    if (this.#end === 'ended') return { text: '', before, lastId: before, end: 'ended' }
    return this.#isAnnounced ? undefined : { text: '', before, lastId: before }
  }

  #following(before: number): Piece {
    const { kept } = this.own
    let text = this.#waiting
    let lastId = kept.lastId
    if (text === '' || this.#waitsFrom !== before) {
      const found = kept.after(before)
      // Something is missing here as well: nobody can read the copy to its end.
      if (found === 'given_up') return { text: '', before, lastId: before, end: 'given_up' }
      if (found !== undefined) ({ text, lastId } = found)
    }
    if (lastId === kept.lastId) this.#dropWaiting()
    const isLast = this.#end === 'ended' && lastId === kept.lastId
    return { text, before, lastId, ...(isLast ? { end: 'ended' } : {}) }
  }

  #sent({ text, lastId, end }: Piece): void {
    this.#isAnnounced = true
    this.#sentId = lastId
    this.#characters += text.length
    const cut = this.#cuts.at(-1)
    if (this.#characters - (cut?.upTo ?? 0) >= CUT_CHARACTERS)
      this.#cuts.push({ id: lastId, upTo: this.#characters })
    if (end !== undefined) this.stop()
  }

  /** Redis has lost it: all that is kept here is copied once more. */
  #beginAgain(): void {
    this.#isAnnounced = false
    this.#sentId = 0
    this.#characters = 0
    this.#cuts = []
    this.#dropWaiting()
  }

  #dropWaiting(): void {
    this.#waiting = ''
    this.#waitsFrom = Number.NaN
  }

  /** @returns false where Redis has lost the stream */
  async #write({ text, before, lastId, end }: Piece): Promise<boolean> {
    const { link, keys } = this.options
    const { streamId } = this.kept
    const about = keys.about(streamId)
    const events = keys.events(streamId)
    const calls: Promise<RedisReply>[] = []
    if (!this.#isAnnounced) calls.push(...this.#announce())
    let isThere = true
    if (text !== '' || end !== undefined) {
      const isFirst = before === 0
      const id = text === '' ? `${lastId}-1` : `${lastId}-0`
      const fields = ['b', String(before), 't', text, ...(end === undefined ? [] : ['e', end])]
      const mayMake = isFirst ? [] : ['NOMKSTREAM']
      const added = link
        .call(events, 'XADD', events, ...mayMake, ...this.#bound(), id, ...fields)
        .then((reply) => {
          isThere = reply !== null
          return reply
        }, isThereAlready)
      calls.push(added)
      if (isFirst) calls.push(link.call(events, 'PEXPIRE', events, String(RUNNING_MS)))
    }
    if (end !== undefined)
      calls.push(...[about, events].map((key) => link.call(key, 'PEXPIRE', key, String(RETAIN_MS))))
    const news = link.publish(keys.news(streamId), String(lastId))
    await Promise.all([...calls, news])
    return isThere
  }

  #announce(): Promise<RedisReply>[] {
    const { link, keys, replica, token } = this.options
    const { streamId, sessionId, owner } = this.kept
    const about = keys.about(streamId)
    const ofSession = keys.ofSession(sessionId)
    const fields = { sessionId, orgId: owner.orgId, userId: owner.userId, replica, token }
    return [
      link.call(about, 'HSET', about, ...Object.entries(fields).flat()),
      link.call(about, 'PEXPIRE', about, String(RUNNING_MS)),
      link.call(ofSession, 'SADD', ofSession, streamId),
      link.call(ofSession, 'PEXPIRE', ofSession, String(RUNNING_MS)),
    ]
  }

  #bound(): string[] {
    const over = this.#characters - MAX_CHARACTERS
    if (over <= 0) return ['MAXLEN', '~', String(MAX_PIECES)]
    const cut = this.#cuts.find(({ upTo }) => upTo >= over)
    while (this.#cuts[0] !== undefined && this.#cuts[0].upTo < over) this.#cuts.shift()
    return cut === undefined ? ['MAXLEN', '~', String(MAX_PIECES)] : ['MINID', '~', `${cut.id}-0`]
  }
}

/** It was taken before, and the answer was lost. */
function isThereAlready(thrown: unknown): null {
  if (thrown instanceof RedisRefused && thrown.message.includes('equal or smaller')) return null
  throw thrown
}
