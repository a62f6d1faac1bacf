import type { Context } from 'koa'
import type { Clock } from '../../core/clock.js'
import { resetSocket } from '../../core/net/reset-socket.js'
import type { ReaderOptions } from '../../turn/turn-reader.js'
import { languageOf } from '../edge/language.js'
import { createReaderWatch } from '../stream/reader-watch.js'
import type { FailedTurn } from './failed-turn.js'

export interface JsonAnswerOptions extends Pick<ReaderOptions, 'onReaderLost'> {
  readonly clock: Clock
  /** ms after which a reader that takes nothing is cut off */
  readonly slowReaderMs: number
}

/** An answer of one JSON body, not sent yet. It goes out as soon as it is known: the turn has more to do after it. */
export interface JsonAnswer {
  send(status: number, headers: Readonly<Record<string, string>>, body: unknown): void
  sendFailure(failure: FailedTurn): void
  /** Cuts the connection. */
  cut(): void
  /** Another takes the response over; from here on nothing is told of its reader. */
  handOver(): void
  /** Resolves when the response was taken whole, or its connection is gone. Never rejects. */
  readonly finished: Promise<void>
}

/** From here on the response is ours, not Koa's; a client that leaves before it is sent is told of. */
export function openJsonAnswer(ctx: Context, options: JsonAnswerOptions): JsonAnswer {
  const { res } = ctx
  const { clock, slowReaderMs } = options
  let waiting = true

  const finished = new Promise<void>((resolve) => {
    const settle = (): void => {
      if (waiting) {
        waiting = false
        options.onReaderLost('client_gone')
      }
      resolve()
    }
    res.once('finish', settle)
    res.once('close', settle)
    if (res.closed || res.destroyed) queueMicrotask(settle)
  })
  // A write may meet a connection that broke a moment ago; `close` says so too.
  res.on('error', () => undefined)
  ctx.respond = false

  const send: JsonAnswer['send'] = (status, headers, body) => {
    if (!waiting) return
    waiting = false
    const text = JSON.stringify(body)
    ctx.status = status
    ctx.set({
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(text)),
      'Cache-Control': 'no-store',
      ...headers,
    })
    const watch = createReaderWatch(res, slowReaderMs, clock, () => resetSocket(ctx.req.socket))
    void finished.then(() => watch.stop())
    res.end(text)
  }

  return {
    finished,
    send,
    sendFailure({ status, headers, body }) {
      ctx.vary('Accept-Language')
      send(status, { 'Content-Language': languageOf(ctx), ...headers }, body)
    },
    cut() {
      waiting = false
      res.destroy()
    },
    handOver() {
      waiting = false
    },
  }
}
