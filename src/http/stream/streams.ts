import type { Context } from 'koa'
import { bounded } from '../../core/bounded.js'
import type { Clock } from '../../core/clock.js'
import { type Grace, SharedStream } from './shared-stream.js'
import type { ChannelTiming, ReaderLost } from './sse-channel.js'
import type { KeptStream, StreamLog, StreamOwner } from './stream-log.js'
import { StreamReader } from './stream-reader.js'
import type { StreamTokens } from './stream-token.js'

export interface NewStream {
  readonly streamId: string
  readonly sessionId: string
  readonly owner: StreamOwner
  onReaderLost(why: ReaderLost, unreadMs: number): void
}

/** The streams of turns in this process: those that run, and what is kept of those that ended. */
export interface Streams {
  readonly tokens: StreamTokens
  /** Begins a stream and answers `ctx` with it. */
  open(ctx: Context, stream: NewStream): SharedStream
  /** Undefined for a stream that is not here, or not any more. */
  find(streamId: string): KeptStream | undefined
  /**
   * A turn of this session that waits for its reader to come back is given up at once: its user has gone on. Resolves when it has
   * ended, within 1 s.
   */
  giveUpUnread(sessionId: string, owner: StreamOwner): Promise<void>
  /** Nothing of the session's streams is left to be read again. */
  erase(sessionId: string): void
  /** Answers `ctx` with what follows the event `after`, and with what comes. Resolves when the reader has all, or is gone. */
  attach(ctx: Context, kept: KeptStream, after: number): Promise<void>
  /** The same for a stream that another replica writes: what `kept` brings step by step. */
  follow(ctx: Context, kept: FollowedStream, from: { after: number; token: string }): Promise<void>
  /** A reader on another replica follows this stream, at least for `ms`; `left`: it does no longer. */
  readElsewhere(streamId: string, reader: string, ms: number | 'left'): void
}

/** A stream of which pieces come from elsewhere. */
export interface FollowedStream extends KeptStream {
  /**
   * Reads on until the stream is over, or `stop`. Never rejects.
   * @param deliver hands on what is there; resolves when more is wanted
   */
  follow(deliver: () => Promise<void>): Promise<void>
  /** The reader is gone. */
  stop(): void
}

export interface StreamsOptions {
  readonly log: StreamLog
  readonly tokens: StreamTokens
  readonly grace: Grace
  readonly timing: ChannelTiming
  readonly clock: Clock
}

/** ms for a turn that was given up to be kept; its cancel is waited for elsewhere */
const GIVE_UP_MS = 1_000

export function createStreams({ log, tokens, grace, timing, clock }: StreamsOptions): Streams {
  const running = new Map<string, SharedStream>()
  const bySession = new Map<string, KeptStream>()
  // Without a grace a stream ends with its reader: there is nothing to come back to.
  const isResumable = grace.kind === 'finish' || grace.afterMs > 0
  const headersOf = (
    { streamId, sessionId }: { streamId: string; sessionId: string },
    token?: string,
  ): Record<string, string> => {
    const headers: Record<string, string> = { 'X-Chat-Stream-Id': streamId, 'X-Chat-Session-Id': sessionId }
    if (isResumable) headers['X-Chat-Stream-Token'] = token ?? tokens.of(streamId)
    return headers
  }

  return {
    tokens,
    open(ctx, { streamId, sessionId, owner, onReaderLost }) {
      const writer = log.open({ streamId, sessionId, owner })
      const stream = new SharedStream({ writer, clock, grace, onReaderLost })
      running.set(streamId, stream)
      bySession.set(sessionId, writer.kept)
      void stream.finished.then(() => {
        running.delete(streamId)
        if (bySession.get(sessionId) === writer.kept) bySession.delete(sessionId)
      })
      void stream.attach(ctx, { headers: headersOf(writer.kept), after: 0, ...timing })
      return stream
    },
    find: (streamId) => log.find(streamId),
    erase: (sessionId) => log.erase(sessionId),
    async giveUpUnread(sessionId, { orgId, userId }) {
      const kept = bySession.get(sessionId)
      const stream = kept && running.get(kept.streamId)
      if (stream === undefined || kept?.owner.orgId !== orgId || kept.owner.userId !== userId) return
      if (stream.giveUpUnread()) await bounded(stream.finished, GIVE_UP_MS, clock)
    },
    attach(ctx, kept, after) {
      const options = { ...timing, headers: headersOf(kept), after }
      const stream = kept.isOver ? undefined : running.get(kept.streamId)
      if (stream !== undefined) return stream.attach(ctx, options)
      const reader = new StreamReader(ctx, {
        ...options,
        kept,
        onLost: () => undefined,
        onRelief: () => undefined,
      })
      reader.catchUp()
      return reader.finished
    },
    async follow(ctx, kept, { after, token }) {
      let relieved: () => void = () => undefined
      const reader = new StreamReader(ctx, {
        ...timing,
        headers: headersOf(kept, token),
        kept,
        after,
        onLost: () => kept.stop(),
        onRelief: () => relieved(),
      })
      const ended = reader.finished.then(() => {
        kept.stop()
        relieved()
      })
      await kept.follow(async () => {
        reader.catchUp()
        if (!reader.isHeld || !reader.isOpen) return
        await new Promise<void>((resolve) => {
          relieved = resolve
        })
      })
      await ended
    },
    readElsewhere(streamId, reader, ms) {
      const stream = running.get(streamId)
      if (ms === 'left') stream?.release(reader)
      else stream?.holdFor(reader, ms)
    },
  }
}
