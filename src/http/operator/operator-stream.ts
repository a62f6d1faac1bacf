import type { Context } from 'koa'
import type { RuntimeEventName } from '../../protocol/fallback.js'
import { type Language, languageOf } from '../edge/language.js'
import { oneLine } from '../stream/message-json.js'
import { openSseChannel, type SseChannelOptions } from '../stream/sse-channel.js'

/** bytes that may wait for one reader; transitions come one at a time, so that nobody who reads has so many waiting */
const MAX_WAITING_BYTES = 1_048_576

export interface OperatorStreamOptions
  extends Pick<SseChannelOptions, 'clock' | 'heartbeatMs' | 'slowReaderMs'> {
  readonly streamId: string
  /** The reader has caught up after it missed `metrics`. */
  onMissedMetrics(): void
}

/** Events of the fallback on their way to one operator. */
export interface OperatorStream {
  readonly language: Language
  /**
   * Sends one event. A reader that lags is spared `metrics`: only the newest are worth anything. What else waits for it
   * is bounded; beyond that it is cut off.
   */
  send(event: Exclude<RuntimeEventName, 'heartbeat'>, json: string): void
  end(): void
  /** Resolves when the stream is over, for whatever reason. Never rejects. */
  readonly finished: Promise<void>
}

/** Answers `ctx` with the event stream of one operator; headers go out at once. */
export function openOperatorStream(ctx: Context, options: OperatorStreamOptions): OperatorStream {
  const { streamId, clock, heartbeatMs, slowReaderMs } = options
  let lastId = 0
  let missed = false
  const channel = openSseChannel(ctx, {
    headers: { 'X-Chat-Stream-Id': streamId },
    clock,
    heartbeatMs,
    slowReaderMs,
    onReaderLost: () => undefined,
    onRelief: () => {
      if (!missed) return
      missed = false
      options.onMissedMetrics()
    },
  })
  return {
    language: languageOf(ctx),
    finished: channel.finished,
    send(event, json) {
      if (!channel.open) return
      if (channel.blocked && event === 'metrics') {
        missed = true
        return
      }
      if (channel.waiting > MAX_WAITING_BYTES) return channel.cut()
      lastId += 1
      channel.add({ event, id: lastId, data: oneLine(json) })
      channel.flush()
    },
    end: () => channel.end(),
  }
}
