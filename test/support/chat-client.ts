import {
  type DoneEvent,
  doneEventSchema,
  type ErrorEvent,
  errorEventSchema,
  messageEventSchema,
} from '../../src/protocol/events.js'

/** One turn as a client saw it, checked against the public schemas. */
export interface TurnSeen {
  readonly status: number
  readonly sessionId: string
  readonly events: readonly { event: string; id?: number; data: unknown }[]
  readonly text: string
  readonly terminal: { event: 'done'; data: DoneEvent } | { event: 'error'; data: ErrorEvent } | undefined
}

const TURN_DEADLINE_MS = 30_000

export async function postTurn(
  url: string,
  authorization: string,
  path: string,
  body: object,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${url}/api/v1/chat/${path}`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TURN_DEADLINE_MS),
  })
}

/** Starts a session and reads its stream to the end. */
export async function startTurn(url: string, authorization: string, message = 'Hello'): Promise<TurnSeen> {
  return readTurn(await postTurn(url, authorization, 'start', { agentId: 'assistant', message }))
}

export async function nextTurn(
  url: string,
  authorization: string,
  sessionId: string,
  message = 'And then?',
): Promise<TurnSeen> {
  return readTurn(await postTurn(url, authorization, `sessions/${sessionId}`, { message }))
}

export async function readTurn(response: Response): Promise<TurnSeen> {
  const body = await response.text()
  return turnSeen(response, response.ok ? parseEvents(body) : [])
}

function turnSeen(response: Response, events: { event: string; id?: number; data: unknown }[]): TurnSeen {
  let text = ''
  let terminal: TurnSeen['terminal']
  let lastId = 0
  for (const { event, id, data } of events) {
    if (event === 'heartbeat') continue
    if (terminal !== undefined) throw new Error(`an event after the terminal one: ${event}`)
    if (id !== lastId + 1) throw new Error(`id ${id} after ${lastId}`)
    lastId = id
    if (event === 'done') terminal = { event, data: doneEventSchema.parse(data) }
    else if (event === 'error') terminal = { event, data: errorEventSchema.parse(data) }
    else {
      const message = messageEventSchema.parse(data)
      if (message.type === 'text') text += message.data.content
    }
  }
  return {
    status: response.status,
    sessionId: response.headers.get('x-chat-session-id') ?? '',
    events,
    text,
    terminal,
  }
}

/** The stream as the oldest clients read it: split on LF alone. */
export function parseEvents(body: string): { event: string; id?: number; data: unknown }[] {
  return body
    .split('\n\n')
    .filter((frame) => frame !== '' && !frame.startsWith(':'))
    .map((frame) => {
      const fields = new Map(
        frame.split('\n').map((line) => {
          const at = line.indexOf(': ')
          return [line.slice(0, at), line.slice(at + 2)] as const
        }),
      )
      const id = fields.get('id')
      return {
        event: fields.get('event') ?? '',
        ...(id === undefined ? {} : { id: Number(id) }),
        data: JSON.parse(fields.get('data') ?? 'null'),
      }
    })
}
