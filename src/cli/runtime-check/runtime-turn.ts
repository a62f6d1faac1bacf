import { randomUUID } from 'node:crypto'
import { createParser } from 'eventsource-parser'
import { z } from 'zod'
import { errorCode, errorText } from '../../core/errors.js'
import { withoutLogin } from '../../core/net/login-of-url.js'
import type { RuntimeEvent } from './event-shapes.js'

/** How the lines of a stream end. */
export type LineEnds = 'CRLF' | 'LF' | 'CR' | 'mixed' | 'none'

/** What a runtime answered to one turn. */
export interface RuntimeAnswer {
  readonly kind: 'answer'
  readonly status: number
  readonly contentType: string
  /** header `X-Chat-Shadow` */
  readonly fence: string
  /** `X-Request-ID` came back as it was sent */
  readonly echoesId: boolean
  readonly events: readonly RuntimeEvent[]
  readonly text: string
  /** `[DONE]` came */
  readonly done: boolean
  /** frames that are no event of the protocol */
  readonly unreadable: number
  readonly lineEnds: LineEnds
  /** `ping` events and comments */
  readonly pings: number
  /** ms: the longest time without a byte, after the response head */
  readonly silentMs: number
  /** the message of an `execution_error` */
  readonly error?: string
}

export type RuntimeTurn = RuntimeAnswer | { readonly kind: 'failed'; readonly why: string }

export interface RuntimeQuestion {
  readonly message: string
  /** the turns before it */
  readonly history?: readonly { readonly role: 'user' | 'assistant'; readonly content: string }[]
  readonly shadow?: boolean
  /** default: a new one */
  readonly sessionId?: string
  /** Called once, when the first event is there. */
  onFirstEvent?(): void
}

export interface TurnSurroundings {
  readonly interrupted: AbortSignal
  /** ms */
  now(): number
}

/** ms for a whole turn: a model may have to be loaded first */
const DEADLINE_MS = 120_000
/** characters of an answer that are read */
const MAX_ANSWER = 1_048_576
/** after so many frames that are no event nothing better is to be expected */
const MAX_UNREADABLE = 10

const eventSchema = z.looseObject({ event: z.string(), data: z.unknown() })
const contentSchema = z.looseObject({
  content: z.string().optional(),
  final_response: z.string().nullish(),
  error: z.string().optional(),
})

/** Sends one turn as the service does, and reads its answer to the end. Never rejects. */
export async function runtimeTurn(
  url: string,
  question: RuntimeQuestion,
  around: TurnSurroundings,
): Promise<RuntimeTurn> {
  const requestId = randomUUID()
  try {
    const asked = withoutLogin(`${url}/api/v1/execute/stream`, {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      'x-request-id': requestId,
      ...(question.shadow === true ? { 'x-chat-shadow': '1' } : {}),
    })
    const response = await fetch(asked.url, {
      method: 'POST',
      headers: asked.headers,
      body: JSON.stringify(turnBody(question)),
      redirect: 'manual',
      signal: AbortSignal.any([around.interrupted, AbortSignal.timeout(DEADLINE_MS)]),
    })
    const { status, headers } = response
    const head = {
      kind: 'answer' as const,
      status,
      contentType: headers.get('content-type') ?? '',
      fence: headers.get('x-chat-shadow')?.trim().toLowerCase() ?? '',
      echoesId: headers.get('x-request-id') === requestId,
    }
    return { ...head, ...(await readAnswer(response, question, around)) }
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === 'TimeoutError')
      return { kind: 'failed', why: `no end within ${DEADLINE_MS / 1000} s` }
    const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown
    return { kind: 'failed', why: errorCode(cause) ?? errorText(cause) }
  }
}

/** The history ends with the present message, as the service sends it. */
function turnBody({ message, history = [], shadow, sessionId = randomUUID() }: RuntimeQuestion): object {
  return {
    session_id: shadow === true ? `shadow:${sessionId}` : sessionId,
    agent_id: 'runtime-check',
    org_id: 'runtime-check',
    user_message: message,
    history_messages: [...history, { role: 'user', content: message }],
    metadata: { user_id: 'runtime-check', message_id: randomUUID(), shadow },
  }
}

async function readAnswer(response: Response, question: RuntimeQuestion, { now }: TurnSurroundings) {
  const events: RuntimeEvent[] = []
  const answer = { events, text: '', done: false, unreadable: 0, pings: 0, silentMs: 0 }
  let error: string | undefined
  const parser = createParser({
    onComment: () => {
      answer.pings += 1
    },
    onEvent({ data }) {
      if (data.trim() === '[DONE]') {
        answer.done = true
        return
      }
      const event = eventOf(data)
      if (event === undefined) {
        answer.unreadable += 1
        return
      }
      if (event.event === 'ping') answer.pings += 1
      events.push(event)
      if (events.length === 1) question.onFirstEvent?.()
      const { data: told } = contentSchema.safeParse(event.data)
      if (event.event === 'text_chunk') answer.text += told?.content ?? ''
      if (event.event === 'execution_complete' && answer.text === '') answer.text = told?.final_response ?? ''
      if (event.event === 'execution_error') error = told?.error ?? ''
    },
  })
  const decoder = new TextDecoder()
  const lines = new LineEndCount()
  let read = 0
  let lastAt = now()
  for await (const bytes of response.body ?? []) {
    const at = now()
    answer.silentMs = Math.max(answer.silentMs, at - lastAt)
    lastAt = at
    read += bytes.length
    if (read > MAX_ANSWER || answer.unreadable >= MAX_UNREADABLE) break
    const text = decoder.decode(bytes, { stream: true })
    lines.add(text)
    parser.feed(text)
  }
  return { ...answer, lineEnds: lines.ends, ...(error === undefined ? {} : { error }) }
}

/** Which line ends a stream has, read piece by piece. */
class LineEndCount {
  readonly #seen = new Set<LineEnds>()
  #carry = ''

  add(text: string): void {
    const whole = this.#carry + text
    // A CR at the end may be half of a CRLF.
    this.#carry = whole.endsWith('\r') ? '\r' : ''
    const ready = this.#carry === '' ? whole : whole.slice(0, -1)
    for (const [end] of ready.matchAll(/\r\n|\n|\r/g)) this.#seen.add(NAMES[end] ?? 'CR')
  }

  get ends(): LineEnds {
    if (this.#carry !== '') this.#seen.add('CR')
    const [only] = this.#seen
    return this.#seen.size > 1 ? 'mixed' : (only ?? 'none')
  }
}

const NAMES: Readonly<Record<string, LineEnds>> = { '\r\n': 'CRLF', '\n': 'LF', '\r': 'CR' }

function eventOf(data: string): RuntimeEvent | undefined {
  try {
    return eventSchema.safeParse(JSON.parse(data)).data
  } catch {
    return undefined
  }
}
