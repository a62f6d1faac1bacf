import { createServer, type RequestListener, type Server } from 'node:http'
import { answerClientError } from './client-error.js'

/** ms */
export interface ServerTiming {
  /** how long an idle connection is kept: longer than the 60 s of most load balancers, so that they close it first */
  readonly keepAliveMs: number
  /** until the headers of a request have to be there */
  readonly headersMs: number
  /** until the whole request has to be there */
  readonly requestMs: number
  /** between two looks for connections that are late: what is late is closed at the next one */
  readonly checkMs: number
}

/** The last three are Node's own defaults, set here so that a new Node does not change them. */
export const SERVER_TIMING: ServerTiming = {
  keepAliveMs: 65_000,
  headersMs: 60_000,
  requestMs: 300_000,
  checkMs: 30_000,
}

/** A server that gives our form of answer also to what never becomes a request: bytes that are not HTTP, headers that are late or too large. */
export function createHttpServer(handler: RequestListener, timing: Partial<ServerTiming> = {}): Server {
  const { keepAliveMs, headersMs, requestMs, checkMs } = { ...SERVER_TIMING, ...timing }
  const server = createServer(
    {
      keepAliveTimeout: keepAliveMs,
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: checkMs,
    },
    handler,
  )
  server.on('clientError', answerClientError)
  return server
}
