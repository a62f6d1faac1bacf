import type { Clock } from '../../core/clock.js'
import type { KeptStream, StreamLog, StreamOwner, StreamPiece, StreamWriter } from './stream-log.js'

/** bytes kept of one stream */
const MAX_STREAM_BYTES = 1_048_576
/** ms for which a stream can be read again after its end; its token is good for as long */
const RETAIN_MS = 300_000
/** ended streams remembered, also those of which no event is left */
const MAX_ENDED = 10_000
/** bytes of a stream's first chunk; each further one is twice as large, up to the last of these */
const FIRST_CHUNK_BYTES = 256
const MAX_CHUNK_BYTES = 16_384

export interface MemoryStreamLogOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  /** bytes of all streams together */
  readonly maxBytes: number
  /** bytes of one stream; default 1 MiB */
  readonly maxStreamBytes?: number
}

/** The streams of this process. Owns no timer: what is too old goes when the next stream begins or is looked for. */
export class MemoryStreamLog implements StreamLog {
  readonly #running = new Map<string, MemoryStream>()
  /** in the order of their ends */
  readonly #ended = new Map<string, MemoryStream>()
  /** ended, and no event is left */
  readonly #emptied = new Map<string, MemoryStream>()
  readonly #bySession = new Map<string, Set<MemoryStream>>()
  readonly #options: MemoryStreamLogOptions
  #bytes = 0

  constructor(options: MemoryStreamLogOptions) {
    this.#options = options
  }

  /** bytes kept now */
  get bytes(): number {
    return this.#bytes
  }

  open(stream: { streamId: string; sessionId: string; owner: StreamOwner }): StreamWriter {
    this.#forgetOld()
    const kept = new MemoryStream(stream, this.#options.maxStreamBytes ?? MAX_STREAM_BYTES, this.#home)
    this.#running.set(kept.streamId, kept)
    const others = this.#bySession.get(kept.sessionId)
    if (others === undefined) this.#bySession.set(kept.sessionId, new Set([kept]))
    else others.add(kept)
    return kept
  }

  readonly #home: Home = {
    grew: (bytes) => {
      this.#bytes += bytes
      if (this.#bytes > this.#options.maxBytes) this.#makeRoom()
    },
    ended: (kept) => this.#end(kept, this.#ended),
    givenUp: (kept) => {
      this.#empty(kept)
      kept.break()
      this.#end(kept, this.#emptied)
    },
  }

  #end(kept: MemoryStream, into: Map<string, MemoryStream>): void {
    if (kept.isOver) return
    kept.endAt(this.#options.clock.monotonic())
    this.#running.delete(kept.streamId)
    this.#replace(kept.streamId)
    into.set(kept.streamId, kept)
    this.#forgetOld()
  }

  find(streamId: string): KeptStream | undefined {
    this.#forgetOld()
    return this.#running.get(streamId) ?? this.#ended.get(streamId) ?? this.#emptied.get(streamId)
  }

  erase(sessionId: string): void {
    for (const kept of this.#bySession.get(sessionId) ?? []) {
      this.#empty(kept)
      if (!kept.isOver) continue
      this.#ended.delete(kept.streamId)
      this.#emptied.delete(kept.streamId)
      this.#forget(kept)
    }
  }

  /** A turn that is told again from the history has the id of its first stream. Who reads that one reads on. */
  #replace(streamId: string): void {
    for (const streams of [this.#ended, this.#emptied]) {
      const former = streams.get(streamId)
      if (former === undefined) continue
      this.#bytes -= former.bytes
      streams.delete(streamId)
      this.#forget(former)
    }
  }

  /** It is in no list any more. */
  #forget(kept: MemoryStream): void {
    const others = this.#bySession.get(kept.sessionId)
    others?.delete(kept)
    if (others?.size === 0) this.#bySession.delete(kept.sessionId)
  }

  #empty(kept: MemoryStream): void {
    this.#bytes -= kept.bytes
    kept.empty()
  }

  /** Ended streams first, the one that ended first before the others; then the oldest of the running ones. */
  #makeRoom(): void {
    const { maxBytes } = this.#options
    for (const [streamId, kept] of this.#ended) {
      if (this.#bytes <= maxBytes) return
      this.#empty(kept)
      this.#ended.delete(streamId)
      this.#emptied.set(streamId, kept)
    }
    let left = this.#running.size
    for (const [streamId, kept] of this.#running) {
      if (this.#bytes <= maxBytes || left === 0) return
      left -= 1
      this.#empty(kept)
      // Behind the others: the next to make room is another one.
      this.#running.delete(streamId)
      this.#running.set(streamId, kept)
    }
  }

  #forgetOld(): void {
    const before = this.#options.clock.monotonic() - RETAIN_MS
    for (const streams of [this.#ended, this.#emptied])
      for (const [streamId, kept] of streams) {
        if (streams.size <= MAX_ENDED && kept.endedAt > before) break
        this.#empty(kept)
        streams.delete(streamId)
        this.#forget(kept)
      }
  }
}

/** What a stream tells the log that keeps it. */
interface Home {
  /** so many bytes more, or fewer, are kept of it */
  grew(bytes: number): void
  ended(kept: MemoryStream): void
  givenUp(kept: MemoryStream): void
}

/** One stream and its own writer: with many streams each object that an event needs is cold memory. */
class MemoryStream implements KeptStream, StreamWriter {
  readonly streamId: string
  readonly sessionId: string
  readonly owner: StreamOwner
  #chunks: Chunk[] = []
  /** the last of them, that takes what comes */
  #open: Chunk | undefined
  /** everything after this id is kept */
  #keptAfter = 0
  #lastId = 0
  #bytes = 0
  /** of them those that the log knows of */
  #told = 0
  #endedAt: number | undefined

  constructor(
    { streamId, sessionId, owner }: { streamId: string; sessionId: string; owner: StreamOwner },
    private readonly maxBytes: number,
    private readonly home: Home,
  ) {
    this.streamId = streamId
    this.sessionId = sessionId
    this.owner = { orgId: owner.orgId, userId: owner.userId }
  }

  get kept(): KeptStream {
    return this
  }

  get lastId(): number {
    return this.#lastId
  }

  get bytes(): number {
    return this.#bytes
  }

  get isOver(): boolean {
    return this.#endedAt !== undefined
  }

  /** monotonic ms */
  get endedAt(): number {
    return this.#endedAt ?? Number.POSITIVE_INFINITY
  }

  endAt(now: number): void {
    this.#endedAt = now
  }

  append(text: string, lastId: number): void {
    const open = this.#open
    // No UTF-16 unit needs more than three bytes of UTF-8.
    const hasRoom = open !== undefined && open.buffer.length - open.used >= 3 * text.length
    const chunk = hasRoom ? open : this.#roomFor(text, open)
    chunk.used += chunk.buffer.write(text, chunk.used)
    chunk.lastId = lastId
    this.#lastId = lastId
    if (!hasRoom) this.#grew()
  }

  end(): void {
    this.home.ended(this)
  }

  giveUp(): void {
    this.home.givenUp(this)
  }

  #grew(): void {
    while (this.#bytes > this.maxBytes) this.#giveUpFirst()
    const more = this.#bytes - this.#told
    this.#told = this.#bytes
    if (more !== 0) this.home.grew(more)
  }

  #roomFor(text: string, chunk: Chunk | undefined): Chunk {
    const needed = Buffer.byteLength(text)
    if (chunk !== undefined && chunk.buffer.length - chunk.used >= needed) return chunk
    const usual = chunk === undefined ? FIRST_CHUNK_BYTES : Math.min(2 * chunk.buffer.length, MAX_CHUNK_BYTES)
    // Outside of the heap: events that live for minutes would cost the collector more than their copy.
    const buffer = Buffer.allocUnsafeSlow(Math.max(usual, needed))
    const next = { buffer, used: 0, before: this.#lastId, lastId: this.#lastId }
    this.#chunks.push(next)
    this.#open = next
    this.#bytes += buffer.length
    return next
  }

  empty(): void {
    this.#chunks = []
    this.#open = undefined
    this.#bytes = 0
    this.#told = 0
    this.#keptAfter = this.#lastId
  }

  /** There is no terminal event, so nobody can read it to its end. */
  break(): void {
    this.#keptAfter = Number.POSITIVE_INFINITY
  }

  after(id: number): StreamPiece | 'given_up' | undefined {
    if (id < this.#keptAfter) return 'given_up'
    const chunk = this.#chunks.find(({ lastId }) => lastId > id)
    if (chunk === undefined) return undefined
    const { buffer, used, before, lastId } = chunk
    return { text: buffer.toString('utf8', endOfEvents(buffer, id - before), used), lastId }
  }

  #giveUpFirst(): void {
    const chunk = this.#chunks.shift()
    if (chunk === undefined) return
    if (chunk === this.#open) this.#open = undefined
    this.#bytes -= chunk.buffer.length
    this.#keptAfter = chunk.lastId
  }
}

/** Whole events, one behind the other. */
interface Chunk {
  readonly buffer: Buffer
  used: number
  /** id before its first event */
  readonly before: number
  lastId: number
}

/** Where so many events end: an event ends in an empty line, and has none within. */
function endOfEvents(buffer: Buffer, count: number): number {
  let at = 0
  for (let n = 0; n < count; n += 1) at = buffer.indexOf('\n\n', at) + 2
  return at
}
