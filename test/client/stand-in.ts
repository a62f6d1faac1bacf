import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface StandIn {
  readonly url: string
  /** `POST /api/v1/chat/start` and so on, with the id they go on from */
  readonly calls: string[]
  close(): Promise<void>
}

type Handler = (request: IncomingMessage, response: ServerResponse, call: number) => void

/** A service that does what a real one does seldom: `handle` answers each call, counted from 1. */
export async function standIn(handle: Handler): Promise<StandIn> {
  const calls: string[] = []
  const server = createServer((request, response) => {
    request.resume()
    const from = request.headers['last-event-id']
    calls.push(`${request.method} ${request.url}${from === undefined ? '' : ` from ${from}`}`)
    handle(request, response, calls.length)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

export const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'x-chat-stream-id': 'stream-1',
  'x-chat-session-id': 'session-1',
}
export const RESUMABLE = { ...STREAM_HEADERS, 'x-chat-stream-token': 'token-1' }

export const textEvent = (id: number, content: string): string =>
  `event: message\nid: ${id}\ndata: ${JSON.stringify({ id: `m-${id}`, type: 'text', data: { content }, timestamp: '2026-01-31T08:00:00.000Z' })}\n\n`

export const doneEvent = (id: number): string =>
  `event: done\nid: ${id}\ndata: ${JSON.stringify({ sessionId: 'session-1', messageId: 'stream-1' })}\n\n`
