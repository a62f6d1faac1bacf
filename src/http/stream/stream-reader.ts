import type { Context } from 'koa'
import {
  type ChannelEvent,
  type ChannelTiming,
  openSseChannel,
  type ReaderLost,
  type SseChannel,
} from './sse-channel.js'
import type { KeptStream } from './stream-log.js'

export interface StreamReaderOptions extends ChannelTiming {
  /** beside those of every event stream */
  readonly headers: Readonly<Record<string, string>>
  readonly kept: KeptStream
  /** id of the last event that this reader has seen; 0 for none */
  readonly after: number
  /** Called at most once, and never after the reader has got the terminal event. */
  onLost(why: ReaderLost): void
  /** Called when the reader has taken all that waited. */
  onRelief(): void
}

/** One reader of a stream: from where it was, through what is kept, to what comes. */
export class StreamReader {
  readonly finished: Promise<void>
  readonly #kept: KeptStream
  readonly #channel: SseChannel
  /** of the last event handed to the channel */
  #lastId: number
  /** It reads what is kept, at its own pace, before it gets what comes. */
  #isBehind: boolean

  constructor(ctx: Context, options: StreamReaderOptions) {
    const { kept, after, headers, clock, heartbeatMs, slowReaderMs, onLost, onRelief } = options
    this.#kept = kept
    this.#lastId = after
    this.#isBehind = kept.lastId > after
    this.#channel = openSseChannel(ctx, {
      headers,
      clock,
      heartbeatMs,
      slowReaderMs,
      onReaderLost: onLost,
      onRelief: () => {
        if (!this.#channel.open) return
        if (this.#isBehind) this.catchUp()
        if (!this.isHeld) onRelief()
      },
    })
    this.finished = this.#channel.finished
  }

  /** It takes nothing at the moment. */
  get isHeld(): boolean {
    return this.#channel.blocked || this.#isBehind
  }

  /** It may get more. */
  get isOpen(): boolean {
    return this.#channel.open
  }

  /**
   * What has just come; the same text for every reader. False when it takes no more at the moment. Hot path.
   * @param isAlone no other reader sets the pace: what little comes while this one is held may wait in its response
   */
  push(text: string, lastId: number, isAlone: boolean): boolean {
    if (this.#isBehind) return false
    if (!this.#channel.open) return true
    if (!isAlone && this.#channel.blocked) {
      this.#isBehind = true
      return false
    }
    this.#lastId = lastId
    return this.#channel.write(text)
  }

  /** The terminal event, and nothing ever after; one that is behind gets it after what is kept. */
  end(terminal: ChannelEvent & { readonly event: string }): void {
    if (!this.#isBehind) this.#channel.end(terminal)
  }

  cut(): void {
    this.#channel.cut()
  }

  /** Writes what is kept until the reader is held, or has all of it. */
  catchUp(): void {
    this.#isBehind = true
    while (this.#channel.open && !this.#channel.blocked) {
      const piece = this.#kept.after(this.#lastId)
      // It has been too slow for what is kept: it comes again, and is told.
      if (piece === 'given_up') {
        this.cut()
        return
      }
      if (piece === undefined) {
        this.#isBehind = false
        if (this.#kept.isOver) this.#channel.end()
        return
      }
      this.#lastId = piece.lastId
      this.#channel.write(piece.text)
    }
  }
}
