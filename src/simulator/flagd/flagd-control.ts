import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type FlagdFaults, flagdFaultsSchema, NO_FAULTS } from './flagd-faults.js'
import { listenOn } from './flagd-gate.js'

const MAX_BODY_BYTES = 16_384

/** What the control port reads and sets. */
export interface FaultSwitch {
  get(): FlagdFaults
  set(faults: FlagdFaults): void
}

/**
 * The HTTP side door: `GET`, `PUT` and `DELETE /_faults` (JSON, faults as in flagd-faults.ts, each answers what is in
 * force), `GET /healthz` (200 while the process lives) and `GET /readyz` (412 as flagd's while a fault keeps clients
 * off). It works under every fault.
 */
export class FlagdControl {
  readonly #faults: FaultSwitch
  readonly #server: Server

  constructor(faults: FaultSwitch) {
    this.#faults = faults
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch(() => response.destroy())
    })
  }

  listen(port: number, host: string): Promise<number> {
    return listenOn(this.#server, port, host)
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?')[0]
    if (path === '/_faults') return this.#handleFaults(request, response)
    if (path !== '/healthz' && path !== '/readyz') return answer(response, 404, { error: 'not found' })
    if (request.method !== 'GET') return methodNotAllowed(response, 'GET')
    const { hang, unavailable, refuse } = this.#faults.get()
    const ready = path === '/healthz' || !(hang || unavailable || refuse)
    answer(response, ready ? 200 : 412, { status: ready ? 'ok' : 'not ready' })
  }

  async #handleFaults(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'PUT') {
      const faults = flagdFaultsSchema.safeParse(parseJson(await readBody(request)))
      if (!faults.success) {
        const details = faults.error.issues.map(
          ({ path, message }) => `${path.join('.') || 'body'}: ${message}`,
        )
        return answer(response, 400, { error: 'not a fault setting', details })
      }
      this.#faults.set(faults.data)
    } else if (request.method === 'DELETE') {
      this.#faults.set(NO_FAULTS)
    } else if (request.method !== 'GET') {
      return methodNotAllowed(response, 'GET, PUT, DELETE')
    }
    answer(response, 200, this.#faults.get())
  }
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
}

function methodNotAllowed(response: ServerResponse, allow: string): void {
  response.setHeader('Allow', allow)
  answer(response, 405, { error: 'method not allowed' })
}

/** A body beyond the bound is cut off, which leaves no valid JSON. */
async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) return ''
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
