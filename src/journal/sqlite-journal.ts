import { BusyQueue } from '../core/busy-queue.js'
import type { Clock, Timer } from '../core/clock.js'
import { errorCode, errorText } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import { openSqlite, type SqliteDatabase, type SqlRow } from '../core/sqlite.js'
import { isBusy, isStorageFault } from '../core/sqlite-errors.js'
import { type SampleEntry, sampleEntry, type TransitionEntry, transitionEntry } from './entries.js'
import {
  type EvidenceSample,
  type Journal,
  JournalUnavailable,
  type KeptTransition,
  type Transition,
} from './journal.js'
import { rowSample, rowTransition } from './journal-rows.js'
import { JournalStatements } from './journal-statements.js'
import { DEFAULT_RETENTION, type Retention } from './retention.js'
import { JOURNAL_SCHEMA } from './schema.js'
import { WriteBehind } from './write-behind.js'

export interface SqliteJournalOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly retention?: Retention
}

type Entry =
  | { readonly kind: 'transition'; readonly entry: TransitionEntry }
  | { readonly kind: 'sample'; readonly entry: SampleEntry }

/** Rows read a page at a time. */
interface Pages<T> {
  readonly start: number
  readonly limit: number
  page(cursor: number, size: number): SqlRow[]
  /** the place behind which the next page begins */
  cursor(row: SqlRow): number
  /** undefined for a row to be passed over */
  parse(row: SqlRow): T | undefined
}

/** entries that may wait for a disk that takes none */
const MAX_WAITING = 1_000
/** rows of one read */
const PAGE = 100
const READ_DEADLINE_MS = 2_000
const MAX_READS_WAITING = 100
const PRUNE_EVERY_MS = 60_000
/** oldest rows of each table one transaction may delete, and ms to the next while there is more to delete */
const PRUNE_STEP = 200
const PRUNE_PAUSE_MS = 100

/**
 * The journal in a SQLite file, which may be the one of the conversations; shared by all replicas of the machine.
 * @param path file, created with its directory, or `:memory:`
 * @throws SqliteOpenError when the file cannot be used
 */
export function openSqliteJournal(path: string, options: SqliteJournalOptions): Journal {
  return new SqliteJournal(openSqlite(path, JOURNAL_SCHEMA), options)
}

class SqliteJournal implements Journal {
  readonly #database: SqliteDatabase
  readonly #statements: JournalStatements
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #retention: Retention
  readonly #writer: WriteBehind<Entry>
  readonly #reads: BusyQueue
  #pruning: Timer
  #readable = true
  #closed = false
  #closing: Promise<void> | undefined

  constructor(database: SqliteDatabase, { clock, logger, retention }: SqliteJournalOptions) {
    this.#database = database
    this.#statements = new JournalStatements(database)
    this.#clock = clock
    this.#logger = logger
    this.#retention = retention ?? DEFAULT_RETENTION
    this.#writer = new WriteBehind({
      clock,
      maxWaiting: MAX_WAITING,
      write: (entries) => this.#write(entries),
      verdict: (error) => (isBusy(error) ? 'locked' : isStorageFault(error) ? 'unwritable' : 'impossible'),
      onTrouble: (error) =>
        this.#tell('warn', error, '[Journal] the journal cannot be written; entries wait'),
      onOver: () => this.#logger.info({ dropped: this.dropped }, '[Journal] the journal is written again'),
      onImpossible: (error) => this.#tell('error', error, '[Journal] an entry cannot be kept'),
    })
    this.#reads = new BusyQueue({
      now: () => clock.monotonic(),
      schedule: keepAlive,
      isBusy,
      deadlineMs: READ_DEADLINE_MS,
      maxWaiting: MAX_READS_WAITING,
    })
    this.#pruning = this.#pruneIn(PRUNE_EVERY_MS)
  }

  get dropped(): number {
    return this.#writer.dropped
  }

  keepTransition(transition: Transition): void {
    this.#writer.add({ kind: 'transition', entry: transitionEntry(transition) }, true)
  }

  keepSample(sample: EvidenceSample): void {
    const entry = sampleEntry(sample)
    if (entry === undefined) this.#writer.drop()
    else this.#writer.add({ kind: 'sample', entry }, false)
  }

  transitions(limit: number, beforeId = Number.MAX_SAFE_INTEGER): Promise<readonly KeptTransition[]> {
    return this.#pages({
      start: beforeId,
      limit,
      page: (before, size) => this.#statements.transitionsBefore(before, size),
      cursor: (row) => Number(row[0]),
      parse: rowTransition,
    })
  }

  samples(run: string): Promise<readonly EvidenceSample[]> {
    return this.#pages({
      start: Number.MIN_SAFE_INTEGER,
      limit: Number.POSITIVE_INFINITY,
      page: (after, size) => this.#statements.samplesAfter(run, after, size),
      cursor: (row) => Number(row[SEQ]),
      parse: rowSample,
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#closed = true
    this.#pruning.cancel()
    this.#reads.close()
    const before = this.dropped
    await this.#writer.close()
    const lost = this.dropped - before
    if (lost > 0)
      this.#logger.warn({ dropped: lost }, '[Journal] entries were lost: the file took none to the end')
    this.#database.close()
  }

  #write(entries: readonly Entry[]): void {
    this.#database.transaction(() => {
      for (const { kind, entry } of entries) {
        if (kind === 'transition') this.#statements.insertTransition(entry)
        else this.#statements.insertSample(entry)
      }
    })
  }

  /** The event loop has its turn between two pages. */
  async #pages<T>({ start, limit, page, cursor, parse }: Pages<T>): Promise<T[]> {
    // Whoever asks sees what this process did before.
    if (!this.#closed) await this.#writer.flush()
    const all: T[] = []
    for (let from = start, left = limit; ; ) {
      const size = Math.min(PAGE, left)
      const rows = await this.#read(() => page(from, size))
      all.push(...rows.flatMap((row) => parse(row) ?? []))
      left -= rows.length
      const last = rows.at(-1)
      if (last === undefined || rows.length < size || left <= 0) return all
      from = cursor(last)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async #read<T>(work: () => T): Promise<T> {
    try {
      const result = await this.#reads.run(work, true)
      this.#readable = true
      return result
    } catch (error) {
      if (this.#closed) throw new JournalUnavailable('the journal is closed', { cause: error })
      if (this.#readable) this.#tell('error', error, '[Journal] the journal cannot be read')
      this.#readable = false
      throw new JournalUnavailable(`the journal cannot be read: ${errorText(error)}`, { cause: error })
    }
  }

  #pruneIn(delayMs: number): Timer {
    return this.#clock.schedule(delayMs, () => {
      this.#pruning = this.#pruneIn(this.#pruneStep() ? PRUNE_PAUSE_MS : PRUNE_EVERY_MS)
    })
  }

  /** Is there more to delete? A fault is the next step's: the writer tells those of the file. */
  #pruneStep(): boolean {
    const now = this.#clock.wall()
    try {
      return this.#database.transaction(() =>
        (['transitions', 'samples'] as const)
          .map((table) => this.#statements.prune(table, this.#retention[table], now, PRUNE_STEP))
          .includes(PRUNE_STEP),
      )
    } catch {
      return false
    }
  }

  #tell(level: 'warn' | 'error', error: unknown, message: string): void {
    this.#logger[level]({ code: errorCode(error), error: errorText(error), dropped: this.dropped }, message)
  }
}

/** place of `seq` in a row of samples */
const SEQ = 4

/** Unlike the clock's timers: somebody waits for the read. */
function keepAlive(delayMs: number, callback: () => void): Timer {
  const timer = setTimeout(callback, delayMs)
  return { cancel: () => clearTimeout(timer) }
}
