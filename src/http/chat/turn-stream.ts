import type { Context } from 'koa'
import type { Clock } from '../../core/clock.js'
import type { ReaderOptions, TurnReader } from '../../turn/turn-reader.js'
import { languageOf } from '../edge/language.js'
import { openSseStream } from '../stream/sse-stream.js'
import { terminalEvent } from './terminal-event.js'

export interface TurnStreamOptions extends ReaderOptions {
  readonly clock: Clock
  /** ms between two `heartbeat` events */
  readonly heartbeatMs: number
  /** ms after which a reader that takes nothing is cut off */
  readonly slowReaderMs: number
}

/** Answers `ctx` with the events of one turn; its end is told in the language of the request. */
export function openTurnStream(ctx: Context, options: TurnStreamOptions): TurnReader {
  const language = languageOf(ctx)
  const { messageId, ...rest } = options
  const stream = openSseStream(ctx, { ...rest, streamId: messageId })
  return {
    ...stream,
    end: (result, kept, facts) => stream.end(terminalEvent(result, kept, { ...facts, language })),
  }
}
