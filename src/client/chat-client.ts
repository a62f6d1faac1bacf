import type { SessionView } from '../protocol/api.js'
import type { SessionListView } from '../protocol/session-list.js'
import { ask, type Call, type ChatClientOptions } from './connection.js'
import { ABORTED, isObject, type Result } from './errors.js'
import type { Answer, ChatEvent, StreamPlace } from './events.js'
import { type Learned, turnEvents } from './turn-events.js'

export interface TurnOptions {
  /** ends the turn: its connection is closed at once, and the service gives the turn up when nobody comes back (`CHAT_RECONNECT_GRACE_MS`) */
  readonly signal?: AbortSignal
  /** default: a new one; the same one again stands for the same turn */
  readonly idempotencyKey?: string
}

/** One turn. It begins when it is first asked for an event, and is read once. */
export interface ChatTurn extends AsyncIterable<ChatEvent> {
  /** sent as `Idempotency-Key` */
  readonly idempotencyKey: string
  /** Closes the connection at once. The events end with `failed`, kind `aborted`. */
  abort(): void
  /** Reads to the end: the text of the answer and its figures, or why there is none. In place of reading the events. */
  answer(): Promise<Result<Answer>>
}

/** Conversations of one user. Nothing of it throws; nothing runs when no turn is being read. */
export interface ChatClient {
  /** Begins a session with its first turn. */
  start(request: { readonly agentId: string; readonly message: string }, options?: TurnOptions): ChatTurn
  /** The next turn of a session. */
  send(sessionId: string, message: string, options?: TurnOptions): ChatTurn
  /** Goes on with a stream on another connection, from the event after `lastEventId`; where the service offers it. */
  resume(place: StreamPlace, options?: Pick<TurnOptions, 'signal'>): ChatTurn
  /** Stops the turn that runs in a session; its stream ends with `done` and `stopped: true`. */
  stop(sessionId: string, signal?: AbortSignal): Promise<Result<{ readonly stopped: boolean }>>
  /** The session with all its messages, oldest first. */
  session(sessionId: string, signal?: AbortSignal): Promise<Result<SessionView>>
  /** Own conversations, the newest first; `cursor` is `nextCursor` of the page before. */
  sessions(
    page?: { readonly cursor?: string; readonly limit?: number },
    signal?: AbortSignal,
  ): Promise<Result<SessionListView>>
  /** Erases a conversation for good; a turn that runs in it is stopped first. */
  erase(sessionId: string, signal?: AbortSignal): Promise<Result<undefined>>
}

export function createChatClient(options: ChatClientOptions): ChatClient {
  const learned: Learned = { idempotent: options.idempotent ?? false }
  const pathOf = (sessionId: string): string => `/chat/sessions/${encodeURIComponent(sessionId)}`

  const turn = (path: string, body: object, given: TurnOptions = {}): ChatTurn => {
    const idempotencyKey = given.idempotencyKey ?? newKey()
    const call: Call = { method: 'POST', path, body, headers: { 'Idempotency-Key': idempotencyKey } }
    return openTurn(options, learned, call, idempotencyKey, given.signal)
  }

  return {
    start: ({ agentId, message }, given) => turn('/chat/start', { agentId, message }, given),
    send: (sessionId, message, given) => turn(pathOf(sessionId), { message }, given),
    resume: (place, given) => openTurn(options, learned, place, '', given?.signal),
    stop: (sessionId, signal) =>
      ask(options, { method: 'POST', path: `${pathOf(sessionId)}/stop` }, isStopped, signal),
    session: (sessionId, signal) =>
      ask(options, { method: 'GET', path: pathOf(sessionId) }, isSession, signal),
    sessions: ({ cursor, limit } = {}, signal) => {
      const query = new URLSearchParams()
      if (cursor !== undefined) query.set('cursor', cursor)
      if (limit !== undefined) query.set('limit', String(limit))
      return ask(options, { method: 'GET', path: `/chat/sessions?${query}` }, isSessionList, signal)
    },
    erase: (sessionId, signal) =>
      ask(options, { method: 'DELETE', path: pathOf(sessionId) }, isNothing, signal),
  }
}

// By one field each: the shape is the service's contract, and is not checked once more here.
const isStopped = (data: unknown): data is { readonly stopped: boolean } =>
  isObject(data) && typeof data.stopped === 'boolean'
const isSession = (data: unknown): data is SessionView => isObject(data) && Array.isArray(data.messages)
const isSessionList = (data: unknown): data is SessionListView =>
  isObject(data) && Array.isArray(data.sessions)
const isNothing = (data: unknown): data is undefined => data === undefined

function openTurn(
  options: ChatClientOptions,
  learned: Learned,
  first: Call | StreamPlace,
  idempotencyKey: string,
  signal: AbortSignal | undefined,
): ChatTurn {
  const control = new AbortController()
  const abort = (): void => control.abort()

  async function* events(): AsyncGenerator<ChatEvent, void> {
    signal?.addEventListener('abort', abort)
    if (signal?.aborted) abort()
    try {
      yield* turnEvents(options, learned, first, control.signal)
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }
  const all = events()

  return {
    idempotencyKey,
    abort,
    [Symbol.asyncIterator]: () => all,
    async answer() {
      let text = ''
      for await (const event of all) {
        if (event.type === 'message' && event.message.type === 'text') text += event.message.data.content
        if (event.type === 'done') return { ok: true, data: { text, done: event.done } }
        if (event.type === 'failed') return { ok: false, error: event.error }
      }
      return { ok: false, error: ABORTED }
    },
  }
}

/** 128 bits; `crypto.randomUUID` is missing on pages without TLS. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('')
}
