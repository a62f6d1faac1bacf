import { randomUUID } from 'node:crypto'
import type { Clock } from '../../core/clock.js'
import { errorCode, errorText } from '../../core/errors.js'
import type { Logger } from '../../core/logger.js'
import { openSqlite, type SqliteDatabase } from '../../core/sqlite/sqlite.js'
import { isBusy, isStorageFault } from '../../core/sqlite/sqlite-errors.js'
import { AgeReference } from '../age-reference.js'
import type { ComparisonContent, ComparisonQuery, ErasedEntries, ErasedWho } from '../comparison.js'
import {
  DatabaseJournal,
  type DatabaseJournalOptions,
  type JournalDatabase,
} from '../database/database-journal.js'
import type { FactKind, Position, SpanFilter } from '../database/fact-pages.js'
import { type QueuedEntry, weightOf } from '../database/queued-entries.js'
import type {
  EvidenceSample,
  Journal,
  KeptFlagEdit,
  KeptRolloutChange,
  KeptTransition,
  PendingNotification,
} from '../journal.js'
import { rowContent, rowEdit, rowRolloutChange, rowSample, rowTransition } from '../journal-rows.js'
import { type Retention, retentionFor } from '../retention.js'
import { Erasing } from './erasing.js'
import { JournalStatements, TABLES, type Table } from './journal-statements.js'
import { NotificationOutbox } from './notification-outbox.js'
import { PAGE_ROWS, PagedReads } from './paged-reads.js'
import { Pruning } from './pruning.js'
import { JOURNAL_SCHEMA } from './schema.js'
import type { SpanPages } from './span-pages.js'
import { spansOf } from './spans.js'
import { WriteBehind } from './write-behind.js'
import { writeEntry } from './write-entry.js'

export interface SqliteJournalOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly retention?: Retention
  /** this process, in what only it may do; default: nobody else's name */
  readonly self?: { readonly replica: string; readonly nonce: string }
}

/** entries that may wait for a disk that takes none */
const MAX_WAITING = 1_000
/** oldest rows of a table that one transaction may delete; those of contents are large, and overwritten */
const PRUNE_STEPS: Readonly<Record<Table, number>> = {
  transitions: 200,
  samples: 200,
  comparisons: 200,
  contents: 20,
  executions: 200,
  drops: 200,
  edits: 200,
  rollout_changes: 200,
}

/**
 * The journal in a SQLite file, which may be the one of the conversations; shared by all replicas of the machine.
 * @param path file, created with its directory, or `:memory:`
 * @throws SqliteOpenError when the file cannot be used
 */
export function openSqliteJournal(path: string, options: SqliteJournalOptions): Journal {
  const settings = { ...options, retention: options.retention ?? retentionFor() }
  return new DatabaseJournal(new SqliteJournalDatabase(openSqlite(path, JOURNAL_SCHEMA), settings), settings)
}

class SqliteJournalDatabase implements JournalDatabase {
  readonly lostMessage = '[Journal] entries were lost: the file took none to the end'
  readonly #database: SqliteDatabase
  readonly #statements: JournalStatements
  readonly #logger: Logger
  readonly #retention: Retention
  readonly writer: WriteBehind<QueuedEntry>
  readonly #reads: PagedReads
  readonly #pruning: Pruning
  readonly #age: AgeReference
  readonly #outbox: NotificationOutbox
  readonly #spans: Readonly<Record<FactKind, SpanPages>>
  readonly #erasing: Erasing

  constructor(
    database: SqliteDatabase,
    { clock, logger, retention, self }: SqliteJournalOptions & DatabaseJournalOptions,
  ) {
    this.#database = database
    this.#statements = new JournalStatements(database)
    this.#outbox = new NotificationOutbox(
      database,
      clock,
      self ?? { replica: randomUUID(), nonce: randomUUID() },
    )
    this.#spans = spansOf(database)
    this.#erasing = new Erasing(database)
    this.#logger = logger
    this.#retention = retention
    this.writer = new WriteBehind({
      clock,
      maxWaiting: MAX_WAITING,
      weight: weightOf,
      write: (entries) => this.#write(entries),
      faultKind: (error) => (isBusy(error) ? 'locked' : isStorageFault(error) ? 'unwritable' : 'impossible'),
      onTrouble: (error) =>
        this.#tell('warn', error, '[Journal] the journal cannot be written; entries wait'),
      onOver: () =>
        this.#logger.info({ dropped: this.writer.dropped }, '[Journal] the journal is written again'),
      onImpossible: (error) => this.#tell('error', error, '[Journal] an entry cannot be kept'),
    })
    this.#reads = new PagedReads({
      clock,
      onFault: (error) => this.#tell('error', error, '[Journal] the journal cannot be read'),
    })
    this.#age = new AgeReference(clock, newestAt(this.#statements))
    this.#pruning = new Pruning({
      clock,
      steps: TABLES.map((table) => () => this.#prune(table)),
      // The conversations are in the same file: one of the two rooms has to do it.
      onQuiet: () => {
        database.giveBackPages()
        database.truncateLog()
      },
    })
  }

  transitions(limit: number, beforeId: number): Promise<readonly KeptTransition[]> {
    return this.#reads.rows({
      start: beforeId,
      limit,
      page: (before, size) => this.#statements.transitionsBefore(before, size),
      cursor: (row) => Number(row[0]),
      parse: rowTransition,
    })
  }

  flagEdits(limit: number, beforeId: number): Promise<readonly KeptFlagEdit[]> {
    return this.#reads.rows({
      start: beforeId,
      limit,
      page: (before, size) => this.#statements.editsBefore(before, size),
      cursor: (row) => Number(row[0]),
      parse: rowEdit,
    })
  }

  rolloutChanges(limit: number, beforeId: number): Promise<readonly KeptRolloutChange[]> {
    return this.#reads.rows({
      start: beforeId,
      limit,
      page: (before, size) => this.#statements.rolloutChangesBefore(before, size),
      cursor: (row) => Number(row[0]),
      parse: rowRolloutChange,
    })
  }

  samples(run: string): Promise<readonly EvidenceSample[]> {
    return this.#reads.rows({
      start: Number.MIN_SAFE_INTEGER,
      limit: Number.POSITIVE_INFINITY,
      page: (after, size) => this.#statements.samplesAfter(run, after, size),
      cursor: (row) => Number(row[SEQ]),
      parse: rowSample,
    })
  }

  async comparisonContents(query: ComparisonQuery, limit: number): Promise<readonly ComparisonContent[]> {
    const most = Math.min(limit, PAGE_ROWS)
    const rows = await this.#reads.once(() => this.#statements.contents(query, most))
    return rows.flatMap((row) => rowContent(row) ?? [])
  }

  erase(who: ErasedWho): Promise<ErasedEntries> {
    return this.#erasing.run(who, (work) => this.#reads.once(() => this.#database.transaction(work)))
  }

  acknowledge(id: string): void {
    this.#outbox.acknowledge(id)
  }

  claim(): Promise<readonly PendingNotification[]> {
    const claim = (): readonly PendingNotification[] =>
      this.#database.transaction(() => {
        this.#outbox.touch()
        return this.#outbox.claim()
      })
    return this.#reads.once(claim)
  }

  facts(kind: FactKind, filter: SpanFilter): AsyncGenerator<readonly unknown[]> {
    return this.#reads.lists((after: Position | undefined) => this.#spans[kind].page(filter, after))
  }

  stop(): void {
    this.#pruning.stop()
    this.#reads.close()
  }

  close(): void {
    this.#freeNotifications()
    this.#database.close()
  }

  /** The next process takes them over immediately. */
  #freeNotifications(): void {
    try {
      this.#database.transaction(() => this.#outbox.free())
    } catch {
      // They are taken over a while later.
    }
  }

  #write(entries: readonly QueuedEntry[]): void {
    this.#database.transaction(() => {
      for (const entry of entries) writeEntry(entry, this.#statements, this.#outbox)
    })
  }

  /** Is there more to delete? A fault is the next step's: the writer tells those of the file. */
  #prune(table: Table): boolean {
    const step = PRUNE_STEPS[table]
    try {
      return this.#database.transaction(() => {
        const now = this.#age.now(this.#statements.newestAt())
        return this.#statements.prune(table, this.#retention[table], now, step) === step
      })
    } catch {
      return false
    }
  }

  #tell(level: 'warn' | 'error', error: unknown, message: string): void {
    this.#logger[level](
      { code: errorCode(error), error: errorText(error), dropped: this.writer.dropped },
      message,
    )
  }
}

/** A fault is the first read's to tell. */
function newestAt(statements: JournalStatements): number | undefined {
  try {
    return statements.newestAt()
  } catch {
    return undefined
  }
}

/** place of `seq` in a row of samples */
const SEQ = 4
