import type { BusyQueue } from '../core/sqlite/busy-queue.js'
import { databaseQueue } from '../core/sqlite/database-queue.js'
import { openSqlite, type SqliteDatabase, type SqliteSchema } from '../core/sqlite/sqlite.js'
import { DatabaseKeys, type DatabaseKeysOptions, type KeysTable, keptKey } from './database-keys.js'
import { type IdempotencyKeys, KEY_LIFE_MS, type KeptKey, type KeyedTurn } from './idempotency-keys.js'

/** `id` is the hash of owner and key, `process` a random name of the process that reserved it, `created` wall ms. */
export const SQLITE_KEYS_SCHEMA: SqliteSchema = {
  room: 'idempotency',
  migrations: [
    `
    CREATE TABLE idempotency_keys (
      id TEXT PRIMARY KEY,
      body TEXT NOT NULL,
      session TEXT NOT NULL,
      message_id TEXT NOT NULL,
      process TEXT NOT NULL,
      created INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX idempotency_age ON idempotency_keys (created);
    `,
  ],
}

/** ms a call waits for a lock held by another process */
const LOCK_DEADLINE_MS = 1_000
const MAX_WAITING = 10_000
/** ms between two looks for what is too old */
const PRUNE_MS = 60_000
/** rows erased at once: about 2 ms of the event loop */
const PRUNE_ROWS = 500
/** rows kept; the oldest go first */
const MAX_ROWS = 200_000

/** @throws SqliteOpenError when the file cannot be used */
export function openSqliteKeys(path: string, options: DatabaseKeysOptions): IdempotencyKeys {
  return new DatabaseKeys(new SqliteKeysTable(openSqlite(path, SQLITE_KEYS_SCHEMA), options), options)
}

/** Prepared once: to prepare one costs more than to run it. */
const prepareAll = (database: SqliteDatabase) => ({
  find: database.prepare(
    'SELECT body, session, message_id, process, created FROM idempotency_keys WHERE id = ? AND created > ?',
  ),
  insert: database.prepare('INSERT OR REPLACE INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?)'),
  release: database.prepare('DELETE FROM idempotency_keys WHERE id = ? AND message_id = ?'),
  beyond: database.prepare('SELECT created FROM idempotency_keys ORDER BY created DESC LIMIT 1 OFFSET ?'),
  prune: database.prepare(
    'DELETE FROM idempotency_keys WHERE id IN (SELECT id FROM idempotency_keys WHERE created <= ? ORDER BY created LIMIT ?)',
  ),
})

class SqliteKeysTable implements KeysTable {
  readonly #queue: BusyQueue
  readonly #statements: ReturnType<typeof prepareAll>
  #pruneAt = Number.NEGATIVE_INFINITY

  constructor(
    private readonly database: SqliteDatabase,
    private readonly options: DatabaseKeysOptions,
  ) {
    this.#statements = prepareAll(database)
    this.#queue = databaseQueue(options.clock, { deadlineMs: LOCK_DEADLINE_MS, maxWaiting: MAX_WAITING })
  }

  find(id: string): Promise<KeptKey | undefined> {
    return this.#queue.run(() => this.#read(id), true)
  }

  reserve(id: string, turn: KeyedTurn): Promise<KeptKey | 'reserved'> {
    return this.#queue.run(() => this.database.transaction(() => this.#reserve(id, turn)))
  }

  release(id: string, messageId: string): Promise<number> {
    return this.#queue.run(() => this.#statements.release.run(id, messageId))
  }

  close(): void {
    this.#queue.close()
    this.database.close()
  }

  #reserve(id: string, { bodyHash, sessionId, messageId }: KeyedTurn): KeptKey | 'reserved' {
    const found = this.#read(id)
    if (found !== undefined) return found
    const now = Math.round(this.options.clock.wall())
    this.#prune(now)
    this.#statements.insert.run(id, bodyHash, sessionId, messageId, this.options.nonce, now)
    return 'reserved'
  }

  #read(id: string): KeptKey | undefined {
    const row = this.#statements.find.get(id, Math.round(this.options.clock.wall()) - KEY_LIFE_MS)
    return row && keptKey(row, this.options.nonce)
  }

  /** Within the write of a new key: no more than a few at once, and more with the next key where there are more. */
  #prune(now: number): void {
    if (this.options.clock.monotonic() < this.#pruneAt) return
    const beyond = this.#statements.beyond.get(this.options.maxRows ?? MAX_ROWS)
    const before = Math.max(now - KEY_LIFE_MS, Number(beyond?.[0] ?? 0))
    const erased = this.#statements.prune.run(before, PRUNE_ROWS)
    if (erased < PRUNE_ROWS) this.#pruneAt = this.options.clock.monotonic() + PRUNE_MS
  }
}
