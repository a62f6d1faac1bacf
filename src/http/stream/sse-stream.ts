import type { Context } from 'koa'
import type { Clock } from '../../core/clock.js'
import type { MessageBody, TerminalEvent } from '../../protocol/events.js'
import { createIsoTime, messageJson, oneLine } from './message-json.js'
import { eventText, openSseChannel, type ReaderLost } from './sse-channel.js'

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
   * Writes a batch as `message` events. False when the reader is slower than the turn: the caller then takes nothing from
   * the upstream until the listener of `onRelief` is called.
   */
  write(batch: readonly MessageBody[]): boolean
  /** Calls back each time the reader has caught up. One listener. */
  onRelief(listener: () => void): void
  /**
   * Writes the terminal event and nothing ever after; only the first call counts. Without an event the connection is
   * cut: there was no reader to tell.
   */
  end(terminal: TerminalEvent | undefined): void
  /** Resolves when everything was handed to the system or the connection is gone. Never rejects. */
  readonly finished: Promise<void>
}

const isoTime = createIsoTime()

/** Answers `ctx` with the event stream of one turn; headers go out at once. */
export function openSseStream(ctx: Context, options: SseStreamOptions): SseStream {
  const { streamId, sessionId, clock, heartbeatMs, slowReaderMs } = options
  const idPrefix = streamId.slice(0, 8)
  let lastId = 0
  let onRelief: () => void = () => undefined

  const channel = openSseChannel(ctx, {
    headers: { 'X-Chat-Stream-Id': streamId, 'X-Chat-Session-Id': sessionId },
    clock,
    heartbeatMs,
    slowReaderMs,
    onReaderLost: (why) => options.onReaderLost(why),
    // A turn that lost its reader is aborted in a moment.
    onRelief: () => {
      if (channel.open) onRelief()
    },
  })

  return {
    finished: channel.finished,
    onRelief(listener) {
      onRelief = listener
    },
    write(batch) {
      if (!channel.open || batch.length === 0) return true
      const timestamp = isoTime(clock.wall())
      // A local string: one kept beside the stream would cost each event a write into old memory.
      let text = ''
      for (const body of batch) {
        lastId += 1
        const data = messageJson(body, `${idPrefix}-${lastId}`, timestamp)
        text += eventText({ event: 'message', id: lastId, data })
      }
      return channel.write(text)
    },
    end(terminal) {
      if (terminal === undefined) return channel.cut()
      channel.end({ event: terminal.event, id: lastId + 1, data: oneLine(JSON.stringify(terminal.data)) })
    },
  }
}
