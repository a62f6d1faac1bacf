import { bounded } from '../bounded.js'
import type { Clock, Timer } from '../clock.js'
import { errorText } from '../errors.js'
import type { Logger } from '../logger.js'
import {
  type RedisConnection,
  type RedisLink,
  RedisRefused,
  type RedisReply,
  RedisUnavailable,
} from './redis-link.js'

export interface RedisOptions {
  readonly clock: Clock
  readonly logger: Pick<Logger, 'info' | 'warn'>
  readonly prefix: string
  /** Makes connections; called once for each attempt. */
  connect(): RedisConnection
}

/** ms for the answer of one call */
const CALL_MS = 1_000
/** calls that wait for an answer; one more fails at once */
const MAX_CALLS = 20_000
/** ms between two looks whether Redis answers */
const PING_MS = 1_000
/** ms for a connection, and the longest pause between two attempts */
const CONNECT_MS = 2_000
const MAX_PAUSE_MS = 2_000
const FIRST_PAUSE_MS = 100
/** pings without an answer, after which the connection is made anew: a server that hangs, or a network that drops packets */
const MISSED = 3

/** Keeps one connection open. What is beneath may reconnect by itself; when it stays silent, it is replaced. */
export function openRedis(options: RedisOptions): RedisLink {
  return new Link(options)
}

class Link implements RedisLink {
  readonly prefix: string
  failures = 0
  #connection: RedisConnection | undefined
  /** not connected yet */
  #opening: RedisConnection | undefined
  #isUp = false
  #isClosed = false
  #isTold = false
  #calls = 0
  #attempts = 0
  #missed = 0
  #timer: Timer | undefined
  #working: Promise<void> = Promise.resolve()
  readonly #channels = new Map<string, Set<(message: string) => void>>()
  readonly #upListeners = new Set<() => void>()

  constructor(private readonly options: RedisOptions) {
    this.prefix = options.prefix
  }

  get isUp(): boolean {
    return this.#isUp
  }

  start(): void {
    this.#next(0)
  }

  async call(key: string, ...args: readonly string[]): Promise<RedisReply> {
    const reply = await this.#bounded((connection) => connection.send(key, args))
    return replyOf(reply)
  }

  async publish(channel: string, message: string): Promise<void> {
    await this.#bounded((connection) => connection.publish(channel, message))
  }

  subscribe(channel: string, listener: (message: string) => void): () => void {
    const listeners = this.#channels.get(channel) ?? new Set()
    listeners.add(listener)
    if (listeners.size === 1) {
      this.#channels.set(channel, listeners)
      if (this.#connection !== undefined) this.#quietly(this.#hear(this.#connection, channel))
    }
    return () => {
      listeners.delete(listener)
      if (listeners.size > 0 || this.#channels.get(channel) !== listeners) return
      this.#channels.delete(channel)
      const connection = this.#connection
      if (connection !== undefined)
        this.#quietly(bounded(connection.unsubscribe(channel), CALL_MS, this.options.clock))
    }
  }

  onUp(listener: () => void): () => void {
    this.#upListeners.add(listener)
    return () => this.#upListeners.delete(listener)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#opening?.destroy()
    this.#connection?.destroy()
    await bounded(this.#working, CALL_MS, this.options.clock)
    this.#connection?.destroy()
    this.#connection = undefined
    this.#isUp = false
  }

  async #bounded<T>(send: (connection: RedisConnection) => Promise<T>): Promise<T> {
    const connection = this.#connection
    if (connection === undefined || !this.#isUp) throw this.#failed('no connection')
    if (this.#calls >= MAX_CALLS) throw this.#failed('too many calls wait for an answer')
    this.#calls += 1
    try {
      const answer = await bounded(send(connection), CALL_MS, this.options.clock)
      if (answer === 'late') throw this.#failed(`no answer within ${CALL_MS} ms`)
      return answer
    } catch (thrown) {
      throw thrown instanceof RedisUnavailable || isRefusal(thrown) ? thrown : this.#failed(errorText(thrown))
    } finally {
      this.#calls -= 1
    }
  }

  #failed(why: string): RedisUnavailable {
    this.failures += 1
    if (this.#connection?.isBroken === true) this.#down(why)
    return new RedisUnavailable(why)
  }

  #next(delayMs: number): void {
    if (this.#isClosed) return
    this.#timer = this.options.clock.schedule(delayMs, () => {
      this.#working = (this.#connection === undefined ? this.#connect() : this.#ping()).then((pauseMs) =>
        this.#next(pauseMs),
      )
    })
  }

  /** @returns ms until the next look. Never rejects. */
  async #connect(): Promise<number> {
    const { clock } = this.options
    let connection: RedisConnection | undefined
    try {
      const opened = this.options.connect()
      connection = opened
      this.#opening = opened
      if ((await bounded(opened.connect(), CONNECT_MS, clock)) === 'late')
        throw new RedisUnavailable(`no connection within ${CONNECT_MS} ms`)
      if (this.#isClosed) throw new RedisUnavailable('closed')
      // Before the channels: one that is added meanwhile is subscribed too.
      this.#connection = opened
      const subscribed = [...this.#channels.keys()].map((channel) => this.#hear(opened, channel))
      if ((await bounded(Promise.all(subscribed), CONNECT_MS, clock)) === 'late')
        throw new RedisUnavailable('channels were not subscribed in time')
    } catch (thrown) {
      connection?.destroy()
      this.#connection = undefined
      this.#down(errorText(thrown))
      this.#attempts += 1
      return Math.min(FIRST_PAUSE_MS * 2 ** Math.min(this.#attempts, 10), MAX_PAUSE_MS)
    } finally {
      this.#opening = undefined
    }
    this.#attempts = 0
    return this.#ping()
  }

  /** @returns ms until the next look. Never rejects. */
  async #ping(): Promise<number> {
    const connection = this.#connection
    if (connection === undefined) return 0
    try {
      if ((await bounded(connection.send(undefined, ['PING']), CALL_MS, this.options.clock)) === 'late')
        throw new RedisUnavailable(`no answer within ${CALL_MS} ms`)
    } catch (thrown) {
      this.#down(errorText(thrown))
      this.#missed += 1
      if (this.#missed < MISSED && !connection.isBroken) return PING_MS
      this.#missed = 0
      connection.destroy()
      this.#connection = undefined
      return 0
    }
    this.#missed = 0
    this.#up()
    return PING_MS
  }

  #up(): void {
    if (this.#isUp || this.#isClosed) return
    this.#isUp = true
    if (this.#isTold) this.options.logger.info({}, '[Redis] answers again')
    this.#isTold = false
    for (const listener of this.#upListeners) listener()
  }

  #down(why: string): void {
    this.#isUp = false
    if (this.#isTold || this.#isClosed) return
    this.#isTold = true
    this.options.logger.warn({ error: why }, '[Redis] not available: this replica works alone')
  }

  async #hear(connection: RedisConnection, channel: string): Promise<void> {
    const work = connection.subscribe(channel, (message) => {
      for (const listener of this.#channels.get(channel) ?? []) listener(message)
    })
    if ((await bounded(work, CALL_MS, this.options.clock)) === 'late')
      throw new RedisUnavailable(`channel not subscribed within ${CALL_MS} ms`)
  }

  /** What fails here is found by the next ping. */
  #quietly(work: Promise<unknown>): void {
    work.catch(() => {
      this.failures += 1
    })
  }
}

/** Redis answers errors in capitals: `WRONGTYPE …`, `ERR …`. */
function isRefusal(thrown: unknown): thrown is RedisRefused {
  return thrown instanceof RedisRefused
}

function replyOf(value: unknown): RedisReply {
  if (value === null || value === undefined) return null
  if (typeof value === 'string' || typeof value === 'number') return value
  if (Array.isArray(value)) return value.map(replyOf)
  if (value instanceof Error) throw new RedisRefused(value.message)
  return String(value)
}
