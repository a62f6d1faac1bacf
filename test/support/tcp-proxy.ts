import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Stands before one server, or one after the other, and breaks connections. */
export class TcpProxy {
  readonly #sockets = new Set<Socket>()
  readonly #server: Server
  #isCut = false
  /** every so many connections reach a dead instance; 0: none */
  #deadEvery = 0
  #accepted = 0

  private constructor(
    private target: number,
    host: string,
  ) {
    this.#server = createServer((socket) => {
      this.#accepted += 1
      if (this.#isCut) socket.resetAndDestroy()
      else if (this.#deadEvery > 0 && this.#accepted % this.#deadEvery === 0) refuse(socket)
      else this.#join(socket, connect(this.target, host))
    })
  }

  /** @param target the port of the server */
  static async start(target: number, host = '127.0.0.1'): Promise<TcpProxy> {
    const proxy = new TcpProxy(target, host)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** New connections lead to the server on that port. Those there are break. */
  moveTo(target: number): void {
    this.target = target
    this.reset()
  }

  /** Breaks the connections there are. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** Until `restore`, every connection breaks: those there are, and new ones at once. */
  cut(): void {
    this.#isCut = true
    this.reset()
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

  #join(socket: Socket, upstream: Socket): void {
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
