import type { DoneEvent, ErrorEvent } from '../protocol/events.js'
import { type Call, type ChatClientOptions, reach, SILENCE_MS } from './connection.js'
import { ABORTED, type ChatError, type InterruptionReason, isObject, jsonOf, messageOf } from './errors.js'
import type { ChatEvent, ChatMessage, StreamPlace } from './events.js'
import { readEvents, StreamSilent } from './read-events.js'
import type { ServerEvent } from './sse-parser.js'

/** What a client learns of its service by the answers. */
export interface Learned {
  /** a second call with the same key is answered by the first one's stream */
  idempotent: boolean
}

/** ms; waits between tries double up to this */
const MAX_DELAY_MS = 8_000

/** Where a turn is. */
interface Place {
  streamId: string
  sessionId: string
  lastEventId: number
  resumable: boolean
}

/** Why there is no terminal event yet; `safe`: going on can do nothing twice. */
interface Lost {
  readonly error: ChatError
  readonly safe: boolean
}

/**
 * Runs one turn and tells what happens, its end too. A call is sent again only where it was not accepted or where the service
 * knows it by its key; a stream that broke is resumed where the service offers it. Never rejects.
 */
export async function* turnEvents(
  options: ChatClientOptions,
  learned: Learned,
  first: Call | StreamPlace,
  signal: AbortSignal,
): AsyncGenerator<ChatEvent, void> {
  // Of its own, so that it is closed also where the caller just stops asking.
  const control = new AbortController()
  const abort = (): void => control.abort()
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  try {
    yield* new RunningTurn(options, learned, first, control.signal).events()
  } finally {
    signal.removeEventListener('abort', abort)
    abort()
  }
}

class RunningTurn {
  readonly #place: Place
  /** tries in a row since the last event */
  #failures = 0
  #isOpen = false
  /** how the stream broke that is being resumed */
  #broken: ChatError | undefined
  /** what the stream says of reconnections, ms */
  #askedMs: number | undefined

  constructor(
    private readonly options: ChatClientOptions,
    private readonly learned: Learned,
    private readonly first: Call | StreamPlace,
    private readonly signal: AbortSignal,
  ) {
    const begun =
      'streamId' in first ? { ...first, resumable: true } : { streamId: '', lastEventId: 0, resumable: false }
    this.#place = { sessionId: '', ...begun }
  }

  async *events(): AsyncGenerator<ChatEvent, void> {
    for (;;) {
      const lost = yield* this.#tryOnce()
      if (lost === undefined) return
      this.#failures += 1
      const afterMs = this.#waitMs(lost.error)
      if (this.signal.aborted || !lost.safe || this.#isOver(afterMs)) {
        yield { type: 'failed', error: this.signal.aborted ? ABORTED : lost.error }
        return
      }
      yield { type: 'retry', error: lost.error, afterMs }
      await pause(afterMs, this.signal)
    }
  }

  /** One connection, from its call to its end. Undefined after a terminal event. */
  async *#tryOnce(): AsyncGenerator<ChatEvent, Lost | undefined> {
    const isResuming = this.#place.streamId !== ''
    const call = isResuming || 'streamId' in this.first ? resumption(this.#place) : this.first
    const reached = await reach(this.options, call, this.signal)
    if (reached.ok) {
      this.#learn(reached.response.headers)
      if (!this.#isOpen) yield this.#opened()
      return yield* this.#relay(reached.response)
    }
    const { error, unsent } = reached
    // The service does not have the stream any more: what broke it is what happened.
    if (
      this.#broken !== undefined &&
      error.kind === 'refused' &&
      (error.status === 404 || error.status === 410)
    )
      return { error: this.#broken, safe: false }
    const isTransient = error.kind === 'unreachable' || (error.kind === 'unexpected' && error.status >= 500)
    // To read a stream again does nothing; to send a message again is harmless where the service knows its key.
    return { error, safe: unsent || (isTransient && (isResuming || this.learned.idempotent)) }
  }

  #learn(headers: Headers): void {
    const place = this.#place
    place.streamId = headers.get('x-chat-stream-id') ?? place.streamId
    place.sessionId = headers.get('x-chat-session-id') ?? place.sessionId
    place.resumable ||= headers.has('x-chat-stream-token')
    this.learned.idempotent ||= place.resumable
  }

  #opened(): ChatEvent {
    this.#isOpen = true
    const { sessionId, streamId, resumable } = this.#place
    return { type: 'open', sessionId, streamId, resumable }
  }

  async *#relay({ status, headers, body }: Response): AsyncGenerator<ChatEvent, Lost | undefined> {
    if (body === null || !headers.get('content-type')?.startsWith('text/event-stream'))
      return { error: { kind: 'unexpected', status, message: 'not an event stream' }, safe: false }
    const onRetry = (ms: number): void => {
      this.#askedMs = ms
    }
    try {
      for await (const event of readEvents(body, {
        silenceMs: this.options.silenceMs ?? SILENCE_MS,
        onRetry,
      })) {
        const told = this.#isNew(event) ? chatEvent(event) : undefined
        if (told === undefined) continue
        if (this.signal.aborted) break
        this.#failures = 0
        this.#place.lastEventId = Number(event.id)
        yield told
        if (told.type !== 'message') return undefined
      }
      return this.#interrupted('the stream ended early', 'ended')
    } catch (thrown) {
      return this.#interrupted(messageOf(thrown), thrown instanceof StreamSilent ? 'silent' : 'broke')
    }
  }

  /** False for what a resumed stream repeats. */
  #isNew({ id }: ServerEvent): boolean {
    return id === '' || Number(id) > this.#place.lastEventId
  }

  #interrupted(message: string, reason: InterruptionReason): Lost {
    this.#broken = { kind: 'interrupted', message, reason }
    return { error: this.#broken, safe: this.#place.resumable }
  }

  #isOver(afterMs: number): boolean {
    const { retries = 3, maxRetryWaitMs = 30_000 } = this.options
    return this.#failures > retries || afterMs > maxRetryWaitMs
  }

  #waitMs(error: ChatError): number {
    if (error.kind === 'refused' && error.retryAfterMs !== undefined) return error.retryAfterMs
    const first = this.#askedMs ?? this.options.retryDelayMs ?? 500
    const delay = Math.min(first * 2 ** (this.#failures - 1), MAX_DELAY_MS)
    // Half of it by chance, so that not all clients of a replica that went away come back at once.
    return delay * (0.5 + Math.random() / 2)
  }
}

const resumption = ({ streamId, lastEventId }: Place): Call => ({
  method: 'GET',
  path: `/chat/streams/${encodeURIComponent(streamId)}`,
  headers: { 'Last-Event-ID': String(lastEventId) },
})

/** Ends early when the signal is aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}

/** Undefined for a heartbeat, and for what only a newer service sends. */
function chatEvent({ event, data, id }: ServerEvent): ChatEvent | undefined {
  const value = jsonOf(data)
  if (event === 'message' && isMessage(value)) return { type: 'message', eventId: Number(id), message: value }
  if (event === 'done' && isDone(value)) return { type: 'done', done: value }
  if (event === 'error' && isError(value)) return { type: 'failed', error: { kind: 'turn', ...value } }
  return undefined
}

// By what a reader needs first: the shape is the service's contract, and is not checked once more here.
const isMessage = (value: unknown): value is ChatMessage =>
  isObject(value) && typeof value.type === 'string' && isObject(value.data)
const isDone = (value: unknown): value is DoneEvent => isObject(value) && typeof value.sessionId === 'string'
const isError = (value: unknown): value is ErrorEvent => isObject(value) && typeof value.code === 'string'
