import type { Context } from 'koa'
import SseTransform from 'koa-sse-stream/lib/sse.js'
import type { Clock, Timer } from '../core/clock.js'
import type { MessageBody, TerminalEvent } from '../protocol/events.js'
import { createIsoTime, messageJson } from './message-json.js'
import { createReaderWatch } from './reader-watch.js'

/** Why a stream has no reader any more before its terminal event. */
export type ReaderLost = 'client_gone' | 'client_too_slow'

export interface SseStreamOptions {
  /** id of the stream, also the beginning of the ids in the data */
  readonly streamId: string
  readonly sessionId: string
  readonly clock: Clock
  /** ms between two `heartbeat` events */
  readonly heartbeatMs: number
  /** ms after which a reader that takes nothing is cut off */
  readonly slowReaderMs: number
  /** Called at most once, and never after `end`. */
  onReaderLost(why: ReaderLost): void
}

/** Events of one turn on their way to one reader. */
export interface SseStream {
  /**
   * Writes a batch as `message` events. Returns a promise when the reader is slower than the turn: the caller then
   * takes nothing from the upstream until it resolves (the reader caught up or left, or `unblock`). Never rejects.
   */
  write(batch: readonly MessageBody[]): Promise<void> | undefined
  /** Resolves the promise of `write` at once: the turn is given up, nothing more of it will be written. */
  unblock(): void
  /**
   * Writes the terminal event and nothing ever after; only the first call counts. Without an event the connection is
   * cut: there was no reader to tell.
   */
  end(terminal: TerminalEvent | undefined): void
  /** Resolves when everything was handed to the system or the connection is gone. Never rejects. */
  readonly finished: Promise<void>
}

const isoTime = createIsoTime()
const OPENING = ': ok\n\n'
const HEARTBEAT = { event: 'heartbeat', data: 'null' } as const

/**
 * Answers `ctx` with an event stream; headers go out at once. The only file that knows koa-sse-stream, of which it
 * takes the stream class alone: the middleware around it owns an interval nobody can stop, a pool that leaks a place
 * when a handler throws, and prints to the console. Bytes wait in one place, the response, whose `drain` is the
 * back-pressure; so Koa does not respond itself (`ctx.respond = false`).
 */
export function openSseStream(ctx: Context, options: SseStreamOptions): SseStream {
  const { res } = ctx
  const { clock } = options
  // Of a context the class needs this much; `body` it looks at with every event, on a real one by way of two getters.
  const sse = new SseTransform({ req: ctx.req, set: (fields) => ctx.set(fields), body: undefined })
  const idPrefix = options.streamId.slice(0, 8)
  let state: 'open' | 'ended' | 'closed' = 'open'
  let lastId = 0
  let collecting = false
  let collected = ''
  let resume: (() => void) | undefined
  let heartbeat: Timer | undefined

  const unblock = (): void => {
    resume?.()
    resume = undefined
  }

  // Between the library and the response nothing is kept: what it emits within a batch is written as one piece.
  const onText = (text: string): void => {
    if (collecting) collected += text
    else res.write(text)
  }
  const flush = (): boolean => {
    collecting = false
    const text = collected
    collected = ''
    return text === '' || res.write(text)
  }

  const beat = (): void => {
    heartbeat = clock.schedule(options.heartbeatMs, beat)
    // A blocked reader would only be sent more it does not take.
    if (!res.writableNeedDrain) sse.write(HEARTBEAT)
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
    unblock()
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

  startResponse(ctx, options)
  // A write may meet a connection that broke a moment ago; `close` says so too, and first.
  res.on('error', () => undefined)
  res.on('drain', unblock)
  sse.on('error', () => close('client_gone'))
  sse.setEncoding('utf8')
  // The library's opening comment takes the headers along: one piece on the wire, at once.
  const opening: unknown = sse.read()
  res.write(typeof opening === 'string' ? opening : OPENING)
  sse.on('data', onText)
  sse.once('end', () => res.end(collected))
  heartbeat = clock.schedule(options.heartbeatMs, beat)

  return {
    finished,
    unblock,
    write(batch) {
      if (state !== 'open' || batch.length === 0) return undefined
      const timestamp = isoTime(clock.wall())
      collecting = true
      for (const body of batch) {
        lastId += 1
        const data = messageJson(body, `${idPrefix}-${lastId}`, timestamp)
        sse.write({ event: 'message', id: lastId, data })
      }
      if (flush()) return undefined
      return new Promise((resolve) => {
        resume = resolve
      })
    },
    end(terminal) {
      if (state !== 'open') return
      state = 'ended'
      if (terminal === undefined) return void res.destroy()
      heartbeat?.cancel()
      lastId += 1
      collecting = true
      sse.sendEnd({ event: terminal.event, id: lastId, data: JSON.stringify(terminal.data) })
    },
  }
}

function startResponse(ctx: Context, { streamId, sessionId }: SseStreamOptions): void {
  ctx.respond = false
  ctx.status = 200
  // The library insists on keep-alive; Node knows better whether this connection goes on.
  ctx.remove('Connection')
  ctx.set({
    'Content-Type': 'text/event-stream; charset=utf-8',
    'X-Chat-Stream-Id': streamId,
    'X-Chat-Session-Id': sessionId,
  })
}
