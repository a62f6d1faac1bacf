import { bounded } from '../core/bounded.js'
import { scheduleAwaited, type Timer } from '../core/clock.js'
import { createLru } from '../core/lru.js'
import type { PostgresSchema } from '../core/postgres/migrations.js'
import type { Postgres, PostgresDatabase } from '../core/postgres/postgres.js'
import { faultText, isStorageFault } from '../core/postgres/postgres-errors.js'
import { statement } from '../core/postgres/statement.js'
import { DatabaseRest } from '../core/sqlite/database-rest.js'
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

/**
 * `day`: days since the epoch, UTC. All replicas add to the same rows. `org_token_writers` has the last batch that each process wrote:
 * where the answer to a write was lost, the batch is sent again and must not count twice.
 */
export const POSTGRES_USAGE_SCHEMA: PostgresSchema = {
  room: 'usage',
  migrations: [
    `
    CREATE TABLE org_tokens (
      day bigint NOT NULL,
      org text NOT NULL,
      tokens bigint NOT NULL,
      PRIMARY KEY (day, org)
    ) WITH (fillfactor = 70);
    CREATE TABLE org_token_writers (
      process text PRIMARY KEY,
      batch bigint NOT NULL,
      day bigint NOT NULL
    ) WITH (fillfactor = 70);
    `,
  ],
}

const SQL = {
  read: statement('SELECT tokens FROM org_tokens WHERE day = $1 AND org = $2'),
  /** One batch of a process, all of it or nothing; nothing where it was written before. */
  add: statement(`
    WITH fresh AS (
      INSERT INTO org_token_writers AS writer (process, batch, day) VALUES ($1, $2, $3)
      ON CONFLICT (process) DO UPDATE SET batch = excluded.batch, day = excluded.day WHERE writer.batch < excluded.batch
      RETURNING batch)
    INSERT INTO org_tokens AS kept (day, org, tokens)
    SELECT added.* FROM unnest($4::bigint[], $5::text[], $6::bigint[]) AS added WHERE EXISTS (SELECT 1 FROM fresh)
    ON CONFLICT (day, org) DO UPDATE SET tokens = kept.tokens + excluded.tokens
    RETURNING day, org, tokens`),
  prune: statement('DELETE FROM org_tokens WHERE day < $1'),
  pruneWriters: statement('DELETE FROM org_token_writers WHERE day < $1'),
} as const

/** ms the last writes may take when the process stops */
const CLOSE_MS = 1_000

/** What is sent to the database, and sent again until it is known to be there. */
interface Batch {
  readonly number: number
  readonly rows: ReadonlyMap<string, Added>
}

/** @param process random: a name of this process that no other has */
export function openPostgresUsage(postgres: Postgres, process: string, deps: UsageDeps): TokenUsage {
  return new PostgresUsage(postgres.open(POSTGRES_USAGE_SCHEMA), process, deps)
}

class PostgresUsage implements TokenUsage {
  /** in no batch yet, by day and org */
  readonly #pending = new Map<string, Added>()
  #batch: Batch | undefined
  #batches = 0
  /** as the database had it last, without what is pending or in the batch */
  readonly #known = createLru<string, Known>(MAX_KNOWN)
  readonly #readings = new Map<string, Promise<number>>()
  #timer: Timer | undefined
  #writing: Promise<boolean> | undefined
  readonly #rest: DatabaseRest
  #prunedDay: number | undefined
  #closed = false

  constructor(
    private readonly database: PostgresDatabase,
    private readonly process: string,
    private readonly deps: UsageDeps,
  ) {
    this.#rest = new DatabaseRest(deps.clock, (thrown) =>
      deps.logger.warn({ error: faultText(thrown) }, DATABASE_AWAY),
    )
  }

  add(orgId: string, tokens: number): void {
    const whole = Math.round(tokens)
    if (!(whole > 0) || this.#closed) return
    const day = this.#today()
    const key = keyOf(day, orgId)
    const waiting = this.#pending.get(key)
    if (waiting !== undefined) waiting.tokens += whole
    else if (this.#pending.size < MAX_PENDING) this.#pending.set(key, { day, orgId, tokens: whole })
    this.#writeLater()
  }

  used(orgId: string): number | Promise<number> {
    const day = this.#today()
    const known = this.#known.get(orgId)
    if (known?.day !== day) return this.#reading(orgId, day).then((tokens) => this.#sum(orgId, day, tokens))
    // Only an org that was never asked for waits for the database.
    if (this.deps.clock.monotonic() - known.readAt >= FRESH_MS) void this.#reading(orgId, day)
    return this.#sum(orgId, day, known.tokens)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    await bounded(this.#writeAll(), CLOSE_MS, this.deps.clock, (_, ms, callback) =>
      scheduleAwaited(ms, callback),
    )
    await this.database.close()
  }

  async #writeAll(): Promise<void> {
    await this.#writing
    this.#rest.end()
    while ((this.#batch !== undefined || this.#pending.size > 0) && (await this.#writeBatch())) {
      // What is left follows.
    }
  }

  #today(): number {
    return dayOf(this.deps.clock.wall())
  }

  #sum(orgId: string, day: number, kept: number): number {
    const key = keyOf(day, orgId)
    return kept + (this.#pending.get(key)?.tokens ?? 0) + (this.#batch?.rows.get(key)?.tokens ?? 0)
  }

  /** One at a time for an org. */
  #reading(orgId: string, day: number): Promise<number> {
    const key = keyOf(day, orgId)
    const running = this.#readings.get(key)
    if (running !== undefined) return running
    const reading = this.#read(orgId, day).finally(() => this.#readings.delete(key))
    this.#readings.set(key, reading)
    return reading
  }

  async #read(orgId: string, day: number): Promise<number> {
    const { clock } = this.deps
    const before = this.#known.get(orgId)
    const rows = await this.#rest.tried(() => this.database.rows(SQL.read, [day, orgId]))
    const known = this.#known.get(orgId)
    // A write of the same org was answered meanwhile: what was read may be from before it.
    if (known !== undefined && known !== before && known.day === day) return known.tokens
    const last = before?.day === day ? before.tokens : 0
    const tokens = rows === undefined ? last : Number(rows[0]?.[0] ?? 0)
    this.#known.set(orgId, { day, tokens, readAt: clock.monotonic() })
    return tokens
  }

  #writeLater(): void {
    if (this.#closed || this.#timer !== undefined) return
    this.#timer = this.deps.clock.schedule(WRITE_MS, () => {
      this.#writing = this.#writeBatch().then((done) => {
        this.#timer = undefined
        if (this.#batch !== undefined || this.#pending.size > 0) this.#writeLater()
        return done
      })
    })
  }

  /** False where the database did not take it: it waits on. Never rejects. */
  async #writeBatch(): Promise<boolean> {
    this.#batch ??= this.#nextBatch()
    const { number, rows } = this.#batch
    const today = this.#today()
    const added = [...rows.values()]
    const values = [
      this.process,
      number,
      today,
      added.map(({ day }) => day),
      added.map(({ orgId }) => orgId),
      added.map(({ tokens }) => tokens),
    ]
    const kept = await this.#rest.tried(async () => {
      await this.#prune(today)
      return this.database.rows(SQL.add, values).catch((thrown: unknown) => this.#drop(thrown))
    })
    if (kept === undefined) return false
    this.#batch = undefined
    const readAt = this.deps.clock.monotonic()
    for (const [day, org, tokens] of kept)
      if (Number(day) === today) this.#known.set(String(org), { day: today, tokens: Number(tokens), readAt })
    // It was written before, and its answer was lost: the sums are read again.
    if (kept.length === 0) for (const { orgId } of added) this.#known.delete(orgId)
    return true
  }

  /** In the order of the keys, so that two replicas never wait for each other. */
  #nextBatch(): Batch {
    const keys = [...this.#pending.keys()].slice(0, WRITE_ORGS).sort()
    const rows = new Map<string, Added>()
    for (const key of keys) {
      const added = this.#pending.get(key)
      if (added !== undefined) rows.set(key, added)
      this.#pending.delete(key)
    }
    this.#batches += 1
    return { number: this.#batches, rows }
  }

  /** What the database never takes must not keep the others waiting. */
  #drop(thrown: unknown): [] {
    if (isStorageFault(thrown)) throw thrown
    this.deps.logger.error({ error: faultText(thrown) }, '[Limits] tokens of the day were lost')
    return []
  }

  async #prune(today: number): Promise<void> {
    if (this.#prunedDay === today) return
    await this.database.change(SQL.prune, [today - 1])
    await this.database.change(SQL.pruneWriters, [today - 1])
    this.#prunedDay = today
  }
}
