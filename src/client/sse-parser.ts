/** One event of a stream, as it was sent. */
export interface ServerEvent {
  /** `message` where the stream names none */
  readonly event: string
  readonly data: string
  /** the newest id of the stream so far; empty where it has none */
  readonly id: string
}

/** characters of one event that wait for its end; the service sends none over some MiB */
export const MAX_EVENT = 16_777_216

const LINE_END = /\r\n|\n|\r/

/**
 * Server-sent events as the HTML standard has them: lines end in CRLF, LF or CR, also across pieces; comments and unknown
 * fields are skipped; an event without an end is none. The text has no byte order mark: `TextDecoder` takes it away.
 */
export class SseParser {
  /** ms that the stream asks to wait before a reconnection */
  retryMs: number | undefined
  #rest = ''
  #skipLineFeed = false
  #event = ''
  #data: string[] = []
  #size = 0
  #id = ''

  /** @param maxEvent characters of one event that wait for its end */
  constructor(private readonly maxEvent = MAX_EVENT) {}

  /** The events that this piece ends. @throws Error for an event over `maxEvent` */
  push(piece: string): ServerEvent[] {
    const text = this.#skipLineFeed && piece.startsWith('\n') ? piece.slice(1) : piece
    if (piece !== '') this.#skipLineFeed = piece.endsWith('\r')
    const lines = text.split(LINE_END)
    lines[0] = this.#rest + lines[0]
    this.#rest = lines.pop() ?? ''
    if (this.#size + this.#rest.length > this.maxEvent) throw new Error('an event is too large')
    return lines.flatMap((line) => this.#take(line) ?? [])
  }

  #take(line: string): ServerEvent | undefined {
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1))
    if (field === 'data') {
      this.#data.push(value)
      // With its line: empty ones take room too.
      this.#size += value.length + 1
    } else if (field === 'event') this.#event = value
    else if (field === 'id' && !value.includes('\0')) this.#id = value
    else if (field === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value)
    return undefined
  }

  #dispatch(): ServerEvent | undefined {
    const [event, data] = [this.#event || 'message', this.#data]
    this.#event = ''
    this.#data = []
    this.#size = 0
    return data.length === 0 ? undefined : { event, data: data.join('\n'), id: this.#id }
  }
}
