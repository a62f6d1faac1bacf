import type { PostgresSchema } from '../core/postgres/migrations.js'
import type { Postgres, PostgresDatabase } from '../core/postgres/postgres.js'
import { statement } from '../core/postgres/statement.js'
import { DatabaseKeys, type DatabaseKeysOptions, type KeysTable, keptKey } from './database-keys.js'
import { type IdempotencyKeys, KEY_LIFE_MS, type KeptKey, type KeyedTurn } from './idempotency-keys.js'

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
  /** Looked for only where the database's own estimate says that there may be more than $1: 0 in PostgreSQL 13 and -1 later is none yet. */
  beyond: statement(`
    SELECT created FROM idempotency_keys
    WHERE (SELECT reltuples FROM pg_class WHERE oid = 'idempotency_keys'::regclass) NOT BETWEEN 1 AND $1::bigint
    ORDER BY created DESC LIMIT 1 OFFSET $1::bigint`),
  prune: statement(`
    DELETE FROM idempotency_keys WHERE id IN (
      SELECT id FROM idempotency_keys WHERE created <= $1 ORDER BY created LIMIT $2 FOR UPDATE SKIP LOCKED)`),
} as const

/** ms between two looks for what is too old */
const PRUNE_MS = 60_000
/** rows erased at once */
const PRUNE_ROWS = 5_000
/** rows kept by all replicas together; the oldest go first */
const MAX_ROWS = 2_000_000

export function openPostgresKeys(postgres: Postgres, options: DatabaseKeysOptions): IdempotencyKeys {
  return new DatabaseKeys(new PostgresKeysTable(postgres.open(POSTGRES_KEYS_SCHEMA), options), options)
}

class PostgresKeysTable implements KeysTable {
  #pruneAt = Number.NEGATIVE_INFINITY

  constructor(
    private readonly database: PostgresDatabase,
    private readonly options: DatabaseKeysOptions,
  ) {}

  async find(id: string): Promise<KeptKey | undefined> {
    const [row] = await this.database.rows(SQL.find, [id, this.#now() - KEY_LIFE_MS])
    return row && keptKey(row, this.options.nonce)
  }

  /** Undefined where the key was released between both looks, as if the database were away: the key then holds within this process. */
  async reserve(
    id: string,
    { bodyHash, sessionId, messageId }: KeyedTurn,
  ): Promise<KeptKey | 'reserved' | undefined> {
    const now = this.#now()
    const values = [id, bodyHash, sessionId, messageId, this.options.nonce, now, now - KEY_LIFE_MS]
    const isReserved = (await this.database.change(SQL.reserve, values)) === 1
    if (!isReserved) return this.find(id)
    await this.#prune(now)
    return 'reserved'
  }

  release(id: string, messageId: string): Promise<number> {
    return this.database.change(SQL.release, [id, messageId])
  }

  close(): Promise<void> {
    return this.database.close()
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
}
