import pg from 'pg'
import { bounded } from '../../core/bounded.js'
import type { Clock, Timer } from '../../core/clock.js'
import { CHANNEL } from './postgres-schema.js'

/** ms to the next try to connect, doubled after each that fails */
const PAUSE_MS = { least: 250, most: 5_000 } as const
/** ms between two questions whether the connection still works: the other end may be gone without a word */
const PING_MS = 15_000
const ANSWER_MS = 2_000
/** ms for the end of a connection */
const END_MS = 500

export interface ListenerOptions {
  readonly connection: pg.ClientConfig
  readonly clock: Clock
  /** Told of each changed document; of undefined when anything may have changed while nobody listened. */
  onChange(name: string | undefined): void
}

/** One connection that listens, made again whenever it is lost. What is missed meanwhile the readers' own poll finds. */
export class PostgresListener {
  #client: pg.Client | undefined
  #timer: Timer | undefined
  #pauseMs: number = PAUSE_MS.least
  #connecting: Promise<void> | undefined
  #closed = false

  constructor(private readonly options: ListenerOptions) {}

  start(): void {
    if (this.#closed || this.#connecting !== undefined || this.#client !== undefined) return
    this.#connecting = this.#connect().finally(() => {
      this.#connecting = undefined
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#connecting
    await this.#drop(this.#client)
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({ ...this.options.connection, query_timeout: ANSWER_MS, keepAlive: true })
    // Before anything can fail: an error that nobody hears ends the process.
    client.on('error', () => void this.#lost(client))
    client.on('end', () => void this.#lost(client))
    client.on('notification', ({ payload }) => this.options.onChange(payload))
    try {
      await client.connect()
      await client.query(`LISTEN ${CHANNEL}`)
      this.#client = client
      this.#pauseMs = PAUSE_MS.least
      this.options.onChange(undefined)
      this.#schedulePing(client)
    } catch {
      await this.#drop(client)
      this.#tryAgain()
    }
  }

  #lost(client: pg.Client): void {
    if (this.#client !== client) return
    this.#client = undefined
    this.#timer?.cancel()
    void this.#drop(client)
    this.#tryAgain()
  }

  #tryAgain(): void {
    if (this.#closed) return
    this.#timer = this.options.clock.schedule(this.#pauseMs, () => this.start())
    this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_MS.most)
  }

  #schedulePing(client: pg.Client): void {
    if (this.#closed) return
    this.#timer = this.options.clock.schedule(PING_MS, () => {
      client.query('SELECT 1').then(
        () => this.#client === client && this.#schedulePing(client),
        () => this.#lost(client),
      )
    })
  }

  /** Never rejects; a connection that does not answer is not waited for. */
  async #drop(client: pg.Client | undefined): Promise<void> {
    if (client === undefined) return
    await bounded(
      client.end().catch(() => undefined),
      END_MS,
      this.options.clock,
    )
  }
}
