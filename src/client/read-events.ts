import { type ServerEvent, SseParser } from './sse-parser.js'

/** Nothing came for too long: the connection is dead, even if a proxy still holds it open. */
export class StreamSilent extends Error {
  override readonly name = 'StreamSilent'

  constructor(ms: number) {
    super(`nothing came for ${ms / 1000} s`)
  }
}

export interface ReadOptions {
  /** ms without a byte after which the stream counts as dead; heartbeats count */
  readonly silenceMs: number
  /** told each time the stream says how long to wait before a reconnection, in ms */
  onRetry?(ms: number): void
}

/**
 * The events of a body, until it ends. Reads on only when the next event is asked for: a slow consumer slows the stream down.
 * A caller who stops asking (`break`, `return`) closes the connection. Rejects when it breaks.
 * @throws StreamSilent
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  { silenceMs, onRetry }: ReadOptions,
): AsyncGenerator<ServerEvent, void> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  const parser = new SseParser()
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), silenceMs)
      if (done) return
      const events = parser.push(decoder.decode(value, { stream: true }))
      if (parser.retryMs !== undefined) onRetry?.(parser.retryMs)
      yield* events
    }
  } finally {
    // A broken one has nothing to close.
    reader.cancel().catch(() => undefined)
  }
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StreamSilent(ms)), ms)
  })
  try {
    return await Promise.race([work, silence])
  } finally {
    clearTimeout(timer)
  }
}
