import { randomUUID } from 'node:crypto'
import type { Clock } from '../../core/clock.js'
import { errorCode } from '../../core/errors.js'
import type { Logger } from '../../core/logger.js'
import type { Postgres, PostgresDatabase } from '../../core/postgres/postgres.js'
import { faultText, isStorageFault } from '../../core/postgres/postgres-errors.js'
import type { PgRow } from '../../core/postgres/statement.js'
import type { FlagEditRecord } from '../../protocol/flag-edit-record.js'
import { noticeId } from '../../protocol/notice-id.js'
import type { RolloutChangeRecord } from '../../protocol/rollout.js'
import type {
  Comparison,
  ComparisonContent,
  ComparisonQuery,
  ComparisonSums,
  DroppedShadow,
  DropSums,
  ErasedEntries,
  ErasedWho,
  ExecutedFor,
  JudgedExecution,
  KeptExecution,
  Observation,
  Span,
} from '../comparison.js'
import {
  comparisonEntry,
  editEntry,
  executionEntry,
  rolloutEntry,
  sampleEntry,
  transitionEntry,
} from '../entries.js'
import { executedForOf, executionOf, judgedOf, observationOf } from '../facts.js'
import {
  type EvidenceSample,
  type ExecutionFacts,
  type Journal,
  JournalUnavailable,
  type KeptFlagEdit,
  type KeptRolloutChange,
  type KeptTransition,
  type PendingNotification,
  type PendingNotifications,
  type Transition,
} from '../journal.js'
import { rowContent, rowEdit, rowRolloutChange, rowSample, rowTransition } from '../journal-rows.js'
import { type QueuedEntry, rankOf, weightOf } from '../queued-entries.js'
import { type Retention, retentionForFleet } from '../retention.js'
import { ComparisonSummer } from '../sums/comparison-sums.js'
import { beginOfMinute, DropMinutes } from '../sums/drop-minutes.js'
import { DropSummer } from '../sums/drop-sums.js'
import { erase } from './erasing.js'
import { JournalPruning } from './journal-pruning.js'
import { SQL } from './journal-sql.js'
import { NotificationOutbox } from './notification-outbox.js'
import { Partitions } from './partitions.js'
import { JOURNAL_SCHEMA } from './schema.js'
import { type Position, type SpanFilter, type SpanPages, whole } from './span-pages.js'
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
  return new PostgresJournal(postgres.open(JOURNAL_SCHEMA), options)
}

class PostgresJournal implements Journal {
  readonly #database: PostgresDatabase
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #writer: WriteQueue<QueuedEntry>
  readonly #partitions: Partitions
  readonly #pruning: JournalPruning
  readonly #outbox: NotificationOutbox
  readonly #minute: DropMinutes
  /** name of this process among those that write */
  readonly #self: string
  readonly notifications: PendingNotifications = {
    keep: (notice) => {
      const id = noticeId(notice)
      this.#keep({ kind: 'notification', entry: { id, notice } })
      return id
    },
    acknowledge: (id) => {
      this.#outbox.acknowledge(id)
      this.#keep({ kind: 'acknowledged', entry: { id } })
    },
    claim: () => this.#claim(),
  }
  #readable = true
  #closed = false
  #closing: Promise<void> | undefined

  constructor(database: PostgresDatabase, { clock, logger, retention, self }: PostgresJournalOptions) {
    this.#database = database
    this.#clock = clock
    this.#logger = logger
    this.#self = randomUUID()
    this.#outbox = new NotificationOutbox(clock, self ?? { replica: randomUUID(), nonce: randomUUID() })
    this.#partitions = new Partitions(database, () => clock.wall())
    this.#minute = new DropMinutes(clock, () => this.#keepMinute())
    this.#writer = new WriteQueue({
      clock,
      maxWaiting: MAX_WAITING,
      weight: weightOf,
      write: (entries, batch) => this.#write(entries, batch),
      faultKind: (error) => (isStorageFault(error) ? 'unwritable' : 'impossible'),
      onTrouble: (error) =>
        this.#tell('warn', error, '[Journal] the journal cannot be written; entries wait'),
      onOver: () => this.#logger.info({ dropped: this.dropped }, '[Journal] the journal is written again'),
      onImpossible: (error) => this.#tell('error', error, '[Journal] an entry cannot be kept'),
    })
    this.#pruning = new JournalPruning({
      clock,
      database,
      partitions: this.#partitions,
      retention: retention ?? retentionForFleet(),
    })
  }

  get dropped(): number {
    return this.#writer.dropped
  }

  keepTransition(transition: Transition): void {
    this.#keep({ kind: 'transition', entry: transitionEntry(transition) })
  }

  keepFlagEdit(edit: FlagEditRecord): void {
    const entry = editEntry(edit)
    this.#keep(entry && { kind: 'edit', entry })
  }

  keepRolloutChange(change: RolloutChangeRecord): void {
    const entry = rolloutEntry(change)
    this.#keep(entry && { kind: 'rollout', entry })
  }

  keepSample(sample: EvidenceSample): void {
    const entry = sampleEntry(sample)
    this.#keep(entry && { kind: 'sample', entry })
  }

  keepComparison(comparison: Comparison): void {
    const entry = comparisonEntry(comparison)
    this.#keep(entry && { kind: 'comparison', entry })
  }

  keepExecution(execution: KeptExecution): void {
    const entry = executionEntry(execution)
    this.#keep(entry && { kind: 'execution', entry })
  }

  keepDrop(drop: DroppedShadow): void {
    if (this.#closed || !this.#minute.add(drop)) this.#writer.drop()
  }

  transitions(limit: number, beforeId = Number.MAX_SAFE_INTEGER): Promise<readonly KeptTransition[]> {
    return this.#pages(limit, beforeId, rowTransition, (before, size) =>
      this.#database.rows(SQL.transitionsBefore, [before, size]),
    )
  }

  flagEdits(limit: number, beforeId = Number.MAX_SAFE_INTEGER): Promise<readonly KeptFlagEdit[]> {
    return this.#pages(limit, beforeId, rowEdit, (before, size) =>
      this.#database.rows(SQL.editsBefore, [before, size]),
    )
  }

  rolloutChanges(limit: number, beforeId = Number.MAX_SAFE_INTEGER): Promise<readonly KeptRolloutChange[]> {
    return this.#pages(limit, beforeId, rowRolloutChange, (before, size) =>
      this.#database.rows(SQL.rolloutChangesBefore, [before, size]),
    )
  }

  samples(run: string): Promise<readonly EvidenceSample[]> {
    const page = (after: number, size: number) => this.#database.rows(SQL.samplesAfter, [run, after, size])
    return this.#pages(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, rowSample, page, SEQ)
  }

  async comparisonSums({ from, to, controlMode, orgId, agentId }: ComparisonQuery): Promise<ComparisonSums> {
    const filter = { from, to, fixed: [controlMode], picked: [orgId, agentId] }
    const summer = new ComparisonSummer()
    for await (const page of this.#facts(SPANS.comparisons, filter))
      for (const facts of page) summer.add(facts)
    return summer.sums()
  }

  async drops({ from, to, controlMode, orgId, agentId }: ComparisonQuery): Promise<DropSums> {
    this.#keepMinute()
    const filter = { from: beginOfMinute(from), to, fixed: [controlMode], picked: [orgId, agentId] }
    const summer = new DropSummer()
    for await (const page of this.#facts(SPANS.drops, filter)) for (const facts of page) summer.add(facts)
    return summer.sums()
  }

  async comparisonContents(
    { from, to, controlMode, orgId, agentId }: ComparisonQuery,
    limit: number,
  ): Promise<readonly ComparisonContent[]> {
    await this.#catchUp()
    const picked = [orgId ?? null, agentId ?? null, Math.min(limit, MOST_CONTENTS)]
    const rows = await this.#read(() =>
      this.#database.rows(SQL.contents, [controlMode, whole(from), whole(to), ...picked]),
    )
    return rows.flatMap((row) => rowContent(row) ?? [])
  }

  async *executions({ from, to, orgId }: Span): AsyncGenerator<readonly ExecutionFacts[]> {
    for await (const page of this.#facts(SPANS.executions, { from, to, fixed: [], picked: [orgId] }))
      yield page.flatMap((facts) => executionOf(facts) ?? [])
  }

  async *executedFor({ from, to, orgId }: Span): AsyncGenerator<readonly ExecutedFor[]> {
    for await (const page of this.#facts(SPANS.executedFor, { from, to, fixed: [], picked: [orgId] }))
      yield page.flatMap((list) => executedForOf(list) ?? [])
  }

  async *judged({ from, to, orgId }: Span): AsyncGenerator<readonly JudgedExecution[]> {
    for await (const page of this.#facts(SPANS.judged, { from, to, fixed: [], picked: [orgId] }))
      yield page.flatMap((list) => judgedOf(list) ?? [])
  }

  async *observations({ from, to }: Pick<Span, 'from' | 'to'>): AsyncGenerator<readonly Observation[]> {
    for await (const page of this.#facts(SPANS.observations, { from, to, fixed: [], picked: [] }))
      yield page.flatMap((list) =>
        Array.isArray(list) && typeof list[0] === 'number' ? (observationOf(list[0], list[1]) ?? []) : [],
      )
  }

  async erase(who: ErasedWho): Promise<ErasedEntries> {
    this.#keepMinute()
    await this.#catchUp()
    return this.#read(() => erase(this.#database, who))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#closed = true
    await this.#pruning.stop()
    this.#minute.stop()
    this.#keepMinute()
    const before = this.dropped
    await this.#writer.close()
    const lost = this.dropped - before
    if (lost > 0)
      this.#logger.warn({ dropped: lost }, '[Journal] entries were lost: the database took none to the end')
    // The next process takes the notifications over immediately; where that fails, a while later.
    await this.#outbox.free(this.#database).catch(() => undefined)
    await this.#database.close()
  }

  async #claim(): Promise<readonly PendingNotification[]> {
    await this.#catchUp()
    return this.#read(() => this.#database.transaction((runner) => this.#outbox.claim(runner)))
  }

  /** @param entry undefined for what could not be made one */
  #keep(entry: QueuedEntry | undefined): void {
    if (entry === undefined) this.#writer.drop()
    else this.#writer.add(entry, rankOf(entry))
  }

  /** What was counted goes its way, before its minute is over if somebody asks or the journal is closed. */
  #keepMinute(): void {
    for (const entry of this.#minute.take()) this.#keep({ kind: 'drops', entry })
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
    await this.#catchUp()
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

  async *#facts(pages: SpanPages, filter: SpanFilter): AsyncGenerator<readonly unknown[]> {
    await this.#catchUp()
    for (let after: Position | undefined; ; ) {
      const from = after
      const { items, end } = await this.#read(() => pages.page(this.#database, filter, from))
      yield items
      if (end === undefined) return
      after = end
    }
  }

  /** The caller sees everything this process did before. */
  async #catchUp(): Promise<void> {
    if (!this.#closed) await this.#writer.flush()
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
    this.#logger[level]({ code: errorCode(error), error: faultText(error), dropped: this.dropped }, message)
  }
}
