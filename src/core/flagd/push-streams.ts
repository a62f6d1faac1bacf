import { status } from '@grpc/grpc-js'

/** How a stream ends: never with OK, which flagd's provider takes as still connected and never comes back from. */
export interface StreamEnd {
  readonly code: status
  readonly details: string
}

export const UNAVAILABLE: StreamEnd = { code: status.UNAVAILABLE, details: 'flagd is unavailable' }

/** What is needed of a gRPC call that answers with a stream. */
export interface StreamCall<T> {
  write(message: T): boolean
  on(event: 'drain', listener: () => void): unknown
  once(event: 'cancelled' | 'close' | 'finish', listener: () => void): unknown
  emit(event: 'error', end: StreamEnd): boolean
}

/** Ends a stream with a status; what was written before still goes out. */
export function endCall(call: StreamCall<never>, end: StreamEnd): void {
  call.emit('error', end)
}

/**
 * One stream to one client. A client that does not read holds one waiting message at most: `merge` folds the next
 * into it.
 */
class PushStream<T> {
  readonly #call: StreamCall<T>
  readonly #merge: (waiting: T, next: T) => T
  #waiting: T | undefined
  #blocked = false
  #ended = false

  constructor(call: StreamCall<T>, merge: (waiting: T, next: T) => T) {
    this.#call = call
    this.#merge = merge
    call.on('drain', () => this.#sendWaiting())
  }

  send(message: T): void {
    if (this.#ended) return
    if (this.#blocked) {
      this.#waiting = this.#waiting === undefined ? message : this.#merge(this.#waiting, message)
    } else {
      this.#blocked = !this.#call.write(message)
    }
  }

  end(end: StreamEnd): void {
    if (this.#ended) return
    this.#ended = true
    endCall(this.#call, end)
  }

  stop(): void {
    this.#ended = true
  }

  #sendWaiting(): void {
    this.#blocked = false
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting !== undefined) this.send(waiting)
  }
}

/** All open streams of one kind. */
export class PushStreams<T> {
  readonly #streams = new Set<PushStream<T>>()
  readonly #merge: (waiting: T, next: T) => T

  constructor(merge: (waiting: T, next: T) => T) {
    this.#merge = merge
  }

  get size(): number {
    return this.#streams.size
  }

  /** Keeps the stream until the client leaves; `first` goes out at once. */
  open(call: StreamCall<T>, first: T): void {
    const stream = new PushStream(call, this.#merge)
    this.#streams.add(stream)
    const leave = () => {
      stream.stop()
      this.#streams.delete(stream)
    }
    for (const event of ['cancelled', 'close', 'finish'] as const) call.once(event, leave)
    stream.send(first)
  }

  send(message: T): void {
    for (const stream of this.#streams) stream.send(message)
  }

  end(end: StreamEnd): void {
    for (const stream of this.#streams) stream.end(end)
    this.#streams.clear()
  }
}
