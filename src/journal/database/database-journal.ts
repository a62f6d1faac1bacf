import type { Clock } from '../../core/clock.js'
import type { Logger } from '../../core/logger.js'
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
  KeptPair,
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
import { pairOf } from '../pair-facts.js'
import { ofShownContents, type Retention } from '../retention.js'
import { ComparisonSummer } from '../sums/comparison-sums.js'
import { beginOfMinute, DropMinutes } from '../sums/drop-minutes.js'
import { DropSummer } from '../sums/drop-sums.js'
import type { FactKind, SpanFilter } from './fact-pages.js'
import { type QueuedEntry, rankOf } from './queued-entries.js'

/** Entries on their way to the database. Bounded; never rejects. */
export interface EntryWriter {
  /** entries dropped since the start */
  readonly dropped: number
  add(entry: QueuedEntry, rank: number): void
  /** Counts an entry that was lost before it came here. */
  drop(): void
  flush(): Promise<void>
  /** Writes what waits, and drops what cannot be written. */
  close(): Promise<void>
}

/** What a journal needs of its kind of database. Reading, claiming and erasing throw JournalUnavailable. */
export interface JournalDatabase {
  readonly writer: EntryWriter
  /** logged where entries were lost at the end */
  readonly lostMessage: string
  /** The notification is not claimed any more, even before its acknowledgement is written. */
  acknowledge(id: string): void
  claim(): Promise<readonly PendingNotification[]>
  transitions(limit: number, beforeId: number): Promise<readonly KeptTransition[]>
  flagEdits(limit: number, beforeId: number): Promise<readonly KeptFlagEdit[]>
  rolloutChanges(limit: number, beforeId: number): Promise<readonly KeptRolloutChange[]>
  samples(run: string): Promise<readonly EvidenceSample[]>
  facts(kind: FactKind, filter: SpanFilter): AsyncIterable<readonly unknown[]>
  comparisonContents(query: ComparisonQuery, limit: number): Promise<readonly ComparisonContent[]>
  erase(who: ErasedWho): Promise<ErasedEntries>
  /** Ends reads and pruning. */
  stop(): void | Promise<void>
  /** After the last entry is written. */
  close(): void | Promise<void>
}

export interface DatabaseJournalOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly retention: Retention
}

/** A journal in a database. What is kept waits for the writer; a reader sees everything that this process kept before. */
export class DatabaseJournal implements Journal {
  readonly #database: JournalDatabase
  readonly #writer: EntryWriter
  readonly #options: DatabaseJournalOptions
  readonly #minute: DropMinutes
  readonly notifications: PendingNotifications = {
    keep: (notice) => {
      const id = noticeId(notice)
      this.#keep({ kind: 'notification', entry: { id, notice } })
      return id
    },
    acknowledge: (id) => {
      this.#database.acknowledge(id)
      this.#keep({ kind: 'acknowledged', entry: { id } })
    },
    claim: async () => {
      await this.#catchUp()
      return this.#database.claim()
    },
  }
  #closed = false
  #closing: Promise<void> | undefined

  constructor(database: JournalDatabase, options: DatabaseJournalOptions) {
    this.#database = database
    this.#writer = database.writer
    this.#options = options
    this.#minute = new DropMinutes(options.clock, () => this.#keepMinute())
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
    return this.#database.transitions(limit, beforeId)
  }

  async flagEdits(limit: number, beforeId = Number.MAX_SAFE_INTEGER): Promise<readonly KeptFlagEdit[]> {
    await this.#catchUp()
    return this.#database.flagEdits(limit, beforeId)
  }

  async rolloutChanges(
    limit: number,
    beforeId = Number.MAX_SAFE_INTEGER,
  ): Promise<readonly KeptRolloutChange[]> {
    await this.#catchUp()
    return this.#database.rolloutChanges(limit, beforeId)
  }

  async samples(run: string): Promise<readonly EvidenceSample[]> {
    await this.#catchUp()
    return this.#database.samples(run)
  }

  async comparisonSums({ from, to, controlMode, orgId, agentId }: ComparisonQuery): Promise<ComparisonSums> {
    const filter = { from, to, fixed: [controlMode], picked: [orgId, agentId] }
    const summer = new ComparisonSummer()
    for await (const page of this.#facts('comparisons', filter)) for (const facts of page) summer.add(facts)
    return summer.sums()
  }

  async *pairs({
    from,
    to,
    controlMode,
    orgId,
    agentId,
  }: ComparisonQuery): AsyncGenerator<readonly KeptPair[]> {
    const filter = { from, to, fixed: [controlMode], picked: [orgId, agentId] }
    for await (const page of this.#facts('pairs', filter))
      yield page.flatMap((list) => pairOf(list, controlMode) ?? [])
  }

  async drops({ from, to, controlMode, orgId, agentId }: ComparisonQuery): Promise<DropSums> {
    this.#keepMinute()
    const filter = { from: beginOfMinute(from), to, fixed: [controlMode], picked: [orgId, agentId] }
    const summer = new DropSummer()
    for await (const page of this.#facts('drops', filter)) for (const facts of page) summer.add(facts)
    return summer.sums()
  }

  async comparisonContents(query: ComparisonQuery, limit: number): Promise<readonly ComparisonContent[]> {
    await this.#catchUp()
    const shown = ofShownContents(query, this.#options.retention, this.#options.clock.wall())
    return this.#database.comparisonContents(shown, limit)
  }

  async *executions({ from, to, orgId }: Span): AsyncGenerator<readonly ExecutionFacts[]> {
    for await (const page of this.#facts('executions', { from, to, fixed: [], picked: [orgId] }))
      yield page.flatMap((facts) => executionOf(facts) ?? [])
  }

  async *executedFor({ from, to, orgId }: Span): AsyncGenerator<readonly ExecutedFor[]> {
    for await (const page of this.#facts('executedFor', { from, to, fixed: [], picked: [orgId] }))
      yield page.flatMap((list) => executedForOf(list) ?? [])
  }

  async *judged({ from, to, orgId }: Span): AsyncGenerator<readonly JudgedExecution[]> {
    for await (const page of this.#facts('judged', { from, to, fixed: [], picked: [orgId] }))
      yield page.flatMap((list) => judgedOf(list) ?? [])
  }

  async *observations({ from, to }: Pick<Span, 'from' | 'to'>): AsyncGenerator<readonly Observation[]> {
    for await (const page of this.#facts('observations', { from, to, fixed: [], picked: [] }))
      yield page.flatMap((list) =>
        Array.isArray(list) && typeof list[0] === 'number' ? (observationOf(list[0], list[1]) ?? []) : [],
      )
  }

  async erase(who: ErasedWho): Promise<ErasedEntries> {
    this.#keepMinute()
    await this.#catchUp()
    return this.#database.erase(who)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#closed = true
    await this.#database.stop()
    this.#minute.stop()
    this.#keepMinute()
    const before = this.dropped
    await this.#writer.close()
    const lost = this.dropped - before
    if (lost > 0) this.#options.logger.warn({ dropped: lost }, this.#database.lostMessage)
    await this.#database.close()
  }

  /** @param entry undefined where a record could not be made an entry */
  #keep(entry: QueuedEntry | undefined): void {
    if (entry === undefined) this.#writer.drop()
    else this.#writer.add(entry, rankOf(entry))
  }

  /** Keeps the drops counted so far: at the end of a minute, and earlier for a read, an erasure or the close. */
  #keepMinute(): void {
    for (const entry of this.#minute.take()) this.#keep({ kind: 'drops', entry })
  }

  async *#facts(kind: FactKind, filter: SpanFilter): AsyncGenerator<readonly unknown[]> {
    await this.#catchUp()
    yield* this.#database.facts(kind, filter)
  }

  /** The caller sees everything this process did before. */
  async #catchUp(): Promise<void> {
    if (!this.#closed) await this.#writer.flush()
  }
}
