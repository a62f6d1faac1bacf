import type { Context } from 'koa'
import type { SessionOwner } from '../../sessions/session-store.js'
import type { ReaderOptions, TurnReader } from '../../turn/turn-reader.js'
import { languageOf } from '../edge/language.js'
import type { Streams } from '../stream/streams.js'
import { terminalEvent } from './terminal-event.js'

/** Answers `ctx` with the events of one turn; its end is told in the language of the request, also to those who resume it. */
export function openTurnStream(
  ctx: Context,
  streams: Streams,
  owner: SessionOwner,
  { messageId, sessionId, onReaderLost }: ReaderOptions,
): TurnReader {
  const language = languageOf(ctx)
  const stream = streams.open(ctx, { streamId: messageId, sessionId, owner, onReaderLost })
  return {
    finished: stream.finished,
    write: (batch) => stream.write(batch),
    onRelief: (listener) => stream.onRelief(listener),
    end: (result, kept, facts) => stream.end(terminalEvent(result, kept, { ...facts, language })),
  }
}
