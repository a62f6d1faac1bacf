import type { Context } from 'koa'
import SseTransform from 'koa-sse-stream/lib/sse.js'
import type { Clock, Timer } from '../../core/clock.js'
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
 * nobody can stop, a pool that leaks a place when a handler throws, and prints to the console. Bytes wait in one place, the response, whose `drain` is the
 * back-pressure; so Koa does not respond itself (`ctx.respond = false`).
 */
export function openSseChannel(ctx: Context, options: SseChannelOptions): SseChannel {
  const { res } = ctx
  const { clock } = options
  // Of a context the class needs this much; `body` it looks at with every event, on a real one by way of two getters.
  const sse = new SseTransform({ req: ctx.req, set: (fields) => ctx.set(fields), body: undefined })
  let state: 'open' | 'ended' | 'closed' = 'open'
  /** what the next write takes */
  let collected = ''
  let heartbeat: Timer | undefined

  const onText = (text: string): void => {
    if (state === 'ended') collected += text
    else res.write(text)
  }

  const writeLast = (): void => {
    const text = collected
    collected = ''
    res.end(text)
  }

  const beat = (): void => {
    heartbeat = clock.schedule(options.heartbeatMs, beat)
    // A blocked reader would only be sent more it does not take.
    if (res.writableNeedDrain) return
    if (options.heartbeat === 'comment') res.write(COMMENT)
    else sse.write(HEARTBEAT)
  }

  const watch = createReaderWatch(res, options.slowReaderMs, clock, () => close('client_too_slow'))

  const close = (why: ReaderLost): void => {
    if (state === 'closed') return
    const lost = state === 'open'
    state = 'closed'
    heartbeat?.cancel()
    watch.stop()
    sse.destroy()
    // RST: what the system still holds for a reader that takes nothing is freed too.
    if (why === 'client_too_slow') ctx.req.socket.resetAndDestroy()
    else if (!res.writableFinished) res.destroy()
    options.onRelief()
    if (lost) options.onReaderLost(why)
  }

  const finished = new Promise<void>((resolve) => {
    const settle = (): void => {
      close('client_gone')
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
  sse.on('error', () => close('client_gone'))
  sse.setEncoding('utf8')
  // The library opens with a comment and an empty line, which some clients take for an empty event and fail on, posting the
  // turn again and again. So it is dropped, and the headers go out alone.
  sse.read()
  res.flushHeaders()
  sse.on('data', onText)
  sse.once('end', writeLast)
  heartbeat = clock.schedule(options.heartbeatMs, beat)

  return {
    finished,
    get open() {
      return state === 'open'
    },
    get blocked() {
      return res.writableNeedDrain
    },
    get waiting() {
      return res.writableLength
    },
    add(event) {
      collected += eventText(event)
    },
    flush() {
      const text = collected
      collected = ''
      return text === '' || res.write(text)
    },
    write: (text) => res.write(text),
    end(last) {
      if (state !== 'open') return
      state = 'ended'
      heartbeat?.cancel()
      if (last === undefined) writeLast()
      else sse.sendEnd(last)
    },
    cut() {
      if (state !== 'open') return
      state = 'ended'
      res.destroy()
    },
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
  ctx.respond = false
  ctx.status = 200
  // The library insists on keep-alive; Node knows better whether this connection goes on.
  ctx.remove('Connection')
  ctx.set({ 'Content-Type': 'text/event-stream; charset=utf-8', ...headers })
}
