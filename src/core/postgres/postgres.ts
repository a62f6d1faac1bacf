import pg from 'pg'
import { bounded } from '../bounded.js'
import { type Clock, scheduleAwaited } from '../clock.js'
import { isUpToDate, migrate, type PostgresSchema } from './migrations.js'
import {
  faultText,
  isBroken,
  isLostRace,
  isSetupFault,
  isStorageFault,
  isUnreachable,
  PostgresSetupError,
  PostgresUnavailable,
} from './postgres-errors.js'
import { DEFAULT_LIMITS, type PostgresLimits } from './postgres-limits.js'
import { postgresAddress, shownUrl } from './postgres-url.js'
import { Reachability } from './reachability.js'
import { runnerOf } from './runner.js'
import type { PgValue, Runner, Statement } from './statement.js'

export interface PostgresOptions {
  readonly clock: Clock
  readonly limits?: PostgresLimits
}

/** The tables of one room. Calls reject with PostgresUnavailable, or with an error that `isStorageFault` knows, while the database is away. */
export interface PostgresDatabase extends Runner {
  /**
   * All of `work` or nothing. After a lost race it is run again.
   * @param timeoutMs of each statement; default: as of any
   */
  transaction<T>(work: (runner: Runner) => Promise<T>, timeoutMs?: number): Promise<T>
  close(): Promise<void>
}

/** The database of a process: one pool of connections for all rooms. */
export interface Postgres {
  /** The connections end when the last room has closed its tables. */
  open(schema: PostgresSchema): PostgresDatabase
  /**
   * Makes or checks the tables of all rooms.
   * @returns the fault while the database does not answer: that heals by itself
   * @throws PostgresSetupError for what only an operator can mend
   */
  check(): Promise<string | undefined>
}

/** calls that may wait for a connection at once; above it they are refused */
const MAX_WAITING = 10_000
/** ms more until an answer is given up that the server should have refused to give */
const GRACE_MS = 500
/** ms in which tables are made; with another replica before */
const MIGRATION_MS = 60_000
/** ms a connection may be idle */
const IDLE_MS = 60_000
const CLOSE_MS = 250
const MOST_RACES = 3

const INT8 = 20
const NUMERIC = 1700
const JSON_TEXT = 114

const types = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === INT8 || oid === NUMERIC) return Number
    if (oid === JSON_TEXT) return String
    return pg.types.getTypeParser(oid, format)
  },
}

/** @throws Error in words for the operator where the URL is none */
export function openPostgres(url: string, options: PostgresOptions): Postgres {
  return new SharedPostgres(url, options)
}

class SharedPostgres implements Postgres {
  readonly #pool: pg.Pool
  readonly #reachability: Reachability
  readonly #clock: Clock
  readonly #where: string
  readonly #timeoutMs: number
  readonly #rooms = new Set<Room>()

  constructor(given: string, { clock, limits = DEFAULT_LIMITS }: PostgresOptions) {
    const { url, tls } = postgresAddress(given)
    this.#clock = clock
    this.#where = shownUrl(given)
    this.#timeoutMs = limits.timeoutMs
    const settings = {
      connectionString: url,
      ssl: tls ?? false,
      connectionTimeoutMillis: limits.timeoutMs,
      statement_timeout: limits.timeoutMs,
      lock_timeout: limits.timeoutMs,
      idle_in_transaction_session_timeout: MIGRATION_MS,
      query_timeout: limits.timeoutMs + GRACE_MS,
      keepAlive: true,
      fallback_application_name: 'chat-cutover',
      types,
    }
    this.#pool = new pg.Pool({
      ...settings,
      max: limits.poolSize,
      idleTimeoutMillis: IDLE_MS,
      allowExitOnIdle: true,
    })
    // Of a connection that nobody uses: the pool drops it, and the next call opens another.
    this.#pool.on('error', () => undefined)
    // Of one in use, between two statements: the next statement meets the fault.
    this.#pool.on('connect', (client) => void client.on('error', () => undefined))
    this.#reachability = new Reachability(() => ping(settings), clock)
  }

  open(schema: PostgresSchema): PostgresDatabase {
    const room = new Room(this, schema)
    this.#rooms.add(room)
    return room
  }

  async check(): Promise<string | undefined> {
    let fault: string | undefined
    for (const room of this.#rooms)
      try {
        await room.ready()
      } catch (thrown) {
        if (isSetupFault(thrown))
          throw new PostgresSetupError(`the database ${this.#where} cannot be used: ${faultText(thrown)}`, {
            cause: thrown,
          })
        if (!isStorageFault(thrown)) throw thrown
        fault = `the database ${this.#where} does not answer: ${faultText(thrown)}`
      }
    return fault
  }

  async use<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const { fault } = this.#reachability
    if (fault !== undefined) throw new PostgresUnavailable(faultText(fault.error), { cause: fault.error })
    if (this.#pool.waitingCount >= MAX_WAITING)
      throw new PostgresUnavailable('too many calls wait for a connection')
    try {
      return await this.#withClient(work)
    } catch (thrown) {
      if (isUnreachable(thrown)) this.#reachability.failed(thrown)
      throw thrown
    }
  }

  async #withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect()
    let isDone = false
    try {
      const result = await work(client)
      client.release()
      isDone = true
      return result
    } catch (thrown) {
      if (!isDone) client.release(isBroken(thrown))
      throw thrown
    }
  }

  async transaction<T>(work: (runner: Runner) => Promise<T>, timeoutMs = this.#timeoutMs): Promise<T> {
    for (let race = 1; ; race += 1)
      try {
        return await this.use((client) => inTransaction(client, work, timeoutMs, this.#timeoutMs))
      } catch (thrown) {
        if (!isLostRace(thrown) || race >= MOST_RACES) throw thrown
      }
  }

  migrate(schema: PostgresSchema): Promise<void> {
    return this.transaction((runner) => migrate(runner, schema), MIGRATION_MS)
  }

  async close(room: Room): Promise<void> {
    if (!this.#rooms.delete(room) || this.#rooms.size > 0) return
    const ended = Promise.all([this.#reachability.close(), this.#pool.end()])
    // A server that hangs does not take leave.
    await bounded(ended, CLOSE_MS, this.#clock, (_, ms, callback) => scheduleAwaited(ms, callback))
  }
}

class Room implements PostgresDatabase {
  #ready: Promise<void> | undefined
  #closed = false

  constructor(
    private readonly shared: SharedPostgres,
    private readonly schema: PostgresSchema,
  ) {}

  /** The tables are those of this version; what failed is tried again by the next call. */
  ready(): Promise<void> {
    this.#ready ??= this.#prepare().catch((thrown: unknown) => {
      this.#ready = undefined
      throw thrown
    })
    return this.#ready
  }

  async rows(query: Statement, values: readonly PgValue[]) {
    await this.#usable()
    return this.shared.use((client) => runnerOf(client).rows(query, values))
  }

  async change(query: Statement, values: readonly PgValue[]): Promise<number> {
    await this.#usable()
    return this.shared.use((client) => runnerOf(client).change(query, values))
  }

  async script(text: string): Promise<void> {
    await this.#usable()
    return this.shared.use((client) => runnerOf(client).script(text))
  }

  async transaction<T>(work: (runner: Runner) => Promise<T>, timeoutMs?: number): Promise<T> {
    await this.#usable()
    return this.shared.transaction(work, timeoutMs)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#ready?.catch(() => undefined)
    await this.shared.close(this)
  }

  #usable(): Promise<void> {
    if (this.#closed) return Promise.reject(new PostgresUnavailable('the database is closed'))
    return this.ready()
  }

  async #prepare(): Promise<void> {
    if (await this.shared.use((client) => isUpToDate(runnerOf(client), this.schema))) return
    await this.shared.migrate(this.schema)
  }
}

async function inTransaction<T>(
  client: pg.PoolClient,
  work: (runner: Runner) => Promise<T>,
  timeoutMs: number,
  usualMs: number,
): Promise<T> {
  const runner = runnerOf(client, timeoutMs + GRACE_MS)
  const limits =
    timeoutMs === usualMs
      ? ''
      : `; SET LOCAL statement_timeout = ${timeoutMs}; SET LOCAL lock_timeout = ${timeoutMs}`
  await client.query(`BEGIN${limits}`)
  try {
    const result = await work(runner)
    await client.query('COMMIT')
    return result
  } catch (thrown) {
    // Where the connection is broken, its end is the rollback.
    if (!isBroken(thrown)) await client.query('ROLLBACK')
    throw thrown
  }
}

async function ping(settings: pg.ClientConfig): Promise<void> {
  const client = new pg.Client(settings)
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('SELECT 1')
  } finally {
    await client.end()
  }
}
