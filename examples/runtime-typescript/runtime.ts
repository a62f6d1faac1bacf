// A runtime in TypeScript, without dependencies, that answers by echo. Replace `think`; keep the rest.
// npx tsx runtime.ts 8000
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

type Told = readonly [event: string, data: object]
const running = new Map<unknown, AbortController>() // the newest execution of each session
const PING_MS = 15_000

/** The agent. In a shadow it must change nothing in the world. */
async function* think(message: string, isShadow: boolean, signal: AbortSignal): AsyncGenerator<Told> {
  yield ['thinking', { content: 'Reading the message.', stage: 'analysis' }]
  if (message.includes('tool') && !isShadow) {
    yield ['tool_call_start', { tool_name: 'clock', arguments: {} }]
    yield ['tool_call_complete', { tool_name: 'clock', result: 'noon', success: true }]
  }
  for (const word of `You said: ${message}`.split(' ')) {
    await sleep(20, undefined, { signal })
    yield ['text_chunk', { content: `${word} ` }]
  }
}

async function execute(
  sessionId: string,
  message: string,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const isShadow = request.headers['x-chat-shadow'] === '1'
  const stop = new AbortController()
  running.set(sessionId, stop)
  response.once('close', () => stop.abort()) // the service has gone away
  response.setHeader('content-type', 'text/event-stream')
  response.setHeader('x-request-id', request.headers['x-request-id'] ?? '')
  if (isShadow) response.setHeader('x-chat-shadow', 'honoured')
  const tell = ([event, data]: Told) => response.write(`data: ${JSON.stringify({ event, data })}\r\n\r\n`)
  const pings = setInterval(() => response.write(': ping\r\n\r\n'), PING_MS)
  try {
    for await (const told of think(message, isShadow, stop.signal)) tell(told)
    tell(['execution_complete', {}])
  } catch (thrown) {
    // Told as an error, never as text of the answer.
    const code = stop.signal.aborted ? 'EXECUTION_CANCELLED' : 'AGENT_FAILED'
    tell(['execution_error', { error: thrown instanceof Error ? thrown.name : 'Error', code }])
  } finally {
    clearInterval(pings)
    if (running.get(sessionId) === stop) running.delete(sessionId)
    response.end('data: [DONE]\r\n\r\n')
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

const server = createServer(async (request, response) => {
  if (request.url === '/health') return send(response, 200, { status: 'healthy' })
  const body: unknown = await json(request).catch(() => undefined)
  const { session_id: id, user_message: message }: Record<string, unknown> = Object(body)
  if (request.url === '/api/v1/execute/stream') {
    if (typeof id === 'string' && typeof message === 'string') return execute(id, message, request, response)
    return send(response, 422, { detail: 'session_id and user_message are required' })
  }
  if (request.url !== '/api/v1/execute/cancel') return send(response, 404, { detail: 'Not Found' })
  if (typeof id !== 'string') return send(response, 400, { error: 'session_id is required' })
  const stop = running.get(id)
  stop?.abort()
  send(response, 200, { cancelled: stop !== undefined, session_id: id })
})
const port = Number(process.argv[2] ?? 8000)
server.listen(port, () => console.log(`The example runtime listens on http://localhost:${port}`))
