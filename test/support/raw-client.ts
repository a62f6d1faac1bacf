import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { until } from './until.js'

/** One TCP connection as a test sees it: every byte, and every pause. */
export interface RawClient {
  readonly socket: Socket
  /** everything received, decoded as UTF-8 */
  received(): string
  closed(): boolean
  /** Resolves with everything received once it contains `text`. */
  waitFor(text: string, deadlineMs?: number): Promise<string>
  waitForClose(deadlineMs?: number): Promise<string>
}

export async function rawClient(port: number): Promise<RawClient> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  /** of all chunks, until another one comes: tests look again and again */
  let text: string | undefined
  let closed = false
  socket.on('data', (chunk) => {
    chunks.push(chunk)
    text = undefined
  })
  socket.on('error', () => undefined)
  socket.on('close', () => {
    closed = true
  })
  await once(socket, 'connect')
  socket.unref()
  const received = (): string => {
    text ??= Buffer.concat(chunks).toString()
    return text
  }
  return {
    socket,
    received,
    closed: () => closed,
    async waitFor(awaited, deadlineMs) {
      await until(`"${awaited}"`, () => received().includes(awaited), deadlineMs)
      return received()
    },
    async waitForClose(deadlineMs) {
      await until('the connection to close', () => closed, deadlineMs)
      return received()
    },
  }
}

/** A request as text; the body's length is added. */
export function httpText(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body = '',
): string {
  const all = {
    Host: 'localhost',
    ...headers,
    ...(body === '' ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }),
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`
}

/** Sends `POST /chat/start` on a connection of its own. */
export async function rawStart(port: number, authorization: string, message = 'Hi'): Promise<RawClient> {
  const client = await rawClient(port)
  const headers = { Authorization: authorization, 'Content-Type': 'application/json' }
  client.socket.write(
    httpText('POST', '/api/v1/chat/start', headers, JSON.stringify({ agentId: 'assistant', message })),
  )
  return client
}

/** The body of one chunked answer, and its chunks one by one. */
export function chunksOf(answer: string): string[] {
  let rest = Buffer.from(answer.slice(answer.indexOf('\r\n\r\n') + 4))
  const chunks: string[] = []
  for (;;) {
    const lineEnd = rest.indexOf('\r\n')
    const size = Number.parseInt(rest.subarray(0, lineEnd).toString(), 16)
    if (lineEnd < 0 || !(size > 0)) return chunks
    chunks.push(rest.subarray(lineEnd + 2, lineEnd + 2 + size).toString())
    rest = rest.subarray(lineEnd + 4 + size)
  }
}
