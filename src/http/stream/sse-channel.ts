import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Context } from 'koa'
import SseTransform from 'koa-sse-stream/lib/sse.js'
import type { Clock, Timer } from '../../core/clock.js'
import { resetSocket } from '../../core/net/reset-socket.js'
import { createReaderWatch } from './reader-watch.js'

/** Why a stream has no reader any more before its end. */
export type ReaderLost = 'client_gone' | 'client_too_slow'

export interface ChannelTiming {
  readonly clock: Clock
  /** ms between two heartbeats */
  readonly heartbeatMs: number
  /** ms after which a reader that takes nothing is cut off */
  readonly slowReaderMs: number
}

export interface SseChannelOptions extends ChannelTiming {
  /** beside those of every event stream */
  readonly headers: Readonly<Record<string, string>>
  /** what a heartbeat is: an event `heartbeat`, or a comment line for clients that take every event for an answer; default: an event */
  readonly heartbeat?: 'event' | 'comment'
  /** Called at most once, and never after `end` or `cut`. */
  onReaderLost(why: ReaderLost): void
  /** Called when the reader has taken all that waited, and once when the stream is over. */
  onRelief(): void
}

export interface ChannelEvent {
  /** absent: data alone */
  readonly event?: string
  /** from 1; a heartbeat has none */
  readonly id?: number
  /** JSON */
  readonly data: string
}

/** Events on their way to one reader, with a heartbeat and a watch over the reader. */
export interface SseChannel {
  /** false once it ended, was cut, or the reader left */
  readonly open: boolean
  /** the reader is slower than we are; more would wait in memory */
  readonly blocked: boolean
  /** bytes that wait for the reader */
  readonly waiting: number
  /** Adds an event to the piece that `flush` or `end` writes. */
  add(event: ChannelEvent): void
  /** Writes what was added as one piece; false when it now waits for the reader. */
  flush(): boolean
  /** Writes whole events as `eventText` has them, where nothing waits for `flush`; false when they now wait for the reader. */
  write(text: string): boolean
  /** Writes the last event, if any, and nothing ever after. */
  end(last?: ChannelEvent & { readonly event: string }): void
  /** Cuts the connection off. */
  cut(): void
  /** Resolves when everything was handed to the system or the connection is gone. Never rejects. */
  readonly finished: Promise<void>
}

const HEARTBEAT = { event: 'heartbeat', data: 'null' } as const
/** No empty line after it: that would be an empty event to some clients. */
const COMMENT = ': keep-alive\n'

/**
 * Answers `ctx` with an event stream; headers go out at once. The only file that knows koa-sse-stream, of which it
 * takes the stream class alone, to open and end the stream and for heartbeats: the middleware around it owns an interval
 * nobody can stop, a pool that leaks a place when a handler throws, and prints to the console. Bytes wait in one place, the socket, whose `drain` is the
 * back-pressure; so Koa does not respond itself (`ctx.respond = false`).
 */
export function openSseChannel(ctx: Context, options: SseChannelOptions): SseChannel {
  return new ResponseChannel(ctx, options)
}

/** One object for each reader, with plain fields: at many streams each object more costs an event a look into cold memory. */
class ResponseChannel implements SseChannel {
  readonly finished: Promise<void>
  readonly #ctx: Context
  readonly #res: ServerResponse
  #state: 'open' | 'ended' | 'closed' = 'open'
  /** what the next write takes */
  #collected = ''
  readonly #options: SseChannelOptions
  readonly #sse: SseTransform
  readonly #watch: { stop(): void }
  #heartbeat: Timer
  /** takes HTTP chunks that are framed here; undefined where the response has no connection yet, or does not send chunks */
  #socket: Socket | undefined

  constructor(ctx: Context, options: SseChannelOptions) {
    const { res } = ctx
    const { clock } = options
    this.#ctx = ctx
    this.#res = res
    this.#options = options
    // Of a context the class needs this much; `body` it looks at with every event, on a real one by way of two getters.
    const sse = new SseTransform({ req: ctx.req, set: (fields) => setHeaders(res, fields), body: undefined })
    this.#sse = sse
    this.#watch = createReaderWatch(res, options.slowReaderMs, clock, () => this.#close('client_too_slow'))
    this.finished = new Promise<void>((resolve) => {
      const settle = (): void => {
        this.#close('client_gone')
        resolve()
      }
      res.once('finish', settle)
      res.once('close', settle)
      if (res.closed || res.destroyed) queueMicrotask(settle)
    })

    startResponse(ctx, options.headers)
    // A write may meet a connection that broke a moment ago; `close` says so too, and first.
    res.on('error', () => undefined)
    res.on('drain', options.onRelief)
    sse.on('error', () => this.#close('client_gone'))
    sse.setEncoding('utf8')
    // The library opens with a comment and an empty line, which some clients take for an empty event and fail on, posting the
    // turn again and again. So it is dropped, and the headers go out alone.
    sse.read()
    res.flushHeaders()
    // A pipelined request gets the connection once the answer before it has ended; until then the response keeps what is written.
    if (res.socket !== null) this.#writeTo(res.socket)
    sse.on('data', (text: string) => this.#onText(text))
    sse.once('end', () => this.#writeLast())
    this.#heartbeat = clock.schedule(options.heartbeatMs, this.#beat)
  }

  get open(): boolean {
    return this.#state === 'open'
  }

  get blocked(): boolean {
    return this.#res.writableNeedDrain || this.#socket?.writableNeedDrain === true
  }

  get waiting(): number {
    return this.#res.writableLength
  }

  add(event: ChannelEvent): void {
    this.#collected += eventText(event)
  }

  flush(): boolean {
    const text = this.#collected
    this.#collected = ''
    return text === '' || this.write(text)
  }

  /**
   * One HTTP chunk, framed here and handed to the system at once in one piece. The response would give the socket its parts one by one and
   * hold them until the next tick.
   */
  write(text: string): boolean {
    // After the end the connection may carry another answer; and an HTTP chunk without bytes would end this one.
    if (this.#state !== 'open' || text === '') return true
    const socket = this.#socket
    if (socket === undefined) return this.#res.write(text)
    return socket.write(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
  }

  end(last?: ChannelEvent & { readonly event: string }): void {
    if (this.#state !== 'open') return
    this.#state = 'ended'
    this.#heartbeat.cancel()
    if (last === undefined) this.#writeLast()
    else this.#sse.sendEnd(last)
  }

  cut(): void {
    if (this.#state !== 'open') return
    this.#state = 'ended'
    this.#res.destroy()
  }

  #onText(text: string): void {
    if (this.#state === 'ended') this.#collected += text
    else this.write(text)
  }

  #writeLast(): void {
    const text = this.#collected
    this.#collected = ''
    this.#res.end(text)
  }

  readonly #beat = (): void => {
    const { clock, heartbeatMs, heartbeat } = this.#options
    this.#heartbeat = clock.schedule(heartbeatMs, this.#beat)
    // A blocked reader would only be sent more it does not take.
    if (this.blocked) return
    if (heartbeat === 'comment') this.write(COMMENT)
    else this.#sse.write(HEARTBEAT)
  }

  #writeTo(socket: Socket): void {
    // HTTP/1.0 and HEAD: the response knows what is to be sent.
    if (!this.#res.chunkedEncoding) return
    this.#socket = socket
    socket.on('drain', this.#options.onRelief)
  }

  #close(why: ReaderLost): void {
    if (this.#state === 'closed') return
    const lost = this.#state === 'open'
    this.#state = 'closed'
    this.#socket?.off('drain', this.#options.onRelief)
    this.#heartbeat?.cancel()
    this.#watch.stop()
    this.#sse.destroy()
    // RST: what the system still holds for a reader that takes nothing is freed too.
    if (why === 'client_too_slow') resetSocket(this.#ctx.req.socket)
    else if (!this.#res.writableFinished) this.#res.destroy()
    this.#options.onRelief()
    if (lost) this.#options.onReaderLost(why)
  }
}

/** As the library writes it; its transform costs each event a stream's bookkeeping. */
export function eventText({ event, id, data }: ChannelEvent): string {
  if (event === undefined) return `data: ${data}\n\n`
  return id === undefined
    ? `event: ${event}\ndata: ${data}\n\n`
    : `event: ${event}\nid: ${id}\ndata: ${data}\n\n`
}

function startResponse(ctx: Context, headers: Readonly<Record<string, string>>): void {
  const { res } = ctx
  ctx.respond = false
  res.statusCode = 200
  // The library insists on keep-alive; Node knows better whether this connection goes on.
  res.removeHeader('Connection')
  res.setHeader('Content-Type', 'text/event-stream; charset=utf-8')
  setHeaders(res, headers)
}

/** Not by the context: there each one is looked at for several forms. */
function setHeaders(res: ServerResponse, fields: Readonly<Record<string, string>>): void {
  for (const name in fields) res.setHeader(name, fields[name] ?? '')
}
