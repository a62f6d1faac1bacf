import type { Context } from 'koa'
import type { Clock, Timer } from '../../core/clock.js'
import type { MessageBody, TerminalEvent } from '../../protocol/events.js'
import { createIsoTime, messageJson, oneLine } from './message-json.js'
import { type ChannelTiming, eventText, type ReaderLost } from './sse-channel.js'
import type { StreamWriter } from './stream-log.js'
import { StreamReader } from './stream-reader.js'

/** What happens to a turn whose last reader left: it is finished, or cancelled unless a reader comes back within `afterMs`. */
export type Grace = { readonly kind: 'finish' } | { readonly kind: 'cancel'; readonly afterMs: number }

export interface SharedStreamOptions {
  readonly writer: StreamWriter
  readonly clock: Clock
  readonly grace: Grace
  /** Nobody reads, and the grace is over; at most once, and never after `end`. @param unreadMs since the last reader left */
  onReaderLost(why: ReaderLost, unreadMs: number): void
}

const isoTime = createIsoTime()

/** The events of one turn on their way to its readers: each is written once, kept, and handed to all of them. */
export class SharedStream {
  /** Resolves when the stream is over and no reader is left. Never rejects. */
  readonly finished: Promise<void>
  readonly #options: SharedStreamOptions
  readonly #clock: Clock
  readonly #writer: StreamWriter
  readonly #idPrefix: string
  readonly #readers = new Set<StreamReader>()
  /** the one reader, where it is alone, as nearly always */
  #only: StreamReader | undefined
  /** readers on other replicas, until when each is known to read; made with the first */
  #remote: Map<string, Timer> | undefined
  #lastId = 0
  #isOver = false
  /** while nobody reads and somebody may come back */
  #grace: { readonly timer: Timer; readonly giveUp: () => void } | undefined
  #onRelief: () => void = () => undefined
  #onFinished: () => void = () => undefined

  constructor(options: SharedStreamOptions) {
    this.#options = options
    this.#clock = options.clock
    this.#writer = options.writer
    this.#idPrefix = options.writer.kept.streamId.slice(0, 8)
    this.finished = new Promise((resolve) => {
      this.#onFinished = resolve
    })
  }

  /** One reader more, from the event after `after`. Resolves when it has all, or is gone. */
  attach(
    ctx: Context,
    options: ChannelTiming & { headers: Record<string, string>; after: number },
  ): Promise<void> {
    this.#endGrace()
    const { kept } = this.#writer
    const reader: StreamReader = new StreamReader(ctx, {
      clock: options.clock,
      heartbeatMs: options.heartbeatMs,
      slowReaderMs: options.slowReaderMs,
      headers: options.headers,
      after: options.after,
      kept,
      onLost: (why) => this.#left(reader, why),
      onRelief: () => this.#relieved(),
    })
    this.#readers.add(reader)
    this.#only = onlyOf(this.#readers)
    reader.catchUp()
    // Before the end only one that was cut off: it was too slow for what is kept.
    return reader.finished.then(() => this.#left(reader, 'client_too_slow'))
  }

  /** A reader on another replica follows what is copied there; it counts as one for `ms`, and slows nothing down. */
  holdFor(reader: string, ms: number): void {
    if (this.#isOver) return
    this.#endGrace()
    this.#remote ??= new Map()
    this.#remote.get(reader)?.cancel()
    this.#remote.set(
      reader,
      this.#options.clock.schedule(ms, () => this.release(reader)),
    )
  }

  /** That reader is gone. */
  release(reader: string): void {
    const timer = this.#remote?.get(reader)
    if (timer === undefined) return
    timer.cancel()
    this.#remote?.delete(reader)
    if (!this.#isOver && !this.#isRead) this.#unread('client_gone')
  }

  /**
   * Writes a batch as `message` events. False when no reader takes more: the caller then takes nothing from the upstream until the
   * listener of `onRelief` is called. A reader that is slower than another gets what it missed from what is kept.
   */
  write(batch: readonly MessageBody[]): boolean {
    if (this.#isOver || batch.length === 0) return true
    const timestamp = isoTime(this.#clock.wall())
    // A local string: one kept beside the stream would cost each event a write into old memory.
    let text = ''
    let id = this.#lastId
    for (const body of batch) {
      id += 1
      text += eventText({
        event: 'message',
        id,
        data: messageJson(body, `${this.#idPrefix}-${id}`, timestamp),
      })
    }
    this.#lastId = id
    const takesMore = this.#push(text, id)
    // After the write: it has made one piece of the text already.
    this.#writer.append(text, id)
    return takesMore
  }

  /** Calls back each time a reader has caught up, or the one that was slow is gone. One listener. */
  onRelief(listener: () => void): void {
    this.#onRelief = listener
  }

  /**
   * Writes the terminal event and nothing ever after; only the first call counts. Without an event the connections are
   * cut: there was no reader to tell.
   */
  end(terminal: TerminalEvent | undefined): void {
    if (this.#isOver) return
    // First: what cannot be written down is no end.
    const data = terminal && oneLine(JSON.stringify(terminal.data))
    this.#isOver = true
    this.#endGrace()
    for (const timer of this.#remote?.values() ?? []) timer.cancel()
    this.#remote = undefined
    if (terminal === undefined || data === undefined) {
      this.#writer.giveUp()
      for (const reader of this.#readers) reader.cut()
    } else {
      const event = { event: terminal.event, id: this.#lastId + 1, data }
      this.#writer.append(eventText(event), event.id)
      this.#writer.end()
      for (const reader of this.#readers) reader.end(event)
    }
    this.#tellFinished()
  }

  /** False where somebody reads it, or where it is to be finished without a reader. */
  giveUpUnread(): boolean {
    const { giveUp } = this.#grace ?? {}
    giveUp?.()
    return giveUp !== undefined
  }

  get #isRead(): boolean {
    return this.#readers.size > 0 || (this.#remote?.size ?? 0) > 0
  }

  #push(text: string, id: number): boolean {
    const only = this.#only
    if (only !== undefined) return only.push(text, id, true)
    for (const reader of this.#readers) reader.push(text, id, false)
    return !this.#isHeld()
  }

  #isHeld(): boolean {
    if (this.#readers.size === 0) return false
    for (const reader of this.#readers) if (!reader.isHeld) return false
    return true
  }

  #left(reader: StreamReader, why: ReaderLost): void {
    if (!this.#readers.delete(reader)) return
    this.#only = onlyOf(this.#readers)
    if (this.#isOver) this.#tellFinished()
    else if (!this.#isRead) this.#unread(why)
    else if (!this.#isHeld()) this.#relieved()
  }

  #unread(why: ReaderLost): void {
    const { grace, clock, onReaderLost } = this.#options
    if (grace.kind === 'cancel' && grace.afterMs === 0) {
      onReaderLost(why, 0)
      return
    }
    if (grace.kind === 'cancel') {
      const since = clock.monotonic()
      const giveUp = (): void => {
        this.#endGrace()
        onReaderLost(why, clock.monotonic() - since)
      }
      this.#grace = { giveUp, timer: clock.schedule(grace.afterMs, giveUp) }
    }
    // Nobody slows it down any more.
    this.#relieved()
  }

  #endGrace(): void {
    this.#grace?.timer.cancel()
    this.#grace = undefined
  }

  #relieved(): void {
    if (!this.#isOver) this.#onRelief()
  }

  #tellFinished(): void {
    if (this.#isOver && this.#readers.size === 0) this.#onFinished()
  }
}

function onlyOf(readers: ReadonlySet<StreamReader>): StreamReader | undefined {
  const [first] = readers
  return readers.size === 1 ? first : undefined
}
