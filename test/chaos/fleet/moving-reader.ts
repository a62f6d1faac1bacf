import { setTimeout as sleep } from 'node:timers/promises'
import { parseEvents } from '../../support/chat-client.js'
import type { Target } from '../traffic.js'

/** How a turn ended whose reader goes to another replica in mid-answer. */
export type MoveKind =
  /** the whole answer, its rest from another replica */
  | 'elsewhere'
  /** the whole answer, but its rest only from the replica that runs it, as without Redis */
  | 'same'
  /** one `error` event at the end */
  | 'told'
  /** no terminal event, an event twice or left out, or a wrong text */
  | 'broken'

export interface Move {
  readonly message: string
  readonly kind: MoveKind
  readonly detail: string
  /** ms from the broken connection to the first answer of another replica */
  readonly tookMs: number
}

export type Event = ReturnType<typeof parseEvents>[number]

/** events after which the connection breaks: the answer has begun */
const READ_FIRST = 3
const PAUSE_MS = 100
/** beyond the 16 s within which a stream of a killed replica ends */
const PATIENCE_MS = 25_000

export interface MovingReader {
  readonly message: string
  readonly authorization: string
  /** the first one runs the turn */
  readonly targets: readonly Target[]
}

/** One turn on the first replica, resumed on the others. Never rejects. */
export async function readMoving(reader: MovingReader): Promise<Move> {
  const events: Event[] = []
  const move = (kind: MoveKind, detail: string, tookMs = 0): Move => ({
    message: reader.message,
    kind,
    detail,
    tookMs,
  })
  try {
    const streamId = await begin(reader, events)
    if (streamId === undefined) return move('broken', 'it did not begin on any replica')
    const leftAt = performance.now()
    const readBy = await goOn(reader, streamId, events)
    const tookMs = performance.now() - leftAt
    const wrong = faultOf(events, reader.message)
    if (wrong !== '') return move('broken', wrong, tookMs)
    const last = events.at(-1)
    if (last?.event === 'error') return move('told', JSON.stringify(last.data).slice(0, 80), tookMs)
    return move(readBy === reader.targets[0]?.replica ? 'same' : 'elsewhere', '', tookMs)
  } catch (thrown) {
    return move('broken', `${thrown}`)
  }
}

/** The same message with the same key to one replica after the other, until one has taken it; read for a few events. */
async function begin({ targets, ...reader }: MovingReader, events: Event[]): Promise<string | undefined> {
  for (const { url } of targets) {
    const response = await answerOf(`${url}/api/v1/chat/start`, {
      method: 'POST',
      headers: {
        authorization: reader.authorization,
        'content-type': 'application/json',
        'idempotency-key': reader.message,
      },
      body: JSON.stringify({ agentId: 'assistant', message: reader.message }),
    })
    const streamId = response?.headers.get('x-chat-stream-id')
    if (response?.status !== 200 || streamId === null || streamId === undefined) continue
    await read(response, events, READ_FIRST)
    return streamId
  }
  return undefined
}

/** Round the replicas, the one that runs the turn last, to the terminal event; gives who sent it. */
async function goOn(
  { targets, authorization }: MovingReader,
  streamId: string,
  events: Event[],
): Promise<string> {
  const [owner, ...others] = targets
  const round = owner === undefined ? others : [...others, owner]
  const endsAt = performance.now() + PATIENCE_MS
  for (let at = 0; !isOver(events); at += 1) {
    const target = round[at % round.length]
    if (target === undefined) throw new Error('no replica')
    if (performance.now() > endsAt) throw new Error(`no end within ${PATIENCE_MS / 1000} s`)
    const response = await answerOf(`${target.url}/api/v1/chat/streams/${streamId}`, {
      headers: { authorization, 'last-event-id': String(events.at(-1)?.id ?? 0) },
    })
    if (response?.status === 200) await read(response, events)
    else await response?.body?.cancel()
    if (isOver(events)) return target.replica
    await sleep(PAUSE_MS)
  }
  // The first few events were all there were.
  return owner?.replica ?? ''
}

const isOver = (events: readonly Event[]): boolean =>
  events.some(({ event }) => event === 'done' || event === 'error')

async function answerOf(url: string, init: RequestInit): Promise<Response | undefined> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) })
  } catch {
    return undefined
  }
}

/** Whole events, until the stream ends or breaks, or there are so many. */
async function read(
  response: Response,
  events: Event[],
  most: number = Number.POSITIVE_INFINITY,
): Promise<void> {
  let text = ''
  let taken = 0
  const decoder = new TextDecoder()
  try {
    for await (const piece of response.body ?? []) {
      text += decoder.decode(piece, { stream: true })
      const end = text.lastIndexOf('\n\n')
      if (end < 0) continue
      const whole = parseEvents(text.slice(0, end + 2)).filter(({ id }) => id !== undefined)
      text = text.slice(end + 2)
      events.push(...whole)
      taken += whole.length
      if (taken >= most) return
    }
  } catch {
    // The connection broke: what was read stays.
  }
}

/** Pure. `""`, or what is wrong with all events of the turn. */
export function faultOf(events: readonly Event[], message: string): string {
  const wrongId = events.findIndex(({ id }, at) => id !== at + 1)
  if (wrongId >= 0) return `event ${events[wrongId]?.id} where ${wrongId + 1} should be`
  const ends = events.filter(({ event }) => event === 'done' || event === 'error')
  const last = events.at(-1)
  if (ends.length !== 1 || last !== ends[0]) return `${ends.length} terminal events`
  if (last?.event === 'error') return ''
  const text = events.map(textOf).join('')
  const by = text.startsWith('[direct]') ? 'direct' : 'runtime'
  return text === `[${by}] Answer 1 to: ${message}` ? '' : `a wrong text: ${text.slice(0, 60)}`
}

function textOf({ event, data }: Event): string {
  if (event !== 'message') return ''
  const { type, data: inner } = data as { type?: string; data?: { content?: string } }
  return type === 'text' ? (inner?.content ?? '') : ''
}
