import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../core/clock.js'
import { TransportError } from '../transport-error.js'
import type { ByteSink, ByteSource } from './byte-source.js'

/** Long enough for a `[DONE]` and the last chunk to arrive, so that the connection can be used again. */
const REST_MS = 250
const REST_BYTES = 65_536

/** ms within which two HTTP chunks are taken for parts of one network read */
const SAME_READ_MS = 0.2
/** Reads of one chunk in a row, after which the next is not waited for */
const LONE_READS = 4

/**
 * A response whose body is pushed: each network read goes to the sink at once, in one call; the HTTP chunks in it are joined.
 * Reads the native response, since each layer costs CPU an event; nothing is read before `listen`.
 */
export class UpstreamResponse implements ByteSource {
  readonly status: number
  readonly contentType: string
  readonly contentEncoding: string
  /** where a redirect points, as the server wrote it */
  readonly location: string | undefined
  readonly retryAfter: string | undefined
  #sink: ByteSink | undefined
  #fault: TransportError | undefined
  #ended = false
  #isPaused = false
  /** what came in this round of the event loop, or while the sink held */
  #chunk: Buffer | undefined
  #more: Buffer[] = []
  /** chunks wait for the end of their read */
  #joins = true
  #loneReads = 0
  /** ms; when a chunk last went on at once */
  #lastAt = Number.NEGATIVE_INFINITY
  #readingRest = false

  constructor(
    private readonly response: IncomingMessage,
    private readonly clock: Clock,
    /** Closes the connection, or gives it back where the response has ended. */
    private readonly shut: () => void,
  ) {
    this.status = response.statusCode ?? 0
    this.contentType = response.headers['content-type'] ?? ''
    this.contentEncoding = response.headers['content-encoding'] ?? ''
    this.location = response.headers.location
    this.retryAfter = response.headers['retry-after']
    response.once('end', this.#onEnd)
    response.on('error', this.#onBroken)
    response.once('close', this.#onBroken)
  }

  /** A header by its name in lower case; several of one name are joined by a comma. */
  header(name: string): string | undefined {
    const value = this.response.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }

  listen(sink: ByteSink): void {
    this.#sink = sink
    if (this.#ended || this.#fault !== undefined) this.#tell()
    else {
      this.response.on('data', this.#onData)
      this.response.resume()
    }
  }

  pause(): void {
    this.#isPaused = true
    this.response.pause()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#deliver()
    if (!this.#isPaused && !this.#ended && this.#fault === undefined) this.response.resume()
  }

  close(): void {
    this.#sink = undefined
  }

  /** The answer is complete: what little may follow is read away, so that the connection lives on. */
  release(): void {
    this.#sink = undefined
    this.#isPaused = false
    if (this.#ended || this.#fault !== undefined || this.#readingRest) {
      this.shut()
      return
    }
    this.#readingRest = true
    let left = REST_BYTES
    const timer = this.clock.schedule(REST_MS, this.shut)
    this.response.off('data', this.#onData)
    this.response.on('data', (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0) this.shut()
    })
    this.response.once('close', () => timer.cancel())
    this.response.once('end', () => {
      timer.cancel()
      this.shut()
    })
    this.response.resume()
  }

  /** Ends it at once: what waits is dropped, for a sink that pauses on it would not hear of the end; the sink is told. */
  destroy(): void {
    this.#isPaused = false
    this.#take()
    // An end that waits for `resume` was told to nobody.
    if (!this.#ended || this.#sink !== undefined) this.#fail('aborted')
    this.shut()
  }

  /**
   * Where each read brings one chunk alone, it goes on at once; where chunks come close together, they wait for the end of their
   * read. Either way all come, and in order: only how they are joined differs.
   */
  readonly #onData = (chunk: Buffer): void => {
    if (this.#chunk !== undefined) {
      this.#more.push(chunk)
      return
    }
    if (!this.#isPaused && !this.#joins) {
      const now = this.clock.monotonic()
      this.#joins = now - this.#lastAt < SAME_READ_MS
      this.#lastAt = now
      if (!this.#joins) {
        this.#sink?.data(chunk)
        return
      }
    }
    this.#chunk = chunk
    queueMicrotask(this.#onReadOver)
  }

  readonly #onReadOver = (): void => {
    this.#loneReads = this.#more.length > 0 ? 0 : this.#loneReads + 1
    if (this.#loneReads >= LONE_READS) {
      this.#loneReads = 0
      this.#joins = false
    }
    this.#deliver()
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    this.#deliver()
  }

  readonly #onBroken = (): void => {
    if (!this.#ended) this.#fail('broken')
  }

  #fail(fault: 'aborted' | 'broken'): void {
    this.#fault ??= new TransportError(fault, true)
    this.#deliver()
  }

  /** What has come, and the end behind it; a sink that holds takes neither. */
  readonly #deliver = (): void => {
    if (this.#isPaused) return
    const chunk = this.#take()
    if (chunk !== undefined) this.#sink?.data(chunk)
    if (!this.#isPaused && (this.#ended || this.#fault !== undefined)) this.#tell()
  }

  #take(): Buffer | undefined {
    const chunk = this.#chunk
    this.#chunk = undefined
    if (chunk === undefined || this.#more.length === 0) return chunk
    const all = Buffer.concat([chunk, ...this.#more])
    this.#more = []
    return all
  }

  #tell(): void {
    const sink = this.#sink
    this.#sink = undefined
    sink?.end(this.#fault)
  }
}
