import type { Clock } from '../core/clock.js'
import type { Logger } from '../core/logger.js'
import type { PostgresSchema } from '../core/postgres/migrations.js'
import type { Postgres, PostgresDatabase } from '../core/postgres/postgres.js'
import { faultText } from '../core/postgres/postgres-errors.js'
import { type PgRow, statement } from '../core/postgres/statement.js'
import {
  type IdempotencyKeys,
  KEY_LIFE_MS,
  type KeptKey,
  type KeyedTurn,
  type KeyOwner,
  keyId,
} from './idempotency-keys.js'
import { MemoryKeys } from './memory-keys.js'

/** `id` is the hash of owner and key, `process` a random name of the process that reserved it, `created` wall ms. */
export const POSTGRES_KEYS_SCHEMA: PostgresSchema = {
  room: 'idempotency',
  migrations: [
    `
    CREATE TABLE idempotency_keys (
      id text COLLATE "C" PRIMARY KEY,
      body text NOT NULL,
      session text NOT NULL,
      message_id text NOT NULL,
      process text NOT NULL,
      created bigint NOT NULL
    );
    CREATE INDEX idempotency_age ON idempotency_keys (created);
    `,
  ],
}

const SQL = {
  find: statement(
    'SELECT body, session, message_id, process, created FROM idempotency_keys WHERE id = $1 AND created > $2',
  ),
  /** Nothing where the key stands for a turn that is not too old ($7). */
  reserve: statement(`
    INSERT INTO idempotency_keys AS kept (id, body, session, message_id, process, created) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (id) DO UPDATE SET body = $2, session = $3, message_id = $4, process = $5, created = $6
    WHERE kept.created <= $7`),
  release: statement('DELETE FROM idempotency_keys WHERE id = $1 AND message_id = $2'),
  /** Looked for only where the database's own estimate says that there may be more than $1. */
  beyond: statement(`
    SELECT created FROM idempotency_keys
    WHERE (SELECT reltuples FROM pg_class WHERE oid = 'idempotency_keys'::regclass) NOT BETWEEN 0 AND $1::bigint
    ORDER BY created DESC LIMIT 1 OFFSET $1::bigint`),
  prune: statement(`
    DELETE FROM idempotency_keys WHERE id IN (
      SELECT id FROM idempotency_keys WHERE created <= $1 ORDER BY created LIMIT $2 FOR UPDATE SKIP LOCKED)`),
} as const

/** ms for which a database that failed is left alone */
const REST_MS = 5_000
/** ms between two looks for what is too old */
const PRUNE_MS = 60_000
/** rows erased at once */
const PRUNE_ROWS = 5_000
/** rows kept by all replicas together; the oldest go first */
const MAX_ROWS = 2_000_000

export interface PostgresKeysOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** random: a process that is started again must not take the keys of the one before for its own */
  readonly nonce: string
  /** default 2,000,000 */
  readonly maxRows?: number
}

export function openPostgresKeys(postgres: Postgres, options: PostgresKeysOptions): IdempotencyKeys {
  return new PostgresKeys(postgres.open(POSTGRES_KEYS_SCHEMA), options)
}

class PostgresKeys implements IdempotencyKeys {
  /** reserved while the database was away */
  readonly #alone: MemoryKeys
  #restsUntil = Number.NEGATIVE_INFINITY
  #pruneAt = Number.NEGATIVE_INFINITY
  #closed = false

  constructor(
    private readonly database: PostgresDatabase,
    private readonly options: PostgresKeysOptions,
  ) {
    this.#alone = new MemoryKeys(options.clock)
  }

  async find(owner: KeyOwner, key: string): Promise<KeptKey | undefined> {
    const id = keyId(owner, key)
    return this.#alone.at(id) ?? (await this.#tried(() => this.#read(id)))
  }

  async reserve(owner: KeyOwner, key: string, turn: KeyedTurn): Promise<KeptKey | 'reserved'> {
    const id = keyId(owner, key)
    const alone = this.#alone.at(id)
    if (alone !== undefined) return alone
    const kept = await this.#tried(() => this.#reserve(id, turn))
    return kept ?? this.#alone.reserve(owner, key, turn)
  }

  async release(owner: KeyOwner, key: string, messageId: string): Promise<void> {
    await this.#alone.release(owner, key, messageId)
    await this.#tried(() => this.database.change(SQL.release, [keyId(owner, key), messageId]))
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.database.close()
  }

  /** Undefined where the key was released between both looks, as if the database were away: the key then holds within this process. */
  async #reserve(
    id: string,
    { bodyHash, sessionId, messageId }: KeyedTurn,
  ): Promise<KeptKey | 'reserved' | undefined> {
    const now = this.#now()
    const values = [id, bodyHash, sessionId, messageId, this.options.nonce, now, now - KEY_LIFE_MS]
    const isReserved = (await this.database.change(SQL.reserve, values)) === 1
    if (!isReserved) return this.#read(id)
    await this.#prune(now)
    return 'reserved'
  }

  async #read(id: string): Promise<KeptKey | undefined> {
    const [row] = await this.database.rows(SQL.find, [id, this.#now() - KEY_LIFE_MS])
    return row && this.#kept(row)
  }

  #kept([body, session, messageId, process, created]: PgRow): KeptKey {
    return {
      bodyHash: String(body),
      sessionId: String(session),
      messageId: String(messageId),
      createdAt: Number(created),
      isOwn: process === this.options.nonce,
    }
  }

  /** After the write of a new key: no more than a few at once, and more with the next key where there are more. */
  async #prune(now: number): Promise<void> {
    const { clock, maxRows = MAX_ROWS } = this.options
    if (clock.monotonic() < this.#pruneAt) return
    this.#pruneAt = clock.monotonic() + PRUNE_MS
    const [beyond] = await this.database.rows(SQL.beyond, [maxRows])
    const before = Math.max(now - KEY_LIFE_MS, Number(beyond?.[0] ?? 0))
    const erased = await this.database.change(SQL.prune, [before, PRUNE_ROWS])
    if (erased === PRUNE_ROWS) this.#pruneAt = Number.NEGATIVE_INFINITY
  }

  #now(): number {
    return Math.round(this.options.clock.wall())
  }

  /** Undefined where the database does not answer; for a while it is not asked again then. */
  async #tried<T>(work: () => Promise<T>): Promise<T | undefined> {
    const { clock, logger } = this.options
    if (this.#closed || clock.monotonic() < this.#restsUntil) return undefined
    try {
      return await work()
    } catch (thrown) {
      this.#restsUntil = clock.monotonic() + REST_MS
      if (!this.#closed)
        logger.warn({ error: faultText(thrown) }, 'idempotency keys are kept in memory: the database is away')
      return undefined
    }
  }
}
