import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/**
 * `open` passes bytes; `frozen` takes connections and moves not one byte, pings included, as a stopped process
 * (SIGSTOP) does, and goes on where it was; `refusing` resets what comes and what is there, as a killed one does.
 */
export type GateMode = 'open' | 'frozen' | 'refusing'

interface Pair {
  readonly client: Socket
  readonly inner: Socket
}

// far more than a test or a demo opens; beyond it the listener drops
const MAX_CONNECTIONS = 1000

/**
 * The TCP port clients see, in front of the gRPC server: HTTP/2 answers pings below our code, so silence has to be
 * made below HTTP/2.
 */
export class FlagdGate {
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  readonly #innerPort: number
  #mode: GateMode = 'open'

  /** `innerPort`: the gRPC server's, on 127.0.0.1 */
  constructor(innerPort: number) {
    this.#innerPort = innerPort
    this.#server = createServer({ noDelay: true }, (client) => this.#accept(client))
    this.#server.maxConnections = MAX_CONNECTIONS
  }

  /** Listens and gives the port taken; rejects with the system's error. */
  listen(port: number, host: string): Promise<number> {
    return listenOn(this.#server, port, host)
  }

  setMode(mode: GateMode): void {
    this.#mode = mode
    if (mode === 'refusing') this.#reset()
    for (const pair of this.#pairs) apply(pair, mode)
  }

  /** Resets every connection and frees the port. */
  close(): Promise<void> {
    this.#reset()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  #accept(client: Socket): void {
    if (this.#mode === 'refusing') {
      client.on('error', () => {})
      client.resetAndDestroy()
      return
    }
    const pair = { client, inner: connect({ port: this.#innerPort, host: '127.0.0.1', noDelay: true }) }
    this.#pairs.add(pair)
    this.#bind(pair, client, pair.inner)
    this.#bind(pair, pair.inner, client)
    apply(pair, this.#mode)
  }

  #bind(pair: Pair, socket: Socket, other: Socket): void {
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#pairs.delete(pair)
      other.destroy()
    })
  }

  #reset(): void {
    for (const { client, inner } of this.#pairs) {
      client.resetAndDestroy()
      inner.destroy()
    }
    this.#pairs.clear()
  }
}

function apply({ client, inner }: Pair, mode: GateMode): void {
  for (const [from, to] of [
    [client, inner],
    [inner, client],
  ] as const) {
    from.unpipe(to)
    if (mode === 'open') from.pipe(to)
    else from.pause()
  }
}

/** Starts a TCP or HTTP server; resolves with its port, rejects with the system's error. */
export function listenOn(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve(portOf(server.address()))
    })
  })
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('not a TCP port')
  return address.port
}
