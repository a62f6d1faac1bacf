import http from 'node:http'
import https from 'node:https'
import got from 'got'
import type { Receipt } from './receipt.js'

export interface SendRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
}

/** Resolves with the answer, whatever its status; rejects with an error that has a `code`. Ends at once on abort. */
export type Send = (request: SendRequest) => Promise<Receipt>

/** bytes of an answer that are read; the rest is nobody's concern */
const MAX_ANSWER = 4_096

/** One request on a connection of its own: no retries, no redirects (the address is a secret), no decompression. */
export const send: Send = ({ url, headers, body, signal }) =>
  new Promise((resolve, reject) => {
    const request = got.stream.post(url, {
      body,
      headers: { 'user-agent': 'chat-cutover', 'accept-encoding': 'identity', ...headers },
      agent: { http: new http.Agent(), https: new https.Agent() },
      retry: { limit: 0 },
      throwHttpErrors: false,
      followRedirect: false,
      decompress: false,
    })
    let response: http.IncomingMessage | undefined
    let text = ''
    const end = (fault?: unknown): void => {
      signal.removeEventListener('abort', onAbort)
      // Once the status is known the rest may stay away: asking again would tell the same thing twice.
      if (response === undefined) reject(fault)
      else resolve(receipt(response, text))
      request.destroy()
    }
    const onAbort = (): void => end(signal.reason)
    // Stays for good: got may raise an error after the answer was taken.
    request.on('error', end)
    request.once('response', (head: http.IncomingMessage) => {
      response = head
      request.on('data', (chunk: Buffer) => {
        text += chunk.toString('utf8')
        if (text.length >= MAX_ANSWER) end()
      })
      request.once('end', () => end())
    })
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })

function receipt(response: http.IncomingMessage, body: string): Receipt {
  const retryAfter = response.headers['retry-after']
  return { status: response.statusCode ?? 0, ...(retryAfter === undefined ? {} : { retryAfter }), body }
}
