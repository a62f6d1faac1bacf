import { type Clock, scheduleAwaited } from '../core/clock.js'
import { errorText } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import { BusyQueue } from '../core/sqlite/busy-queue.js'
import { openSqlite, type SqliteDatabase, type SqliteSchema, type SqlRow } from '../core/sqlite/sqlite.js'
import { isBusy } from '../core/sqlite/sqlite-errors.js'
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
/** ms for which a database that failed is left alone */
const REST_MS = 5_000
/** ms between two looks for what is too old */
const PRUNE_MS = 60_000
/** rows erased at once: about 2 ms of the event loop */
const PRUNE_ROWS = 500
/** rows kept; the oldest go first */
const MAX_ROWS = 200_000

export interface SqliteKeysOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** random: a process that is started again must not take the keys of the one before for its own */
  readonly nonce: string
  /** default 200,000 */
  readonly maxRows?: number
}

/** @throws SqliteOpenError when the file cannot be used */
export function openSqliteKeys(path: string, options: SqliteKeysOptions): IdempotencyKeys {
  return new SqliteKeys(openSqlite(path, SQLITE_KEYS_SCHEMA), options)
}

class SqliteKeys implements IdempotencyKeys {
  readonly #queue: BusyQueue
  /** reserved while the database was away */
  readonly #alone: MemoryKeys
  #restsUntil = Number.NEGATIVE_INFINITY
  #pruneAt = Number.NEGATIVE_INFINITY
  #closed = false

  constructor(
    private readonly database: SqliteDatabase,
    private readonly options: SqliteKeysOptions,
  ) {
    this.#alone = new MemoryKeys(options.clock)
    this.#queue = new BusyQueue({
      now: () => options.clock.monotonic(),
      schedule: scheduleAwaited,
      isBusy,
      deadlineMs: LOCK_DEADLINE_MS,
      maxWaiting: MAX_WAITING,
    })
  }

  async find(owner: KeyOwner, key: string): Promise<KeptKey | undefined> {
    const id = keyId(owner, key)
    return this.#alone.at(id) ?? (await this.#tried(() => this.#read(id), true))
  }

  async reserve(owner: KeyOwner, key: string, turn: KeyedTurn): Promise<KeptKey | 'reserved'> {
    const id = keyId(owner, key)
    const alone = this.#alone.at(id)
    if (alone !== undefined) return alone
    const kept = await this.#tried(() => this.database.transaction(() => this.#reserve(id, turn)))
    return kept ?? this.#alone.reserve(owner, key, turn)
  }

  async release(owner: KeyOwner, key: string, messageId: string): Promise<void> {
    await this.#alone.release(owner, key, messageId)
    await this.#tried(() =>
      this.database
        .prepare('DELETE FROM idempotency_keys WHERE id = ? AND message_id = ?')
        .run(keyId(owner, key), messageId),
    )
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#queue.close()
    this.database.close()
  }

  #reserve(id: string, { bodyHash, sessionId, messageId }: KeyedTurn): KeptKey | 'reserved' {
    const found = this.#read(id)
    if (found !== undefined) return found
    const now = Math.round(this.options.clock.wall())
    this.#prune(now)
    this.database
      .prepare('INSERT OR REPLACE INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?)')
      .run(id, bodyHash, sessionId, messageId, this.options.nonce, now)
    return 'reserved'
  }

  #read(id: string): KeptKey | undefined {
    const row = this.database
      .prepare(
        'SELECT body, session, message_id, process, created FROM idempotency_keys WHERE id = ? AND created > ?',
      )
      .get(id, Math.round(this.options.clock.wall()) - KEY_LIFE_MS)
    return row && this.#kept(row)
  }

  #kept([body, session, messageId, process, created]: SqlRow): KeptKey {
    return {
      bodyHash: String(body),
      sessionId: String(session),
      messageId: String(messageId),
      createdAt: Number(created),
      isOwn: process === this.options.nonce,
    }
  }

  /** Within the write of a new key: no more than a few at once, and more with the next key where there are more. */
  #prune(now: number): void {
    if (this.options.clock.monotonic() < this.#pruneAt) return
    const beyond = this.database
      .prepare('SELECT created FROM idempotency_keys ORDER BY created DESC LIMIT 1 OFFSET ?')
      .get(this.options.maxRows ?? MAX_ROWS)
    const before = Math.max(now - KEY_LIFE_MS, Number(beyond?.[0] ?? 0))
    const erased = this.database
      .prepare(
        'DELETE FROM idempotency_keys WHERE id IN (SELECT id FROM idempotency_keys WHERE created <= ? ORDER BY created LIMIT ?)',
      )
      .run(before, PRUNE_ROWS)
    if (erased < PRUNE_ROWS) this.#pruneAt = this.options.clock.monotonic() + PRUNE_MS
  }

  /** Undefined where the database does not answer; for a while it is not asked again then. */
  async #tried<T>(work: () => T, overtake = false): Promise<T | undefined> {
    const { clock, logger } = this.options
    if (this.#closed || clock.monotonic() < this.#restsUntil) return undefined
    try {
      return await this.#queue.run(work, overtake)
    } catch (thrown) {
      this.#restsUntil = clock.monotonic() + REST_MS
      if (!this.#closed)
        logger.warn({ error: errorText(thrown) }, 'idempotency keys are kept in memory: the database is away')
      return undefined
    }
  }
}
