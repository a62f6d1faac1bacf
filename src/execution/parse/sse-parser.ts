import { StringDecoder } from 'node:string_decoder'
import { createParser, type EventSourceParser } from 'eventsource-parser'
import { TransportError } from '../transport-error.js'
import { BareErrors } from './errors-without-data.js'
import { parseObject } from './foreign.js'
import type { MemoryShare } from './memory-share.js'

/** Characters one SSE frame may have; a frame without an end must not eat the memory. */
export const MAX_FRAME = 1_048_576

/** Turns the bytes of a body into its frames. */
export interface FrameParser {
  /** what makes all that follows unreadable; the frames before it are good */
  readonly fault: TransportError | undefined
  /** The frames of one network read; there may be none. */
  take(bytes: Buffer): readonly string[]
  /** The body is over: what is left of it. */
  end(): readonly string[]
  /** Nothing more is read: what was held is given back. */
  close(): void
}

export interface SseParserOptions {
  /** characters one frame may have; default `MAX_FRAME` */
  readonly maxFrame?: number
  /**
   * Errors told by the frame and not by its data (an event named `error`, with or without data, a line `error: …`, a line of
   * bare JSON) come as data `{"error": …}` in their place.
   */
  readonly namedErrors?: boolean
  /** what all parsers together may hold of frames longer than `MAX_FRAME` */
  readonly share?: MemoryShare
}

/** The `data` of SSE events. Takes LF, CRLF, comments, a BOM, and UTF-8 split anywhere. */
export class SseParser implements FrameParser {
  fault: TransportError | undefined
  readonly #text = new Utf8Text()
  readonly #options: SseParserOptions
  /** made for the first read that is no lone frame: many streams have none */
  #parser: EventSourceParser | undefined
  readonly #bareErrors: BareErrors | undefined
  #events: string[] = []
  #started = false
  /** the last read ended a frame, so that the parser holds nothing */
  #isClean = true
  /** characters since the last frame was whole */
  #unfinished = 0
  /** of them those taken from the share */
  #shared = 0
  readonly #share: MemoryShare | undefined

  constructor(options: SseParserOptions = {}) {
    this.#options = options
    this.#share = options.share
    this.#bareErrors = options.namedErrors === true ? new BareErrors() : undefined
  }

  take(bytes: Buffer): readonly string[] {
    if (this.fault !== undefined) return []
    const text = this.#text.take(bytes)
    const alone = this.#isClean ? loneData(text) : undefined
    if (alone !== undefined) {
      this.#started = true
      return [alone]
    }
    this.#events = []
    this.#feed(text)
    if (this.#share !== undefined) this.#weigh(bytes.length, this.#share)
    this.#isClean = text.endsWith('\n\n') || text.endsWith('\r\n\r\n')
    return this.#events
  }

  // A last event may lack its empty line, and one that ends in CRs waits for what never comes.
  end(): readonly string[] {
    if (this.fault !== undefined) return []
    this.#events = []
    this.#feed(`${this.#text.end()}\n\n`)
    return this.#events
  }

  close(): void {
    this.#share?.give(this.#shared)
    this.#shared = 0
  }

  // Bytes stand for characters: they are never fewer.
  #weigh(bytes: number, share: MemoryShare): void {
    if (this.#events.length > 0) {
      this.#unfinished = 0
      if (this.#shared > 0) this.close()
      return
    }
    this.#unfinished += bytes
    if (this.#unfinished <= MAX_FRAME) return
    if (share.take(bytes)) this.#shared += bytes
    else this.#tooLarge()
  }

  #tooLarge(): void {
    this.fault = new TransportError('frame_too_large', true)
  }

  #feed(text: string): void {
    if (text === '') return
    const parser = this.#parser ?? this.#createParser()
    this.#parser = parser
    const first = !this.#started && text.charCodeAt(0) === 0xfeff
    this.#started = true
    const plain = first ? text.slice(1) : text
    parser.feed(this.#bareErrors === undefined ? plain : this.#bareErrors.take(plain))
  }

  #createParser(): EventSourceParser {
    const { maxFrame = MAX_FRAME, namedErrors = false } = this.#options
    const parser = createParser({
      maxBufferSize: maxFrame,
      onEvent: (event) => {
        const named = namedErrors && event.event === 'error'
        this.#events.push(named ? errorData(event.data.trim()) : event.data)
      },
      onError: (error) => {
        if (error.type === 'max-buffer-size-exceeded') this.#tooLarge()
        else if (!namedErrors || error.type !== 'unknown-field') return
        else if (error.field === 'error') this.#events.push(errorData(error.value ?? ''))
        else if (isErrorLine(error.line)) this.#events.push(error.line)
      },
    })
    // It looks for a BOM in what it is fed first.
    if (this.#started) parser.feed('')
    return parser
  }
}

/** Bytes as text, where a character may be split between two reads; its decoder is made when one is. */
class Utf8Text {
  #decoder: StringDecoder | undefined

  take(bytes: Buffer): string {
    // Most reads end in a line's end, and none before left anything behind.
    if (this.#decoder === undefined && (bytes[bytes.length - 1] ?? 0) < 0x80) return bytes.toString('utf8')
    this.#decoder ??= new StringDecoder('utf8')
    return this.#decoder.write(bytes)
  }

  end(): string {
    return this.#decoder?.end() ?? ''
  }
}

/**
 * The data of a read that is one frame of one line and nothing else, as nearly all are; undefined for any other, which the parser
 * reads. Both read it alike.
 */
function loneData(text: string): string | undefined {
  if (!text.startsWith('data: ')) return undefined
  const lineEnd = text.indexOf('\n')
  const cr = text.indexOf('\r')
  if (cr < 0) return lineEnd === text.length - 2 && text.endsWith('\n\n') ? text.slice(6, lineEnd) : undefined
  return cr === text.length - 4 && text.endsWith('\r\n\r\n') && lineEnd > cr ? text.slice(6, cr) : undefined
}

/** An error whatever its data: as it is where that has an `error`, as the value of one where not. */
function errorData(data: string): string {
  const told = parseObject(data)
  if (told === undefined) return JSON.stringify({ error: data === '' ? 'error' : data })
  if (told.error) return data
  return Object.keys(told).length === 0 ? '{"error":"error"}' : `{"error":${data}}`
}

function isErrorLine(line: string | undefined): line is string {
  return line?.startsWith('{') === true && Boolean(parseObject(line)?.error)
}
