import { createServer, type ServerResponse } from 'node:http'

/**
 * The upstream of every measured process: a runtime that costs as little as it can. The user message says what to
 * send: `{"events": n, "everyMs": 0 | ms, "firstAfterMs": ms, "hold": true}`; 0 = as fast as the reader takes it.
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

function orderOf(body: string): Order {
  const request: unknown = JSON.parse(body)
  const message =
    typeof request === 'object' && request !== null && 'user_message' in request
      ? String(request.user_message)
      : '{}'
  return { events: 10, everyMs: 0, firstAfterMs: 0, hold: false, ...JSON.parse(message) }
}

function sendFast(response: ServerResponse, events: number): void {
  let left = events
  const more = (): void => {
    while (left > 0) {
      left--
      if (!response.write(TEXT)) {
        response.once('drain', more)
        return
      }
    }
    response.end(END)
  }
  more()
}

function sendPaced(response: ServerResponse, order: Order): void {
  let left = order.events
  const timer = setInterval(() => {
    if (left-- > 0) {
      response.write(TEXT)
      return
    }
    if (order.hold) return
    clearInterval(timer)
    response.end(END)
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
    if (request.url === '/health' || request.url?.endsWith('/cancel')) {
      response.setHeader('content-type', 'application/json')
      response.end('{"status":"healthy","cancelled":true}')
      return
    }
    const order = orderOf(body)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
    const begin = (): void =>
      order.everyMs === 0 ? sendFast(response, order.events) : sendPaced(response, order)
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
