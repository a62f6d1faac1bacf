import { StringDecoder } from 'node:string_decoder'
import { createParser, type EventSourceParser } from 'eventsource-parser'
import { TransportError } from './transport-error.js'

/** Characters one SSE frame may have; a frame without an end must not eat the memory. */
export const MAX_FRAME = 1_048_576

export interface ChunkSource {
  /** Undefined at the end; rejects with a `TransportError` when the connection broke. */
  read(): Promise<Buffer | undefined>
}

/** The `data` of SSE events, one array a network read. Takes LF, CRLF, comments, a BOM, and UTF-8 split anywhere. */
export class SseReader {
  readonly #decoder = new StringDecoder('utf8')
  readonly #parser: EventSourceParser
  #events: string[] = []
  #started = false
  #tooLarge = false
  #fault: unknown
  #over = false

  constructor(
    private readonly source: ChunkSource,
    maxFrame = MAX_FRAME,
  ) {
    this.#parser = createParser({
      maxBufferSize: maxFrame,
      onEvent: (event) => {
        this.#events.push(event.data)
      },
      onError: (error) => {
        if (error.type === 'max-buffer-size-exceeded') this.#tooLarge = true
      },
    })
  }

  /** Events of the next network read (there may be none); undefined at the end; faults come after all events. */
  async read(): Promise<readonly string[] | undefined> {
    if (this.#fault !== undefined) throw this.#fault
    if (this.#over) return undefined
    let chunk: Buffer | undefined
    try {
      chunk = await this.source.read()
    } catch (fault) {
      this.#fault = fault
    }
    this.#events = []
    if (chunk === undefined) this.#flush()
    else this.#feed(this.#decoder.write(chunk))
    if (this.#tooLarge) this.#fault = new TransportError('frame_too_large', true)
    return this.#events
  }

  #feed(text: string): void {
    if (text === '') return
    const first = !this.#started && text.charCodeAt(0) === 0xfeff
    this.#started = true
    this.#parser.feed(first ? text.slice(1) : text)
  }

  // A last event may lack its empty line, and one that ends in CRs waits for what never comes.
  #flush(): void {
    this.#over = true
    this.#feed(`${this.#decoder.end()}\n\n`)
  }
}
