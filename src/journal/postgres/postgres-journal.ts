import { randomUUID } from 'node:crypto'
import type { Clock } from '../../core/clock.js'
import { errorCode } from '../../core/errors.js'
import type { Logger } from '../../core/logger.js'
import type { Postgres, PostgresDatabase } from '../../core/postgres/postgres.js'
import { faultText, isStorageFault } from '../../core/postgres/postgres-errors.js'
import type { PgRow } from '../../core/postgres/statement.js'
import type { ComparisonContent, ComparisonQuery, ErasedEntries, ErasedWho } from '../comparison.js'
import {
  DatabaseJournal,
  type DatabaseJournalOptions,
  type JournalDatabase,
} from '../database/database-journal.js'
import type { FactKind, Position, SpanFilter } from '../database/fact-pages.js'
import { type QueuedEntry, weightOf } from '../database/queued-entries.js'
import {
  type EvidenceSample,
  type Journal,
  JournalUnavailable,
  type KeptFlagEdit,
  type KeptRolloutChange,
  type KeptTransition,
  type PendingNotification,
} from '../journal.js'
import { rowContent, rowEdit, rowRolloutChange, rowSample, rowTransition } from '../journal-rows.js'
import { type Retention, retentionForFleet } from '../retention.js'
import { erase } from './erasing.js'
import { JournalPruning } from './journal-pruning.js'
import { SQL } from './journal-sql.js'
import { NotificationOutbox } from './notification-outbox.js'
import { Partitions } from './partitions.js'
import { JOURNAL_SCHEMA } from './schema.js'
import { whole } from './span-pages.js'
import { SPANS } from './spans.js'
import { WriteQueue } from './write-queue.js'
import { writeEntries } from './written-entries.js'

export interface PostgresJournalOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly retention?: Retention
  /** this process, in what only it may do; default: nobody else's name */
  readonly self?: { readonly replica: string; readonly nonce: string }
}

/** entries that may wait for a database that takes none */
const MAX_WAITING = 2_000
/** entries of one read */
const PAGE_ROWS = 500
/** place of `seq` in a row of samples */
const SEQ = 4
const MOST_CONTENTS = 100

/** The journal in PostgreSQL, shared by replicas on many machines. */
export function openPostgresJournal(postgres: Postgres, options: PostgresJournalOptions): Journal {
  const settings = { ...options, retention: options.retention ?? retentionForFleet() }
  return new DatabaseJournal(new PostgresJournalDatabase(postgres.open(JOURNAL_SCHEMA), settings), settings)
}

class PostgresJournalDatabase implements JournalDatabase {
  readonly lostMessage = '[Journal] entries were lost: the database took none to the end'
  readonly #database: PostgresDatabase
  readonly #clock: Clock
  readonly #logger: Logger
  readonly writer: WriteQueue<QueuedEntry>
  readonly #partitions: Partitions
  readonly #pruning: JournalPruning
  readonly #outbox: NotificationOutbox
  /** name of this process among those that write */
  readonly #self: string
  #readable = true
  #closed = false

  constructor(
    database: PostgresDatabase,
    { clock, logger, retention, self }: PostgresJournalOptions & DatabaseJournalOptions,
  ) {
    this.#database = database
    this.#clock = clock
    this.#logger = logger
    this.#self = randomUUID()
    this.#outbox = new NotificationOutbox(clock, self ?? { replica: randomUUID(), nonce: randomUUID() })
    this.#partitions = new Partitions(database, () => clock.wall())
    this.writer = new WriteQueue({
      clock,
      maxWaiting: MAX_WAITING,
      weight: weightOf,
      write: (entries, batch) => this.#write(entries, batch),
      faultKind: (error) => (isStorageFault(error) ? 'unwritable' : 'impossible'),
      onTrouble: (error) =>
        this.#tell('warn', error, '[Journal] the journal cannot be written; entries wait'),
      onOver: () =>
        this.#logger.info({ dropped: this.writer.dropped }, '[Journal] the journal is written again'),
      onImpossible: (error) => this.#tell('error', error, '[Journal] an entry cannot be kept'),
    })
    this.#pruning = new JournalPruning({
      clock,
      database,
      partitions: this.#partitions,
      retention,
    })
  }

  transitions(limit: number, beforeId: number): Promise<readonly KeptTransition[]> {
    return this.#pages(limit, beforeId, rowTransition, (before, size) =>
      this.#database.rows(SQL.transitionsBefore, [before, size]),
    )
  }

  flagEdits(limit: number, beforeId: number): Promise<readonly KeptFlagEdit[]> {
    return this.#pages(limit, beforeId, rowEdit, (before, size) =>
      this.#database.rows(SQL.editsBefore, [before, size]),
    )
  }

  rolloutChanges(limit: number, beforeId: number): Promise<readonly KeptRolloutChange[]> {
    return this.#pages(limit, beforeId, rowRolloutChange, (before, size) =>
      this.#database.rows(SQL.rolloutChangesBefore, [before, size]),
    )
  }

  samples(run: string): Promise<readonly EvidenceSample[]> {
    const page = (after: number, size: number) => this.#database.rows(SQL.samplesAfter, [run, after, size])
    return this.#pages(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, rowSample, page, SEQ)
  }

  async comparisonContents(
    { from, to, controlMode, orgId, agentId }: ComparisonQuery,
    limit: number,
  ): Promise<readonly ComparisonContent[]> {
    const picked = [orgId ?? null, agentId ?? null, Math.min(limit, MOST_CONTENTS)]
    const rows = await this.#read(() =>
      this.#database.rows(SQL.contents, [controlMode, whole(from), whole(to), ...picked]),
    )
    return rows.flatMap((row) => rowContent(row) ?? [])
  }

  erase(who: ErasedWho): Promise<ErasedEntries> {
    return this.#read(() => erase(this.#database, who))
  }

  acknowledge(id: string): void {
    this.#outbox.acknowledge(id)
  }

  claim(): Promise<readonly PendingNotification[]> {
    return this.#read(() => this.#database.transaction((runner) => this.#outbox.claim(runner)))
  }

  async *facts(kind: FactKind, filter: SpanFilter): AsyncGenerator<readonly unknown[]> {
    for (let after: Position | undefined; ; ) {
      const from = after
      const { items, end } = await this.#read(() => SPANS[kind].page(this.#database, filter, from))
      yield items
      if (end === undefined) return
      after = end
    }
  }

  async stop(): Promise<void> {
    this.#closed = true
    await this.#pruning.stop()
  }

  async close(): Promise<void> {
    // The next process takes the notifications over immediately; where that fails, a while later.
    await this.#outbox.free(this.#database).catch(() => undefined)
    await this.#database.close()
  }

  async #write(entries: readonly QueuedEntry[], batch: number): Promise<void> {
    const instants = (kind: 'execution' | 'comparison') =>
      entries.flatMap((queued) => (queued.kind === kind ? [queued.entry.at] : []))
    await this.#partitions.make('executions', instants('execution'))
    await this.#partitions.make('comparisons', instants('comparison'))
    await this.#database.transaction(async (runner) => {
      const isNew = await runner.change(SQL.batch, [this.#self, batch, Math.round(this.#clock.wall())])
      if (isNew === 1) await writeEntries(runner, entries, this.#outbox)
    })
  }

  /** Rows a page at a time, each page behind the last row of the one before. */
  async #pages<T>(
    limit: number,
    start: number,
    parse: (row: PgRow) => T | undefined,
    page: (cursor: number, size: number) => Promise<PgRow[]>,
    cursor = 0,
  ): Promise<T[]> {
    const all: T[] = []
    for (let from = start, left = limit; ; ) {
      const size = Math.min(PAGE_ROWS, left)
      const behind = from
      const rows = await this.#read(() => page(behind, size))
      all.push(...rows.flatMap((row) => parse(row) ?? []))
      left -= rows.length
      const last = rows.at(-1)
      if (last === undefined || rows.length < size || left <= 0) return all
      from = Number(last[cursor])
    }
  }

  async #read<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new JournalUnavailable('the journal is closed')
    try {
      const result = await work()
      this.#readable = true
      return result
    } catch (error) {
      if (this.#closed) throw new JournalUnavailable('the journal is closed', { cause: error })
      if (this.#readable) this.#tell('error', error, '[Journal] the journal cannot be read')
      this.#readable = false
      throw new JournalUnavailable(`the journal cannot be read: ${faultText(error)}`, { cause: error })
    }
  }

  #tell(level: 'warn' | 'error', error: unknown, message: string): void {
    this.#logger[level](
      { code: errorCode(error), error: faultText(error), dropped: this.writer.dropped },
      message,
    )
  }
}
