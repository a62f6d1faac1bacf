import { createParser } from 'eventsource-parser'
import { parsedJson } from '../../core/json/parsed-json.js'

/** One event of the service's streams; `data` is what its JSON says. */
export interface StreamEvent {
  readonly event: string
  readonly data: unknown
}

/** Heartbeats come every 15 s; after three of them that did not come the stream is dead. */
export const SILENCE_MS = 45_000

/** characters of one event that wait for its end; results of tools are cut at 1 MiB before they are sent */
const MAX_EVENT = 16_777_216

/** Nothing came for too long. */
export class StreamSilent extends Error {
  override readonly name = 'StreamSilent'
}

/**
 * The events of a stream, heartbeats left out, until it ends. Rejects when it breaks or `until` is aborted.
 * @throws StreamSilent after SILENCE_MS without a byte
 */
export async function* eventsOf(
  response: Response,
  silenceMs: number = SILENCE_MS,
): AsyncGenerator<StreamEvent, void> {
  if (response.body === null) return
  const arrived: StreamEvent[] = []
  const parser = createParser({
    maxBufferSize: MAX_EVENT,
    onError: (fault) => {
      // A strange field is passed over; after too long an event the parser takes nothing any more.
      if (fault.type === 'max-buffer-size-exceeded') throw fault
    },
    onEvent: ({ event = 'message', data }) => {
      if (event !== 'heartbeat') arrived.push({ event, data: parsedJson(data) })
    },
  })
  const decoder = new TextDecoder()
  const reader = response.body.getReader()
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), silenceMs)
      if (done) return
      parser.feed(decoder.decode(value, { stream: true }))
      yield* arrived.splice(0)
    }
  } finally {
    // A reader that stops closes the connection; a broken one has nothing to close.
    reader.cancel().catch(() => undefined)
  }
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StreamSilent()), ms)
  })
  try {
    return await Promise.race([work, silence])
  } finally {
    clearTimeout(timer)
  }
}
