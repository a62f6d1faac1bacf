import type { Duplex } from 'node:stream'
import { errorCode } from '../../core/errors.js'
import type { ErrorBody } from '../../protocol/api.js'
import { PROBLEMS, type ProblemName } from './problems.js'

/** What Node's parser refuses; anything else is not HTTP. */
const KINDS: Readonly<Record<string, { readonly status: string; readonly problem: ProblemName }>> = {
  HPE_HEADER_OVERFLOW: { status: '431 Request Header Fields Too Large', problem: 'headers_too_large' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: '408 Request Timeout', problem: 'request_late' },
}
const NOT_HTTP = { status: '400 Bad Request', problem: 'not_http' } as const

/**
 * Answers what never became a request (listener of the server's `clientError`), in the envelope too. Nothing of it was
 * read, so neither a language nor a request id is known. An answer under way is cut, for nothing can be added to it.
 */
export function answerClientError(error: Error, socket: Duplex): void {
  const code = errorCode(error) ?? ''
  if (code === 'ECONNRESET' || !socket.writable || hasAnswer(socket)) {
    socket.destroy()
    return
  }
  const { status, problem } = KINDS[code] ?? NOT_HTTP
  const kind = PROBLEMS[problem]
  const body: ErrorBody = { success: false, error: { code: kind.code, message: kind['zh-CN'] } }
  const text = JSON.stringify(body)
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Cache-Control: no-store',
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`)
}

/** Node keeps the response that is being written to a socket there. */
function hasAnswer(socket: object): boolean {
  const message: unknown = Reflect.get(socket, '_httpMessage')
  return typeof message === 'object' && message !== null && Reflect.get(message, 'headersSent') === true
}
