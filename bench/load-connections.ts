import { connect, type Socket } from 'node:net'

/**
 * Kept connections that cost the load as little as they can: a client of node:http at 2,000 turns a second needs a core by itself, and
 * would be what is measured. HTTP/1.1, one request at a time on each, answers with `Content-Length` or in chunks.
 */

/** How one request went. */
export interface Answer {
  /** 0: the connection ended before the answer did */
  readonly status: number
  readonly complete: boolean
}

/** A connection that is ready: what is written to it goes out now. */
export interface Connection {
  /** One call; the connection goes back by itself. @param ended called once, at the end of the answer */
  send(request: Buffer, ended: (answer: Answer) => void): void
}

const HEAD_END = '\r\n\r\n'
const LAST_CHUNK = '0\r\n\r\n'
const DONE = 'event: done'
/** of the end of an answer, so many bytes tell whether it was complete */
const TAIL = 512
/** connections opened at a time: Node accepts few in each round of its event loop */
const OPENING = 50

export class LoadConnections {
  /** oldest first: each is used in its turn, so that the service closes none as idle */
  readonly #free: OneConnection[] = []
  readonly #all = new Set<OneConnection>()
  readonly #waiting: ((connection: Connection) => void)[] = []
  readonly #address: { readonly host: string; readonly port: number }

  constructor(
    url: string,
    private readonly count: number,
  ) {
    const { hostname, port } = new URL(url)
    this.#address = { host: hostname, port: Number(port) }
  }

  /** Opens those that are missing: also for who comes after a rest, in which the service may have closed some. */
  async open(): Promise<void> {
    while (this.#all.size < this.count) {
      const missing = Math.min(OPENING, this.count - this.#all.size)
      await Promise.all(Array.from({ length: missing }, () => this.#openOne()))
    }
  }

  /** Calls at once where one is free, else as soon as one is. */
  take(taken: (connection: Connection) => void): void {
    const free = this.#free.shift()
    if (free === undefined) this.#waiting.push(taken)
    else taken(free)
  }

  close(): void {
    for (const one of this.#all) one.destroy()
  }

  #openOne(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#address)
      const one = new OneConnection(socket, (isOpen) => {
        if (isOpen) this.#ready(one)
        else this.#gone(one)
      })
      socket.once('connect', () => {
        socket.setNoDelay(true)
        this.#all.add(one)
        this.#ready(one)
        resolve()
      })
      socket.once('error', reject)
    })
  }

  #ready(one: OneConnection): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free.push(one)
    else next(one)
  }

  #gone(one: OneConnection): void {
    this.#all.delete(one)
    const at = this.#free.indexOf(one)
    if (at >= 0) this.#free.splice(at, 1)
  }
}

class OneConnection implements Connection {
  #ended: ((answer: Answer) => void) | undefined
  #head = ''
  #status = 0
  /** bytes of the body that are still to come; undefined: it comes in chunks */
  #left: number | undefined
  #tail = ''

  /** @param told true: ready for the next request; false: gone */
  constructor(
    private readonly socket: Socket,
    private readonly told: (isOpen: boolean) => void,
  ) {
    socket.on('data', (chunk: Buffer) => this.#read(chunk.toString('latin1')))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.told(false)
      this.#end({ status: 0, complete: false })
    })
  }

  send(request: Buffer, ended: (answer: Answer) => void): void {
    this.#ended = ended
    this.#status = 0
    this.#head = ''
    this.#tail = ''
    this.socket.write(request)
  }

  destroy(): void {
    this.socket.destroy()
  }

  #read(text: string): void {
    const body = this.#status === 0 ? this.#readHead(text) : text
    if (body === undefined) return
    this.#tail = (this.#tail + body).slice(-TAIL)
    if (this.#left !== undefined) this.#left -= body.length
    const isOver = this.#left === undefined ? this.#tail.endsWith(LAST_CHUNK) : this.#left <= 0
    if (!isOver) return
    this.#end({ status: this.#status, complete: this.#status === 200 && this.#tail.includes(DONE) })
    this.told(true)
  }

  /** @returns what came of the body; undefined while the head is not all there */
  #readHead(text: string): string | undefined {
    this.#head += text
    const end = this.#head.indexOf(HEAD_END)
    if (end < 0) return undefined
    const head = this.#head.slice(0, end)
    this.#status = Number(head.slice(9, 12))
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    this.#left = length === undefined ? undefined : Number(length)
    return this.#head.slice(end + HEAD_END.length)
  }

  #end(answer: Answer): void {
    const ended = this.#ended
    this.#ended = undefined
    ended?.(answer)
  }
}
