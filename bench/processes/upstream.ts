import { createServer, type ServerResponse } from 'node:http'

/**
 * The upstream of every measured process: a runtime, and an LLM, that cost as little as they can. The user message says what
 * to send: `{"events": n, "everyMs": 0 | ms, "firstAfterMs": ms, "hold": true}`; 0 = as fast as the reader takes it. With `hold` and a pace,
 * the stream stays open after them and gets one event each 20 s.
 */
interface Order {
  readonly events: number
  readonly everyMs: number
  readonly firstAfterMs: number
  readonly hold: boolean
}

const frame = (event: string, data: object): string =>
  `data: ${JSON.stringify({ event, data, timestamp: '2026-01-01T00:00:00.000000' })}\r\n\r\n`

const TEXT = frame('text_chunk', { content: 'twenty-four characters. ' })
const END = `${frame('execution_complete', { final_response: '' })}data: [DONE]\r\n\r\n`

const LLM_TEXT = `data: ${JSON.stringify({ choices: [{ delta: { content: 'twenty-four characters. ' } }] })}\n\n`
const LLM_END = `data: ${JSON.stringify({ choices: [{ delta: {}, finish_reason: 'stop' }] })}\n\ndata: [DONE]\n\n`

/** What is sent for a piece of text, and at the end. */
interface Wire {
  readonly text: string
  readonly end: string
}
const RUNTIME: Wire = { text: TEXT, end: END }
const LLM: Wire = { text: LLM_TEXT, end: LLM_END }

function orderOf(body: string): Order {
  const request: { user_message?: string; messages?: { content: string }[] } = JSON.parse(body)
  const message = request.user_message ?? request.messages?.at(-1)?.content ?? '{}'
  return { events: 10, everyMs: 0, firstAfterMs: 0, hold: false, ...JSON.parse(message) }
}

function sendFast(response: ServerResponse, events: number, wire: Wire): void {
  let left = events
  const more = (): void => {
    while (left > 0) {
      left--
      if (!response.write(wire.text)) {
        response.once('drain', more)
        return
      }
    }
    response.end(wire.end)
  }
  more()
}

/** ms between two events of a stream that is held open: a third of the time after which the service gives a silent one up */
const HELD_MS = 20_000

function sendPaced(response: ServerResponse, order: Order, wire: Wire): void {
  let left = order.events
  let timer = setInterval(() => {
    if (left-- > 0) {
      response.write(wire.text)
      return
    }
    clearInterval(timer)
    if (order.hold) timer = setInterval(() => response.write(wire.text), HELD_MS)
    else response.end(wire.end)
  }, order.everyMs)
  response.on('close', () => clearInterval(timer))
}

const server = createServer((request, response) => {
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (chunk: string) => {
    body += chunk
  })
  request.on('end', () => {
    // Health, cancels, and the list of models.
    if (request.method === 'GET' || request.url?.endsWith('/cancel')) {
      response.setHeader('content-type', 'application/json')
      response.end('{"status":"healthy","cancelled":true}')
      return
    }
    const order = orderOf(body)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
    const wire = request.url?.endsWith('/chat/completions') ? LLM : RUNTIME
    const begin = (): void =>
      order.everyMs === 0 ? sendFast(response, order.events, wire) : sendPaced(response, order, wire)
    if (order.firstAfterMs > 0) setTimeout(begin, order.firstAfterMs)
    else begin()
  })
})

server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null)
    process.stdout.write(`${JSON.stringify({ msg: 'listening', url: `http://127.0.0.1:${address.port}` })}\n`)
})
