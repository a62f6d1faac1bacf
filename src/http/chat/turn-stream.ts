import type { Context } from 'koa'
import type { TurnResult } from '../../execution/turn-result.js'
import type { MessageBody } from '../../protocol/events.js'
import type { SessionOwner } from '../../sessions/session-store.js'
import type { ReaderOptions, TurnFacts, TurnKept, TurnReader } from '../../turn/turn-reader.js'
import { type Language, languageOf } from '../edge/language.js'
import type { SharedStream } from '../stream/shared-stream.js'
import type { Streams } from '../stream/streams.js'
import { terminalEvent } from './terminal-event.js'

/** Answers `ctx` with the events of one turn; its end is told in the language of the request, also to those who resume it. */
export function openTurnStream(
  ctx: Context,
  streams: Streams,
  owner: SessionOwner,
  { messageId, sessionId, onReaderLost }: ReaderOptions,
): TurnReader {
  const stream = streams.open(ctx, { streamId: messageId, sessionId, owner, onReaderLost })
  return new TurnStream(stream, languageOf(ctx))
}

class TurnStream implements TurnReader {
  constructor(
    private readonly stream: SharedStream,
    private readonly language: Language,
  ) {}

  get finished(): Promise<void> {
    return this.stream.finished
  }

  write(batch: readonly MessageBody[]): boolean {
    return this.stream.write(batch)
  }

  onRelief(listener: () => void): void {
    this.stream.onRelief(listener)
  }

  end(result: TurnResult, kept: TurnKept, facts: TurnFacts): void {
    this.stream.end(terminalEvent(result, kept, { ...facts, language: this.language }))
  }
}
