import type { IncomingMessage } from 'node:http'
import type { Clock } from '../core/clock.js'
import { TransportError } from './transport-error.js'

/** Long enough for a `[DONE]` and the last chunk to arrive, so that the connection can be used again. */
const REST_MS = 250
const REST_BYTES = 65_536

type Waiter = { resolve(chunk: Buffer | undefined): void; reject(error: TransportError): void }

/**
 * A response whose body is pulled: nothing is read from the socket (beyond the stream's small buffer) unless someone
 * waits for it, so a slow reader slows the upstream. Reads the native response, since each layer costs CPU an event.
 */
export class UpstreamResponse {
  readonly status: number
  readonly contentType: string
  readonly contentEncoding: string
  /** where a redirect points, as the server wrote it */
  readonly location: string | undefined
  readonly retryAfter: string | undefined
  #waiter: Waiter | undefined
  #fault: TransportError | undefined
  #ended = false
  #readingRest = false

  constructor(
    private readonly response: IncomingMessage,
    private readonly clock: Clock,
    /** Closes the connection, or gives it back where the response has ended. */
    private readonly close: () => void,
  ) {
    this.status = response.statusCode ?? 0
    this.contentType = response.headers['content-type'] ?? ''
    this.contentEncoding = response.headers['content-encoding'] ?? ''
    this.location = response.headers.location
    this.retryAfter = response.headers['retry-after']
    response.on('readable', this.#onReadable)
    response.once('end', this.#onEnd)
    response.on('error', this.#onBroken)
    response.once('close', this.#onBroken)
  }

  /** A header by its name in lower case; several of one name are joined by a comma. */
  header(name: string): string | undefined {
    const value = this.response.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }

  /** All that has arrived; waits where nothing has; undefined at the end. One read at a time. */
  read(): Promise<Buffer | undefined> {
    const chunk = this.#chunk()
    if (chunk !== null) return Promise.resolve(chunk)
    if (this.#ended) return Promise.resolve(undefined)
    if (this.#fault !== undefined) return Promise.reject(this.#fault)
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
    })
  }

  /** The answer is complete: what little may follow is read away, so that the connection lives on. */
  release(): void {
    if (this.#ended || this.#fault !== undefined || this.#readingRest) {
      this.close()
      return
    }
    this.#readingRest = true
    let left = REST_BYTES
    const timer = this.clock.schedule(REST_MS, this.close)
    const readRest = (): void => {
      for (let chunk = this.#chunk(); chunk !== null; chunk = this.#chunk()) left -= chunk.length
      if (left < 0) this.close()
    }
    this.response.on('readable', readRest)
    this.response.once('close', () => timer.cancel())
    this.response.once('end', () => {
      timer.cancel()
      this.close()
    })
    readRest()
  }

  /** Ends it at once; a waiting read rejects. */
  destroy(): void {
    this.#fail('aborted')
    this.close()
  }

  #chunk(): Buffer | null {
    const chunk: unknown = this.response.read()
    return Buffer.isBuffer(chunk) ? chunk : null
  }

  readonly #onReadable = (): void => {
    const waiter = this.#waiter
    if (waiter === undefined) return
    const chunk = this.#chunk()
    if (chunk === null) return
    this.#waiter = undefined
    waiter.resolve(chunk)
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    const waiter = this.#waiter
    this.#waiter = undefined
    waiter?.resolve(undefined)
  }

  readonly #onBroken = (): void => {
    if (!this.#ended) this.#fail('broken')
  }

  #fail(fault: 'aborted' | 'broken'): void {
    this.#fault ??= new TransportError(fault, true)
    const waiter = this.#waiter
    this.#waiter = undefined
    waiter?.reject(this.#fault)
  }
}
