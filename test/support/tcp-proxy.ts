import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Stands between one replica and the runtime, and can be cut. */
export class TcpProxy {
  readonly #sockets = new Set<Socket>()
  readonly #server: Server
  #isCut = false
  /** every so many connections reach a dead instance; 0: none */
  #deadEvery = 0
  #accepted = 0

  private constructor(target: URL) {
    this.#server = createServer((socket) => {
      this.#accepted += 1
      if (this.#isCut) socket.resetAndDestroy()
      else if (this.#deadEvery > 0 && this.#accepted % this.#deadEvery === 0) refuse(socket)
      else this.#join(socket, target)
    })
  }

  static async start(targetUrl: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(new URL(targetUrl))
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get url(): string {
    const address = this.#server.address()
    return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  }

  /** Every connection, open or new, is reset. */
  cut(): void {
    this.#isCut = true
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** As a balancer does with instances of which one is dead: one in so many connections gets a 503. */
  loseOneOf(instances: number): void {
    this.#deadEvery = instances
  }

  restore(): void {
    this.#isCut = false
    this.#deadEvery = 0
  }

  async close(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(socket: Socket, { hostname, port }: URL): void {
    const upstream = connect(Number(port), hostname)
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      this.#sockets.add(one)
      one.setNoDelay(true)
      one.on('error', () => {})
      one.on('close', () => {
        this.#sockets.delete(one)
        other.destroy()
      })
    }
    socket.pipe(upstream).pipe(socket)
  }
}

function refuse(socket: Socket): void {
  socket.on('error', () => {})
  socket.once('data', () => {
    socket.end('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
  })
}
