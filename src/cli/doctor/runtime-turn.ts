import { randomUUID } from 'node:crypto'
import { createParser } from 'eventsource-parser'
import { z } from 'zod'
import { errorCode, errorText } from '../../core/errors.js'

/** What a runtime answered to one turn. */
export type RuntimeTurn =
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly contentType: string
      /** header `X-Chat-Shadow` */
      readonly fence: string
      /** names of the events, in their order */
      readonly events: readonly string[]
      readonly text: string
      /** `[DONE]` came */
      readonly done: boolean
      /** frames that are no event of the protocol */
      readonly unreadable: number
      /** the message of an `execution_error` */
      readonly error?: string
    }
  | { readonly kind: 'failed'; readonly why: string }

export interface RuntimeQuestion {
  readonly message: string
  /** the turns before it */
  readonly history?: readonly { readonly role: 'user' | 'assistant'; readonly content: string }[]
  readonly shadow?: boolean
}

/** ms for a whole turn: a model may have to be loaded first */
const DEADLINE_MS = 120_000
/** characters of an answer that are read */
const MAX_ANSWER = 1_048_576
/** after so many frames that are no event nothing better is to be expected */
const MAX_UNREADABLE = 10

const eventSchema = z.looseObject({
  event: z.string(),
  data: z
    .looseObject({
      content: z.string().optional(),
      final_response: z.string().nullish(),
      error: z.string().optional(),
    })
    .nullish(),
})

/** Sends one turn as the service does, and reads its answer to the end. Never rejects. */
export async function runtimeTurn(
  url: string,
  question: RuntimeQuestion,
  interrupted: AbortSignal,
): Promise<RuntimeTurn> {
  try {
    const response = await fetch(`${url}/api/v1/execute/stream`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        'x-request-id': randomUUID(),
        ...(question.shadow === true ? { 'x-chat-shadow': '1' } : {}),
      },
      body: JSON.stringify(turnBody(question)),
      redirect: 'manual',
      signal: AbortSignal.any([interrupted, AbortSignal.timeout(DEADLINE_MS)]),
    })
    const { status, headers } = response
    const head = {
      kind: 'answer' as const,
      status,
      contentType: headers.get('content-type') ?? '',
      fence: headers.get('x-chat-shadow')?.trim().toLowerCase() ?? '',
    }
    return { ...head, ...(await readAnswer(response)) }
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === 'TimeoutError')
      return { kind: 'failed', why: `no end within ${DEADLINE_MS / 1000} s` }
    const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown
    return { kind: 'failed', why: errorCode(cause) ?? errorText(cause) }
  }
}

/** The history ends with the present message, as the service sends it. */
function turnBody({ message, history = [], shadow }: RuntimeQuestion): object {
  const id = randomUUID()
  return {
    session_id: shadow === true ? `shadow:${id}` : id,
    agent_id: 'runtime-check',
    org_id: 'runtime-check',
    user_message: message,
    history_messages: [...history, { role: 'user', content: message }],
    metadata: { user_id: 'runtime-check', message_id: randomUUID(), shadow },
  }
}

async function readAnswer(response: Response) {
  const events: string[] = []
  const answer = { events, text: '', done: false, unreadable: 0 }
  let error: string | undefined
  const parser = createParser({
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
      events.push(event.event)
      if (event.event === 'text_chunk') answer.text += event.data?.content ?? ''
      if (event.event === 'execution_complete' && answer.text === '')
        answer.text = event.data?.final_response ?? ''
      if (event.event === 'execution_error') error = event.data?.error ?? ''
    },
  })
  const decoder = new TextDecoder()
  let read = 0
  for await (const bytes of response.body ?? []) {
    read += bytes.length
    if (read > MAX_ANSWER || answer.unreadable >= MAX_UNREADABLE) break
    parser.feed(decoder.decode(bytes, { stream: true }))
  }
  return { ...answer, ...(error === undefined ? {} : { error }) }
}

function eventOf(data: string): z.infer<typeof eventSchema> | undefined {
  try {
    return eventSchema.safeParse(JSON.parse(data)).data
  } catch {
    return undefined
  }
}
