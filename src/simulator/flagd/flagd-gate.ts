import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Clock } from '../../core/clock.js'
import { resetSocket } from '../../core/net/reset-socket.js'
import { FrameReader, isPing, PingPolicy, tooManyPings } from './flagd-pings.js'

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
  readonly #counts = { pings: 0, cutOff: 0 }
  #mode: GateMode = 'open'

  /** `innerPort`: the gRPC server's, on 127.0.0.1; `minPingMs`: between two pings of a connection */
  constructor(
    private readonly innerPort: number,
    private readonly minPingMs: number,
    private readonly clock: Clock,
  ) {
    this.#server = createServer({ noDelay: true }, (client) => this.#accept(client))
    this.#server.maxConnections = MAX_CONNECTIONS
  }

  /** Listens and gives the port taken; rejects with the system's error. */
  listen(port: number, host: string): Promise<number> {
    return listenOn(this.#server, port, host)
  }

  /** Pings of clients since the start, and connections ended because of them. */
  get counts(): { readonly pings: number; readonly cutOff: number } {
    return this.#counts
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
      resetSocket(client)
      return
    }
    const pair = { client, inner: connect({ port: this.innerPort, host: '127.0.0.1', noDelay: true }) }
    this.#pairs.add(pair)
    this.#bind(pair, client, pair.inner)
    this.#bind(pair, pair.inner, client)
    this.#watchPings(pair)
    apply(pair, this.#mode)
  }

  /** The gRPC server here lets every ping pass; flagd does not. */
  #watchPings({ client, inner }: Pair): void {
    const policy = new PingPolicy(this.minPingMs)
    const [up, down] = [new FrameReader('client'), new FrameReader('server')]
    inner.on('data', (bytes: Buffer) => policy.sent(down.read(bytes)))
    client.on('data', (bytes: Buffer) => {
      const frames = up.read(bytes)
      this.#counts.pings += frames.filter(isPing).length
      // In the middle of a frame nothing else may be written: the next ping ends it.
      if (!policy.isTooMany(frames, this.clock.monotonic()) || !down.isBetweenFrames) return
      if (client.writableEnded) return
      this.#counts.cutOff += 1
      inner.unpipe(client)
      client.end(tooManyPings())
    })
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
      resetSocket(client)
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
