import http from 'node:http'
import https from 'node:https'
import { errorCode } from '../../core/errors.js'

/**
 * What `GET /health` came to. `code` of a bad one: `http_status`, `not_healthy`, `not_json`, `too_large`, `malformed`,
 * `disconnected`, or the system's word (`ECONNREFUSED`, `ECONNRESET`, …).
 */
export type HealthAnswer =
  | { readonly good: true }
  | { readonly good: false; readonly code: string; readonly status?: number }

/** Far more than any health answer has. */
const MAX_BYTES = 65_536

/**
 * Asks the runtime at `url` (no trailing slash) for its health: good is 200 with a JSON object whose `status` is
 * `"healthy"`. Has no deadline of its own; ends at once when `signal` is aborted, and never rejects.
 *
 * Each time on a connection of its own. A kept one would go on being served by a runtime that takes no new connections
 * any more (its accept queue is full, its address leads elsewhere by now), which is what new turns would meet; one
 * connection a second costs next to nothing. No redirects, no proxies.
 */
export function requestHealth(url: URL, signal: AbortSignal): Promise<HealthAnswer> {
  return new Promise((resolve) => {
    const request = (url.protocol === 'https:' ? https : http).get(url, {
      agent: false,
      signal,
      headers: { accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': 'chat-cutover' },
    })
    const settle = (answer: HealthAnswer): void => {
      resolve(answer)
      request.destroy()
    }
    // Stays for good: a destroyed request may still raise an error.
    request.on('error', (error) => settle({ good: false, code: transportCode(error) }))
    let answered = false
    request.once('close', () => {
      // The connection may close before all that was received has been read.
      if (!answered) settle({ good: false, code: 'disconnected' })
    })
    request.once('response', (response) => {
      answered = true
      const { statusCode: status = 0 } = response
      response.on('error', () => settle({ good: false, code: 'disconnected', status }))
      if (status === 200) readBody(response, settle)
      else settle({ good: false, code: 'http_status', status })
    })
  })
}

/** Where to ask. */
export function healthUrl(runtimeUrl: string): URL {
  return new URL(`${runtimeUrl}/health`)
}

function readBody(response: http.IncomingMessage, settle: (answer: HealthAnswer) => void): void {
  const chunks: Buffer[] = []
  let bytes = 0
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MAX_BYTES) settle({ good: false, code: 'too_large', status: 200 })
    else chunks.push(chunk)
  })
  response.once('end', () => settle(healthAnswer(Buffer.concat(chunks).toString('utf8'))))
}

function healthAnswer(body: string): HealthAnswer {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return { good: false, code: 'not_json', status: 200 }
  }
  const healthy =
    typeof value === 'object' && value !== null && 'status' in value && value.status === 'healthy'
  return healthy ? { good: true } : { good: false, code: 'not_healthy', status: 200 }
}

function transportCode(error: Error): string {
  const code = errorCode(error) ?? 'unreachable'
  return code.startsWith('HPE_') ? 'malformed' : code
}
