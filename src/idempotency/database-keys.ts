import type { Clock } from '../core/clock.js'
import type { Logger } from '../core/logger.js'
import { faultText } from '../core/postgres/postgres-errors.js'
import { DatabaseRest } from '../core/sqlite/database-rest.js'
import {
  type IdempotencyKeys,
  type KeptKey,
  type KeyedTurn,
  type KeyOwner,
  keyId,
} from './idempotency-keys.js'
import { MemoryKeys } from './memory-keys.js'

export interface DatabaseKeysOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** random: a process that is started again must not take the keys of the one before for its own */
  readonly nonce: string
  /** rows kept, the oldest go first; default: 200,000 in a file, 2,000,000 in PostgreSQL */
  readonly maxRows?: number
}

/** The keys in a database, by `keyId`. Rejects while the database is away. */
export interface KeysTable {
  find(id: string): Promise<KeptKey | undefined>
  /** Undefined where it is not known which turn the key stands for. */
  reserve(id: string, turn: KeyedTurn): Promise<KeptKey | 'reserved' | undefined>
  release(id: string, messageId: string): Promise<unknown>
  close(): void | Promise<void>
}

/** Keys in a database. While it is away, new keys hold within this process. */
export class DatabaseKeys implements IdempotencyKeys {
  readonly #rest: DatabaseRest
  /** reserved while the database was away */
  readonly #alone: MemoryKeys
  #closed = false

  constructor(
    private readonly table: KeysTable,
    { clock, logger }: DatabaseKeysOptions,
  ) {
    this.#rest = new DatabaseRest(clock, (thrown) =>
      logger.warn({ error: faultText(thrown) }, 'idempotency keys are kept in memory: the database is away'),
    )
    this.#alone = new MemoryKeys(clock)
  }

  async find(owner: KeyOwner, key: string): Promise<KeptKey | undefined> {
    const id = keyId(owner, key)
    return this.#alone.at(id) ?? (await this.#rest.tried(() => this.table.find(id)))
  }

  async reserve(owner: KeyOwner, key: string, turn: KeyedTurn): Promise<KeptKey | 'reserved'> {
    const id = keyId(owner, key)
    const alone = this.#alone.at(id)
    if (alone !== undefined) return alone
    const kept = await this.#rest.tried(() => this.table.reserve(id, turn))
    return kept ?? this.#alone.reserve(owner, key, turn)
  }

  async release(owner: KeyOwner, key: string, messageId: string): Promise<void> {
    await this.#alone.release(owner, key, messageId)
    await this.#rest.tried(() => this.table.release(keyId(owner, key), messageId))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#rest.close()
    await this.table.close()
  }
}

/** @param row body, session, message id, process and time of creation, from either database */
export const keptKey = (
  [body, session, messageId, process, created]: readonly unknown[],
  nonce: string,
): KeptKey => ({
  bodyHash: String(body),
  sessionId: String(session),
  messageId: String(messageId),
  createdAt: Number(created),
  isOwn: process === nonce,
})
