import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { type Faults, faultsSchema, parseFaults } from './faults.js'

export interface SimulatorOptions {
  /** 0, the default, takes a free one */
  readonly port?: number
  readonly host?: string
}

/** One request as it was received. */
export interface ReceivedRequest {
  readonly method: string
  readonly path: string
  /** the query, without its question mark */
  readonly search: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A running simulator, also usable inside a test. */
export interface Simulator {
  readonly url: string
  readonly port: number
  /** the latest requests but those to `/_…`, oldest first; the earliest are dropped beyond a bound */
  readonly requests: readonly ReceivedRequest[]
  /** connections open now */
  readonly connections: number
  /** connections ever accepted */
  readonly accepted: number
  faults: Faults
  close(): Promise<void>
}

/** What answers a request; faults are those in effect when it came. */
export type Handler = (
  request: ReceivedRequest,
  response: ServerResponse,
  faults: Faults,
) => Promise<void> | void

const MAX_BODY_BYTES = 8_388_608
const MAX_KEPT = 1000

/**
 * Listens, keeps what it receives, and serves `/_faults` and `/_requests`; the rest is the handler's.
 * @param describe what `/_requests` tells of a request beside its head
 */
export async function startSimulator(
  options: SimulatorOptions,
  handler: Handler,
  describe: (request: ReceivedRequest) => object = () => ({}),
): Promise<Simulator> {
  const host = options.host ?? '127.0.0.1'
  const sockets = new Set<Socket>()
  const requests: ReceivedRequest[] = []
  let faults: Faults = {}
  let accepted = 0

  const server = createServer({ keepAliveTimeout: 5000 }, (message, response) => {
    const [path = '/', search = ''] = (message.url ?? '/').split('?')
    if (faults.refuse === true && path !== '/_faults') message.socket.resetAndDestroy()
    else answer(message, response, path, search).catch(() => response.destroy())
  })
  server.on('connection', (socket) => {
    accepted += 1
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  })

  async function answer(
    message: IncomingMessage,
    response: ServerResponse,
    path: string,
    search: string,
  ): Promise<void> {
    const body = await receive(message)
    if (body === undefined) {
      send(response, 413, { error: 'body too large' })
      return
    }
    const request = { method: message.method ?? 'GET', path, search, headers: message.headers, body }
    if (path === '/_faults') {
      serveFaults(request, response)
      return
    }
    if (path === '/_requests') {
      const seen = requests.map((request) => ({
        method: request.method,
        path: request.path,
        requestId: request.headers['x-request-id'],
        shadow: request.headers['x-chat-shadow'],
        ...describe(request),
      }))
      send(response, 200, seen)
      return
    }
    // Looks at the list of models come by themselves, and are nobody's turn.
    if (!path.endsWith('/models')) requests.push(request)
    if (requests.length > MAX_KEPT) requests.shift()
    await handler(request, response, faults)
  }

  function serveFaults({ method, body }: ReceivedRequest, response: ServerResponse): void {
    if (method !== 'GET' && method !== 'PUT' && method !== 'DELETE') {
      send(response, 405, { error: 'GET, PUT or DELETE' })
      return
    }
    if (method !== 'GET') {
      const parsed = method === 'DELETE' ? { faults: {} } : parseFaults(body)
      if ('wrong' in parsed) {
        send(response, 400, { error: 'wrong faults', details: parsed.wrong })
        return
      }
      faults = parsed.faults
    }
    send(response, 200, faults)
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, host, resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    requests,
    get connections() {
      return sockets.size
    },
    get accepted() {
      return accepted
    },
    get faults() {
      return faults
    },
    set faults(next) {
      faults = faultsSchema.parse(next)
    },
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      return closed
    },
  }
}

/** A JSON answer. */
export function send(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}

async function receive(message: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
