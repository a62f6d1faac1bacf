import type { Timer } from '../core/clock.js'
import { errorText } from '../core/errors.js'
import { createLru } from '../core/lru.js'
import type { BusyQueue } from '../core/sqlite/busy-queue.js'
import { databaseQueue } from '../core/sqlite/database-queue.js'
import { DatabaseRest } from '../core/sqlite/database-rest.js'
import { openSqlite, type SqliteDatabase, type SqliteSchema } from '../core/sqlite/sqlite.js'
import {
  type Added,
  FRESH_MS,
  type Known,
  keyOf,
  MAX_KNOWN,
  MAX_PENDING,
  WRITE_MS,
  WRITE_ORGS,
} from './kept-usage.js'
import { DATABASE_AWAY, dayOf, type TokenUsage, type UsageDeps } from './token-usage.js'

/** `day`: days since the epoch, UTC. All replicas of the database add to the same rows. */
export const SQLITE_USAGE_SCHEMA: SqliteSchema = {
  room: 'usage',
  migrations: [
    `
    CREATE TABLE org_tokens (
      day INTEGER NOT NULL,
      org TEXT NOT NULL,
      tokens INTEGER NOT NULL,
      PRIMARY KEY (day, org)
    ) STRICT, WITHOUT ROWID;
    `,
  ],
}

/** ms a call waits for a lock held by another process */
const LOCK_DEADLINE_MS = 1_000
const MAX_WAITING = 1_000

/** @throws SqliteOpenError when the file cannot be used */
export const openSqliteUsage = (path: string, deps: UsageDeps): TokenUsage =>
  new SqliteUsage(openSqlite(path, SQLITE_USAGE_SCHEMA), deps)

interface WrittenRow {
  readonly key: string
  readonly day: number
  readonly orgId: string
  /** the row's tokens, those of all replicas among them */
  readonly kept: number
}

class SqliteUsage implements TokenUsage {
  readonly #queue: BusyQueue
  /** not written yet, by day and org */
  readonly #pending = new Map<string, Added>()
  /** as the database had it last, what is pending not among it */
  readonly #known = createLru<string, Known>(MAX_KNOWN)
  #timer: Timer | undefined
  readonly #rest: DatabaseRest
  #prunedDay: number | undefined
  #closed = false

  constructor(
    private readonly database: SqliteDatabase,
    private readonly deps: UsageDeps,
  ) {
    this.#rest = new DatabaseRest(deps.clock, (thrown) =>
      deps.logger.warn({ error: errorText(thrown) }, DATABASE_AWAY),
    )
    this.#queue = databaseQueue(deps.clock, { deadlineMs: LOCK_DEADLINE_MS, maxWaiting: MAX_WAITING })
  }

  add(orgId: string, tokens: number): void {
    const whole = Math.round(tokens)
    if (!(whole > 0) || this.#closed) return
    const day = this.#today()
    const key = keyOf(day, orgId)
    const waiting = this.#pending.get(key)
    if (waiting !== undefined) waiting.tokens += whole
    else if (this.#pending.size < MAX_PENDING) this.#pending.set(key, { day, orgId, tokens: whole })
    this.#timer ??= this.deps.clock.schedule(WRITE_MS, () => void this.#write())
  }

  used(orgId: string): number | Promise<number> {
    const { clock } = this.deps
    const day = this.#today()
    const known = this.#known.get(orgId)
    const isKnown = known?.day === day
    if (isKnown && clock.monotonic() - known.readAt < FRESH_MS) return this.#sum(orgId, day, known.tokens)
    const reading = this.#read(orgId, day).then((tokens) => this.#sum(orgId, day, tokens))
    // Only an org that was never asked for waits for the database.
    return isKnown ? this.#sum(orgId, day, known.tokens) : reading
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    this.#rest.end()
    while (this.#pending.size > 0 && (await this.#writeSome())) {
      // What is left follows.
    }
    this.#queue.close()
    this.database.close()
  }

  #today(): number {
    return dayOf(this.deps.clock.wall())
  }

  #sum(orgId: string, day: number, kept: number): number {
    return kept + (this.#pending.get(keyOf(day, orgId))?.tokens ?? 0)
  }

  async #read(orgId: string, day: number): Promise<number> {
    const before = this.#known.get(orgId)
    const last = before?.day === day ? before.tokens : 0
    const row = await this.#tried(
      () =>
        this.database.prepare('SELECT tokens FROM org_tokens WHERE day = ? AND org = ?').get(day, orgId) ?? [
          0,
        ],
      true,
    )
    const tokens = row === undefined ? last : Number(row[0])
    this.#known.set(orgId, { day, tokens, readAt: this.deps.clock.monotonic() })
    return tokens
  }

  async #write(): Promise<void> {
    await this.#writeSome()
    this.#timer =
      this.#closed || this.#pending.size === 0
        ? undefined
        : this.deps.clock.schedule(WRITE_MS, () => void this.#write())
  }

  /** False where the database did not take it: it waits on. */
  async #writeSome(): Promise<boolean> {
    const some = [...this.#pending.keys()].slice(0, WRITE_ORGS)
    const done = await this.#tried(() => {
      const written = this.database.transaction(() => this.#writeRows(some))
      // At once, so that what is written is not written again by work that waits behind this.
      for (const row of written) this.#settle(row)
      return true
    })
    return done === true
  }

  #settle({ key, day, orgId, kept }: WrittenRow): void {
    this.#pending.delete(key)
    if (this.#known.get(orgId)?.day === day)
      this.#known.set(orgId, { day, tokens: kept, readAt: this.deps.clock.monotonic() })
  }

  #writeRows(keys: readonly string[]): WrittenRow[] {
    const today = this.#today()
    if (this.#prunedDay !== today)
      this.database.prepare('DELETE FROM org_tokens WHERE day < ?').run(today - 1)
    this.#prunedDay = today
    const upsert = this.database.prepare(
      'INSERT INTO org_tokens VALUES (?, ?, ?) ON CONFLICT (day, org) DO UPDATE SET tokens = tokens + excluded.tokens RETURNING tokens',
    )
    return keys.flatMap((key) => {
      const pending = this.#pending.get(key)
      if (pending === undefined) return []
      const { day, orgId, tokens } = pending
      const kept = Number(upsert.get(day, orgId, tokens)?.[0] ?? tokens)
      return [{ key, day, orgId, kept }]
    })
  }

  #tried<T>(work: () => T, overtake = false): Promise<T | undefined> {
    return this.#rest.tried(() => this.#queue.run(work, overtake))
  }
}
