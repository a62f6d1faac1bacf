import type { Context } from 'koa'
import type { Clock } from '../../core/clock.js'
import type { IdempotencyKeys, KeptKey, KeyedTurn } from '../../idempotency/idempotency-keys.js'
import { bodyHashOf } from '../../idempotency/idempotency-keys.js'
import type { SessionOwner, SessionStore } from '../../sessions/session-store.js'
import type { TurnRequest } from '../../turn/begin-turn.js'
import { languageOf, type Sentence } from '../edge/language.js'
import { Problem, retryLater } from '../edge/problems.js'
import type { Streams } from '../stream/streams.js'
import type { RemoteReaders } from './remote-reader.js'
import { type EndedTurn, endOf, textOf, traceOf } from './replayed-turn.js'

/** visible ASCII */
const KEY = /^[\x21-\x7e]{1,128}$/

const NOT_A_KEY: Sentence = {
  'zh-CN': 'Idempotency-Key: 必须是 1 到 128 个可见 ASCII 字符',
  en: 'Idempotency-Key: must be 1 to 128 visible ASCII characters',
}

/** ms between two looks whether it has */
const LOOK_MS = 250
/** ms after which a turn that is in no history is one that never began */
const BEGIN_MS = 10_000
/** s after which a client may ask again for a turn that still runs */
const RETRY_SECONDS = 5

/** `undefined` where the request has none. @throws Problem 400 */
export function idempotencyKeyOf(ctx: Context): string | undefined {
  const key = ctx.headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key !== 'string' || !KEY.test(key)) throw new Problem('body_fields', { details: [NOT_A_KEY] })
  return key
}

export interface TurnIds {
  readonly sessionId: string
  readonly messageId: string
}

/** What becomes of a request with a key. */
export interface KeyedWork {
  /** Runs the turn under these ids; calls `onOpen` as soon as its stream is open. Rejects only where it is not. */
  run(ids: TurnIds, onOpen: () => void): Promise<void>
  /** Nothing is run: the request waits for, or reads, a turn that was begun by another one. */
  onFollow(): void
}

export type KeyedRequest = Exclude<TurnRequest, { kind: 'single' }>

/** Turns by the `Idempotency-Key` of their requests: the same key again runs nothing again. */
export interface KeyedTurns {
  /** Whether the key stands for a turn: then nothing is begun by this request. */
  isKnown(owner: SessionOwner, key: string): Promise<boolean>
  /**
   * Runs the turn, or answers with the one that the key stands for: from the first event where it is at hand, else from the history.
   * @throws Problem 422 for another request, 409 for a turn that runs elsewhere and does not end
   */
  answer(
    ctx: Context,
    owner: SessionOwner,
    key: string,
    request: KeyedRequest,
    work: KeyedWork,
  ): Promise<void>
}

export interface KeyedTurnsDeps {
  readonly keys: IdempotencyKeys
  readonly streams: Streams
  /** absent: what other replicas write is waited for, and read from the history */
  readonly remote?: RemoteReaders
  readonly sessions: Pick<SessionStore, 'holder' | 'read' | 'readTrace'>
  readonly clock: Clock
  readonly ids: { newId(): string }
  readonly draining: AbortSignal
  /** ms that a turn of another replica, or of the process before a restart, is waited for */
  readonly endMs: number
}

export function createKeyedTurns(deps: KeyedTurnsDeps): KeyedTurns {
  const { keys, streams, ids } = deps
  /** turns of this process whose stream is not open yet, by message id; settled when it is, or never will be */
  const opening = new Map<string, Promise<void>>()

  async function begin(owner: SessionOwner, key: string, turn: KeyedTurn, { run }: KeyedWork): Promise<void> {
    let isOpen = false
    let settle: () => void = () => undefined
    opening.set(turn.messageId, new Promise((resolve) => (settle = resolve)))
    const settled = (): void => {
      opening.delete(turn.messageId)
      settle()
    }
    try {
      await run(turn, () => {
        isOpen = true
        settled()
      })
    } finally {
      // Before anybody who waits looks again.
      if (!isOpen) await keys.release(owner, key, turn.messageId)
      settled()
    }
  }

  return {
    isKnown: async (owner, key) => (await keys.find(owner, key)) !== undefined,
    async answer(ctx, owner, key, request, work) {
      const bodyHash = bodyHashOf(
        request.kind === 'start'
          ? ['start', request.agentId, request.message]
          : ['next', request.sessionId, request.message],
      )
      for (;;) {
        const messageId = ids.newId()
        const sessionId = request.kind === 'start' ? ids.newId() : request.sessionId
        const turn: KeyedTurn = { bodyHash, sessionId, messageId }
        const found = await keys.reserve(owner, key, turn)
        if (found === 'reserved') return begin(owner, key, turn, work)
        if (found.bodyHash !== bodyHash) throw new Problem('idempotency_mismatch')
        work.onFollow()
        await opening.get(found.messageId)
        if (await attached(ctx, found, deps)) return
        const ended = await endedTurn(ctx, found, owner, deps)
        if (ended !== undefined) return replay(ctx, ended, owner, streams)
        await keys.release(owner, key, found.messageId)
      }
    },
  }
}

/** From the first event, live; false where it is not kept here. */
async function attached(
  ctx: Context,
  { messageId }: KeptKey,
  { streams, remote }: Pick<KeyedTurnsDeps, 'streams' | 'remote'>,
): Promise<boolean> {
  const kept = streams.find(messageId)
  if (kept !== undefined) {
    if (kept.after(0) === 'given_up') return false
    await streams.attach(ctx, kept, 0)
    return true
  }
  // While Redis is away the history tells it.
  const elsewhere = await remote?.find(messageId).catch(() => undefined)
  if (remote === undefined || elsewhere?.canRead(0) !== true) return false
  await remote.attach(ctx, elsewhere, 0)
  return true
}

/** The turn once it has ended; undefined for one that never began. @throws Problem 409 when it runs for too long */
async function endedTurn(
  ctx: Context,
  { sessionId, messageId, createdAt, isOwn }: KeptKey,
  owner: SessionOwner,
  { sessions, clock, draining, endMs }: KeyedTurnsDeps,
): Promise<EndedTurn | undefined> {
  const giveUpAt = clock.monotonic() + endMs
  let isRunning = false
  for (;;) {
    // The whole conversation is read only where something may have changed.
    if (!isRunning || (await sessions.holder(sessionId)) !== 'running') {
      const session = await sessions.read(sessionId, owner)
      const message = session?.messages.find(({ id }) => id === messageId)
      if (message?.role === 'assistant' && message.status !== 'running') {
        const trace = await sessions.readTrace(sessionId, messageId, owner)
        return { sessionId, message, trace: trace?.kind === 'trace' ? traceOf(trace.json) : undefined }
      }
      isRunning = message !== undefined
      const mayBegin = !isOwn && clock.wall() - createdAt < BEGIN_MS
      if (!isRunning && !mayBegin) return undefined
    }
    if (clock.monotonic() >= giveUpAt || draining.aborted || ctx.req.socket.destroyed)
      throw retryLater('turn_running', RETRY_SECONDS)
    await new Promise<void>((resolve) => clock.schedule(LOOK_MS, resolve))
  }
}

async function replay(ctx: Context, turn: EndedTurn, owner: SessionOwner, streams: Streams): Promise<void> {
  const end = endOf(turn, languageOf(ctx))
  const { sessionId, message } = turn
  const stream = streams.open(ctx, { streamId: message.id, sessionId, owner, onReaderLost: () => undefined })
  stream.write(textOf(turn))
  stream.end(end)
  await stream.finished
}
