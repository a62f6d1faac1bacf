import type { Clock } from '../../core/clock.js'
import type { KeptStream, StreamLog, StreamOwner, StreamPiece, StreamWriter } from './stream-log.js'

/** bytes kept of one stream, as they were sent */
const MAX_STREAM_BYTES = 1_048_576
/** ms for which a stream can be read again after its end; its token is good for as long */
const RETAIN_MS = 300_000
/** ended streams remembered, also those of which no event is left */
const MAX_ENDED = 10_000
/** pieces given up at the front before the list is shortened */
const COMPACT_AT = 1_024

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
    const kept = new MemoryStream(stream)
    this.#running.set(kept.streamId, kept)
    const others = this.#bySession.get(kept.sessionId)
    if (others === undefined) this.#bySession.set(kept.sessionId, new Set([kept]))
    else others.add(kept)
    const maxStreamBytes = this.#options.maxStreamBytes ?? MAX_STREAM_BYTES
    const end = (into: Map<string, MemoryStream>): void => {
      if (kept.isOver) return
      kept.endAt(this.#options.clock.monotonic())
      this.#running.delete(kept.streamId)
      into.set(kept.streamId, kept)
      this.#forgetOld()
    }
    return {
      kept,
      append: (text, lastId) => {
        const before = kept.bytes
        kept.append(text, lastId, maxStreamBytes)
        this.#bytes += kept.bytes - before
        if (this.#bytes > this.#options.maxBytes) this.#makeRoom()
      },
      end: () => end(this.#ended),
      giveUp: () => {
        this.#empty(kept)
        kept.break()
        end(this.#emptied)
      },
    }
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

class MemoryStream implements KeptStream {
  readonly streamId: string
  readonly sessionId: string
  readonly owner: StreamOwner
  #pieces: StreamPiece[] = []
  /** those before it are given up */
  #first = 0
  /** everything after this id is kept */
  #keptAfter = 0
  #lastId = 0
  #bytes = 0
  #endedAt: number | undefined

  constructor({ streamId, sessionId, owner }: { streamId: string; sessionId: string; owner: StreamOwner }) {
    this.streamId = streamId
    this.sessionId = sessionId
    this.owner = { orgId: owner.orgId, userId: owner.userId }
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

  append(text: string, lastId: number, maxBytes: number): void {
    this.#pieces.push({ text, lastId })
    this.#lastId = lastId
    this.#bytes += Buffer.byteLength(text)
    while (this.#bytes > maxBytes) this.#giveUpFirst()
  }

  empty(): void {
    this.#pieces = []
    this.#first = 0
    this.#bytes = 0
    this.#keptAfter = this.#lastId
  }

  /** There is no terminal event, so nobody can read it to its end. */
  break(): void {
    this.#keptAfter = Number.POSITIVE_INFINITY
  }

  after(id: number): StreamPiece | 'given_up' | undefined {
    if (id < this.#keptAfter) return 'given_up'
    const at = this.#firstAfter(id)
    const piece = this.#pieces[at]
    if (piece === undefined) return undefined
    const before = at === this.#first ? this.#keptAfter : (this.#pieces[at - 1]?.lastId ?? 0)
    return id === before ? piece : { text: withoutEvents(piece.text, id - before), lastId: piece.lastId }
  }

  #giveUpFirst(): void {
    const piece = this.#pieces[this.#first]
    if (piece === undefined) return
    this.#bytes -= Buffer.byteLength(piece.text)
    this.#keptAfter = piece.lastId
    this.#first += 1
    if (this.#first < COMPACT_AT) return
    this.#pieces = this.#pieces.slice(this.#first)
    this.#first = 0
  }

  /** By halves: a reader asks from any place. */
  #firstAfter(id: number): number {
    let low = this.#first
    let high = this.#pieces.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#pieces[middle]?.lastId ?? 0) > id) high = middle
      else low = middle + 1
    }
    return low
  }
}

/** An event ends in an empty line, and has none within. */
function withoutEvents(text: string, count: number): string {
  let at = 0
  for (let n = 0; n < count; n += 1) at = text.indexOf('\n\n', at) + 2
  return text.slice(at)
}
