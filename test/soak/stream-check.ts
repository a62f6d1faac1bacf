import { parseEvents } from '../support/chat-client.js'

/** What a client has of a turn's stream, over all its connections. */
export interface Heard {
  /** ids in the order they came */
  readonly lastId: number
  readonly text: string
  readonly terminal: { readonly event: 'done' | 'error'; readonly stopped: boolean } | undefined
  /** what is against the protocol; `""` where nothing is */
  readonly fault: string
}

export const NOTHING_HEARD: Heard = { lastId: 0, text: '', terminal: undefined, fault: '' }

/** Pure. The whole frames of one more connection; a torn frame at the end of a cut one is left out. */
export function hear(heard: Heard, body: string): Heard {
  const end = body.lastIndexOf('\n\n')
  let now = heard
  for (const event of end < 0 ? [] : parseEvents(body.slice(0, end + 2))) {
    if (event.event !== 'heartbeat') now = hearOne(now, event)
    if (now.fault !== '') return now
  }
  return now
}

function hearOne(heard: Heard, { event, id, data }: ReturnType<typeof parseEvents>[number]): Heard {
  if (heard.terminal !== undefined) return { ...heard, fault: `${event} after the terminal event` }
  if (id !== heard.lastId + 1) return { ...heard, fault: `event ${id} after ${heard.lastId}` }
  switch (event) {
    case 'message':
      return { ...heard, lastId: id, text: heard.text + textOf(data) }
    case 'done':
    case 'error':
      return { ...heard, lastId: id, terminal: { event, stopped: field(data, 'stopped') === true } }
    default:
      return { ...heard, fault: `unknown event ${event}` }
  }
}

/** Pure. What is wrong with a stream that nobody cut; `""` where it is as promised. */
export function faultOf({ terminal, text, fault }: Heard, message: string): string {
  if (fault !== '') return fault
  if (terminal === undefined) return 'no terminal event'
  const said = /^\[(?:direct|runtime)\] Answer \d+ to: (.*)$/s.exec(text)?.[1]
  if (terminal.event === 'done' && !terminal.stopped && said !== message)
    return `done without the whole answer: ${text.length} characters`
  return ''
}

function textOf(data: unknown): string {
  const content = field(data, 'type') === 'text' ? field(field(data, 'data'), 'content') : ''
  return typeof content === 'string' ? content : ''
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
