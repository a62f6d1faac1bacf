import { randomUUID } from 'node:crypto'
import type { Clock } from '../../core/clock.js'
import { errorCode, errorText } from '../../core/errors.js'
import type { Logger } from '../../core/logger.js'
import { openSqlite, type SqliteDatabase } from '../../core/sqlite/sqlite.js'
import { isBusy, isStorageFault } from '../../core/sqlite/sqlite-errors.js'
import type { FlagEditRecord } from '../../protocol/flag-edit-record.js'
import { noticeId } from '../../protocol/notice-id.js'
import type { RolloutChangeRecord } from '../../protocol/rollout.js'
import { AgeReference } from '../age-reference.js'
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
import { executedForOf, executionOf, FOR_PLACE, judgedOf, observationOf } from '../facts.js'
import type {
  EvidenceSample,
  ExecutionFacts,
  Journal,
  KeptFlagEdit,
  KeptRolloutChange,
  KeptTransition,
  PendingNotification,
  PendingNotifications,
  Transition,
} from '../journal.js'
import { rowContent, rowEdit, rowRolloutChange, rowSample, rowTransition } from '../journal-rows.js'
import { type QueuedEntry, rankOf, weightOf } from '../queued-entries.js'
import { type Retention, retentionFor } from '../retention.js'
import { ComparisonSummer } from '../sums/comparison-sums.js'
import { beginOfMinute, DropMinutes } from '../sums/drop-minutes.js'
import { DropSummer } from '../sums/drop-sums.js'
import { Erasing } from './erasing.js'
import { JournalStatements, TABLES, type Table } from './journal-statements.js'
import { NotificationOutbox } from './notification-outbox.js'
import { PAGE_ROWS, PagedReads } from './paged-reads.js'
import { Pruning } from './pruning.js'
import { JOURNAL_SCHEMA } from './schema.js'
import { type Position, type SpanFilter, SpanPages } from './span-pages.js'
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

/** Of the inputs of the machine what `observationOf` reads: a whole one is some kB. */
const OBSERVED = `CASE WHEN NOT json_valid(input) THEN NULL ELSE json_object(
  'kind', input ->> 'kind', 'healthy', json(input -> 'healthy'), 'command', json(input -> 'command'),
  'evidence', json_object('probe', json_object('failures', input ->> '$.evidence.probe.failures')),
  'guardrails', json_object('probeFailures', input ->> '$.guardrails.probeFailures')) END`
/** entries of one page: some ms, for each is parsed */
const OBSERVED_PAGE = 100

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
  readonly #writer: WriteBehind<QueuedEntry>
  readonly #reads: PagedReads
  readonly #pruning: Pruning
  readonly #age: AgeReference
  readonly #outbox: NotificationOutbox
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
  readonly #comparisons: SpanPages
  readonly #executions: SpanPages
  readonly #executedFor: SpanPages
  readonly #judged: SpanPages
  readonly #observations: SpanPages
  readonly #drops: SpanPages
  readonly #minute: DropMinutes
  readonly #erasing: Erasing
  #closed = false
  #closing: Promise<void> | undefined

  constructor(database: SqliteDatabase, { clock, logger, retention, self }: SqliteJournalOptions) {
    this.#database = database
    this.#statements = new JournalStatements(database)
    this.#outbox = new NotificationOutbox(
      database,
      clock,
      self ?? { replica: randomUUID(), nonce: randomUUID() },
    )
    this.#comparisons = new SpanPages(database, {
      table: 'comparisons',
      fixed: ['control_mode'],
      picked: ['org_id', 'agent_id'],
    })
    this.#executions = new SpanPages(database, { table: 'executions', fixed: [], picked: ['org_id'] })
    const { result, sessionId, agentId } = FOR_PLACE
    this.#executedFor = new SpanPages(database, {
      table: 'executions',
      fixed: [],
      picked: ['org_id'],
      facts: `json_array(org_id, json_extract(facts, '$[${sessionId}]'), json_extract(facts, '$[${agentId}]'), json_extract(facts, '$[${result}]'))`,
    })
    this.#judged = new SpanPages(database, {
      table: 'executions',
      fixed: [],
      picked: ['org_id'],
      facts: 'json_array(at, org_id, json(facts))',
    })
    this.#observations = new SpanPages(database, {
      table: 'samples',
      fixed: [],
      picked: [],
      facts: `json_array(at, ${OBSERVED})`,
      size: OBSERVED_PAGE,
    })
    this.#drops = new SpanPages(database, {
      table: 'drops',
      fixed: ['control_mode'],
      picked: ['org_id', 'agent_id'],
      facts: 'json_array(reason, turns, kind)',
    })
    this.#erasing = new Erasing(database)
    this.#minute = new DropMinutes(clock, () => this.#keepMinute())
    this.#clock = clock
    this.#logger = logger
    this.#retention = retention ?? retentionFor()
    this.#writer = new WriteBehind({
      clock,
      maxWaiting: MAX_WAITING,
      weight: weightOf,
      write: (entries) => this.#write(entries),
      faultKind: (error) => (isBusy(error) ? 'locked' : isStorageFault(error) ? 'unwritable' : 'impossible'),
      onTrouble: (error) =>
        this.#tell('warn', error, '[Journal] the journal cannot be written; entries wait'),
      onOver: () => this.#logger.info({ dropped: this.dropped }, '[Journal] the journal is written again'),
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

  async transitions(limit: number, beforeId = Number.MAX_SAFE_INTEGER): Promise<readonly KeptTransition[]> {
    await this.#catchUp()
    return this.#reads.rows({
      start: beforeId,
      limit,
      page: (before, size) => this.#statements.transitionsBefore(before, size),
      cursor: (row) => Number(row[0]),
      parse: rowTransition,
    })
  }

  async flagEdits(limit: number, beforeId = Number.MAX_SAFE_INTEGER): Promise<readonly KeptFlagEdit[]> {
    await this.#catchUp()
    return this.#reads.rows({
      start: beforeId,
      limit,
      page: (before, size) => this.#statements.editsBefore(before, size),
      cursor: (row) => Number(row[0]),
      parse: rowEdit,
    })
  }

  async rolloutChanges(
    limit: number,
    beforeId = Number.MAX_SAFE_INTEGER,
  ): Promise<readonly KeptRolloutChange[]> {
    await this.#catchUp()
    return this.#reads.rows({
      start: beforeId,
      limit,
      page: (before, size) => this.#statements.rolloutChangesBefore(before, size),
      cursor: (row) => Number(row[0]),
      parse: rowRolloutChange,
    })
  }

  async samples(run: string): Promise<readonly EvidenceSample[]> {
    await this.#catchUp()
    return this.#reads.rows({
      start: Number.MIN_SAFE_INTEGER,
      limit: Number.POSITIVE_INFINITY,
      page: (after, size) => this.#statements.samplesAfter(run, after, size),
      cursor: (row) => Number(row[SEQ]),
      parse: rowSample,
    })
  }

  async comparisonSums({ from, to, controlMode, orgId, agentId }: ComparisonQuery): Promise<ComparisonSums> {
    const filter = { from, to, fixed: [controlMode], picked: [orgId, agentId] }
    const summer = new ComparisonSummer()
    for await (const page of this.#facts(this.#comparisons, filter))
      for (const facts of page) summer.add(facts)
    return summer.sums()
  }

  async drops({ from, to, controlMode, orgId, agentId }: ComparisonQuery): Promise<DropSums> {
    this.#keepMinute()
    const filter = { from: beginOfMinute(from), to, fixed: [controlMode], picked: [orgId, agentId] }
    const summer = new DropSummer()
    for await (const page of this.#facts(this.#drops, filter)) for (const drops of page) summer.add(drops)
    return summer.sums()
  }

  async comparisonContents(query: ComparisonQuery, limit: number): Promise<readonly ComparisonContent[]> {
    await this.#catchUp()
    const most = Math.min(limit, PAGE_ROWS)
    // What is older is about to be deleted, and shown to nobody until then.
    const oldest = this.#clock.wall() - this.#retention.contents.maxAgeMs
    const kept = { ...query, from: Math.max(query.from, oldest) }
    const rows = await this.#reads.once(() => this.#statements.contents(kept, most))
    return rows.flatMap((row) => rowContent(row) ?? [])
  }

  async *executions({ from, to, orgId }: Span): AsyncGenerator<readonly ExecutionFacts[]> {
    const filter = { from, to, fixed: [], picked: [orgId] }
    for await (const page of this.#facts(this.#executions, filter))
      yield page.flatMap((facts) => executionOf(facts) ?? [])
  }

  async *executedFor({ from, to, orgId }: Span): AsyncGenerator<readonly ExecutedFor[]> {
    const filter = { from, to, fixed: [], picked: [orgId] }
    for await (const page of this.#facts(this.#executedFor, filter))
      yield page.flatMap((list) => executedForOf(list) ?? [])
  }

  async *judged({ from, to, orgId }: Span): AsyncGenerator<readonly JudgedExecution[]> {
    const filter = { from, to, fixed: [], picked: [orgId] }
    for await (const page of this.#facts(this.#judged, filter))
      yield page.flatMap((list) => judgedOf(list) ?? [])
  }

  async *observations({ from, to }: Pick<Span, 'from' | 'to'>): AsyncGenerator<readonly Observation[]> {
    const filter = { from, to, fixed: [], picked: [] }
    for await (const page of this.#facts(this.#observations, filter))
      yield page.flatMap((list) =>
        Array.isArray(list) && typeof list[0] === 'number' ? (observationOf(list[0], list[1]) ?? []) : [],
      )
  }

  async erase(who: ErasedWho): Promise<ErasedEntries> {
    this.#keepMinute()
    await this.#catchUp()
    return this.#erasing.run(who, (work) => this.#reads.once(() => this.#database.transaction(work)))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#closed = true
    this.#pruning.stop()
    this.#minute.stop()
    this.#keepMinute()
    this.#reads.close()
    const before = this.dropped
    await this.#writer.close()
    const lost = this.dropped - before
    if (lost > 0)
      this.#logger.warn({ dropped: lost }, '[Journal] entries were lost: the file took none to the end')
    this.#freeNotifications()
    this.#database.close()
  }

  async #claim(): Promise<readonly PendingNotification[]> {
    await this.#catchUp()
    const claim = (): readonly PendingNotification[] =>
      this.#database.transaction(() => {
        this.#outbox.touch()
        return this.#outbox.claim()
      })
    return this.#reads.once(claim)
  }

  /** The next process takes them over immediately. */
  #freeNotifications(): void {
    try {
      this.#database.transaction(() => this.#outbox.free())
    } catch {
      // They are taken over a while later.
    }
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

  #write(entries: readonly QueuedEntry[]): void {
    this.#database.transaction(() => {
      for (const entry of entries) writeEntry(entry, this.#statements, this.#outbox)
    })
  }

  async *#facts(pages: SpanPages, filter: SpanFilter): AsyncGenerator<readonly unknown[]> {
    await this.#catchUp()
    yield* this.#reads.lists((after: Position | undefined) => pages.page(filter, after))
  }

  /** The caller sees everything this process did before. */
  async #catchUp(): Promise<void> {
    if (!this.#closed) await this.#writer.flush()
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
    this.#logger[level]({ code: errorCode(error), error: errorText(error), dropped: this.dropped }, message)
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
