import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../core/clock.js'
import { TransportError } from '../transport-error.js'
import type { ByteSink, ByteSource } from './byte-source.js'

/** Long enough for a `[DONE]` and the last chunk to arrive, so that the connection can be used again. */
const REST_MS = 250
const REST_BYTES = 65_536

/**
 * A response whose body is pushed: each network read goes to the sink at once, in one call. Reads the native response,
 * since each layer costs CPU an event; nothing is read before `listen`.
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
    // got's own, for a reader of its stream that there is none of here: with it the response would not flow.
    response.removeAllListeners('readable')
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
    if (this.#ended) sink.end()
    else if (this.#fault !== undefined) sink.end(this.#fault)
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
    if (this.#ended || this.#fault !== undefined) this.#tell()
    else this.response.resume()
  }

  close(): void {
    this.#sink = undefined
  }

  /** The answer is complete: what little may follow is read away, so that the connection lives on. */
  release(): void {
    this.#sink = undefined
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

  /** Ends it at once; the sink is told. */
  destroy(): void {
    this.#isPaused = false
    // An end that waits for `resume` was told to nobody.
    if (!this.#ended || this.#sink !== undefined) this.#fail('aborted')
    this.shut()
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#sink?.data(chunk)
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    // It comes although the last read made the sink pause.
    if (!this.#isPaused) this.#tell()
  }

  readonly #onBroken = (): void => {
    if (!this.#ended) this.#fail('broken')
  }

  #fail(fault: 'aborted' | 'broken'): void {
    this.#fault ??= new TransportError(fault, true)
    // Whoever holds takes no end either.
    if (!this.#isPaused) this.#tell()
  }

  #tell(): void {
    const sink = this.#sink
    this.#sink = undefined
    sink?.end(this.#fault)
  }
}
