import type { Clock } from '../../core/clock.js'
import { parsedJson } from '../../core/json/parsed-json.js'
import type { FlagEditRecord } from '../../protocol/flag-edit-record.js'
import { keptChangeSchema } from '../../protocol/flag-edit-record.js'
import { noticeId } from '../../protocol/notice-id.js'
import { type RolloutChangeRecord, rolloutChangeRecordSchema } from '../../protocol/rollout.js'
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
  KeptPair,
  Observation,
  Span,
} from '../comparison.js'
import {
  type ComparisonEntry,
  comparisonEntry,
  type DropEntry,
  type EditEntry,
  type ExecutionEntry,
  editEntry,
  executionEntry,
  given,
  type RolloutEntry,
  rolloutEntry,
  type SampleEntry,
  sampleEntry,
  type TransitionEntry,
  transitionEntry,
} from '../entries.js'
import { executedForOf, executionOf, FOR_PLACE, judgedOf, observationOf } from '../facts.js'
import {
  type EvidenceSample,
  type ExecutionFacts,
  type Journal,
  JournalUnavailable,
  type KeptFlagEdit,
  type KeptRolloutChange,
  type KeptTransition,
  type PendingNotifications,
  type Transition,
} from '../journal.js'
import { pairOf } from '../pair-facts.js'
import { ofShownContents, type Retention, retentionInMemory } from '../retention.js'
import { ComparisonSummer } from '../sums/comparison-sums.js'
import { beginOfMinute, DropMinutes } from '../sums/drop-minutes.js'
import { DropSummer } from '../sums/drop-sums.js'
import { MemoryEntries } from './memory-entries.js'

export interface MemoryJournalOptions {
  readonly clock: Clock
  readonly retention?: Retention
}

type TransitionWithId = TransitionEntry & { readonly id: number }
type EditWithId = EditEntry & { readonly id: number }
type RolloutWithId = RolloutEntry & { readonly id: number }
type ContentEntry = ComparisonContent & Pick<ComparisonEntry, 'controlMode' | 'userId'>

/** entries looked at before the event loop has its turn */
const PAGE = 1_000
const MOST_CONTENTS = 100

/** The journal of a service without a database file: forgotten at its end. */
export function createMemoryJournal(options: MemoryJournalOptions): Journal {
  return new MemoryJournal(options.clock, options.retention ?? retentionInMemory())
}

class MemoryJournal implements Journal {
  readonly #transitions: MemoryEntries<TransitionWithId>
  readonly #samples: MemoryEntries<SampleEntry>
  readonly #comparisons: MemoryEntries<ComparisonEntry>
  readonly #contents: MemoryEntries<ContentEntry>
  readonly #executions: MemoryEntries<ExecutionEntry>
  readonly #drops: MemoryEntries<DropEntry>
  readonly #edits: MemoryEntries<EditWithId>
  readonly #rolloutChanges: MemoryEntries<RolloutWithId>
  readonly #minute: DropMinutes
  /** `at` of the newest entry, of whatever kind */
  #newestAt: number | undefined
  #lastId = 0
  #lastEditId = 0
  #lastRolloutId = 0
  #dropped = 0
  #closed = false

  constructor(
    private readonly clock: Clock,
    private readonly retention: Retention,
  ) {
    const age = new AgeReference(clock, undefined)
    const now = (): number | undefined => age.now(this.#newestAt)
    this.#transitions = new MemoryEntries(now, retention.transitions)
    this.#samples = new MemoryEntries(now, retention.samples)
    this.#comparisons = new MemoryEntries(now, retention.comparisons)
    this.#contents = new MemoryEntries(now, retention.contents)
    this.#executions = new MemoryEntries(now, retention.executions)
    this.#drops = new MemoryEntries(now, retention.drops)
    this.#edits = new MemoryEntries(now, retention.edits)
    this.#rolloutChanges = new MemoryEntries(now, retention.rollout_changes)
    this.#minute = new DropMinutes(clock, () => {
      for (const drops of this.#minute.take()) this.#keep(this.#drops, drops)
    })
  }

  get dropped(): number {
    return this.#dropped
  }

  /** Nothing outlives this process, and the sender still has them. */
  readonly notifications: PendingNotifications = {
    keep: noticeId,
    acknowledge: () => undefined,
    claim: async () => [],
  }

  keepTransition(transition: Transition): void {
    if (this.#closed) {
      this.#dropped += 1
      return
    }
    const entry = transitionEntry(transition)
    if (entry.adopted === true ? this.#isKnown(entry) : this.#replacesAdopted(entry)) return
    this.#lastId += 1
    this.#newestAt = entry.at
    this.#transitions.add({ ...entry, id: this.#lastId })
  }

  keepFlagEdit(edit: FlagEditRecord): void {
    const entry = editEntry(edit)
    this.#lastEditId += 1
    this.#keep(this.#edits, entry && { ...entry, id: this.#lastEditId })
  }

  keepRolloutChange(change: RolloutChangeRecord): void {
    const entry = rolloutEntry(change)
    this.#lastRolloutId += 1
    this.#keep(this.#rolloutChanges, entry && { ...entry, id: this.#lastRolloutId })
  }

  keepSample(sample: EvidenceSample): void {
    this.#keep(this.#samples, sampleEntry(sample))
  }

  keepComparison(comparison: Comparison): void {
    const entry = comparisonEntry(comparison)
    this.#keep(this.#comparisons, entry)
    if (entry?.content !== undefined && !this.#closed)
      this.#contents.add({
        ...entry.content,
        controlMode: entry.controlMode,
        ...given('userId', entry.userId),
      })
  }

  keepExecution(execution: KeptExecution): void {
    this.#keep(this.#executions, executionEntry(execution))
  }

  keepDrop(drop: DroppedShadow): void {
    if (this.#closed || !this.#minute.add(drop)) this.#dropped += 1
  }

  async transitions(limit: number, beforeId = Number.POSITIVE_INFINITY): Promise<readonly KeptTransition[]> {
    this.#checkOpen()
    const before = this.#transitions.all().filter(({ id }) => id < beforeId)
    return before
      .slice(Math.max(before.length - limit, 0))
      .reverse()
      .map(keptTransition)
  }

  async flagEdits(limit: number, beforeId = Number.POSITIVE_INFINITY): Promise<readonly KeptFlagEdit[]> {
    this.#checkOpen()
    const before = this.#edits.all().filter(({ id }) => id < beforeId)
    return before
      .slice(Math.max(before.length - limit, 0))
      .reverse()
      .map((edit) => ({ ...edit, changes: keptChangeSchema.array().parse(parsedJson(edit.changes)) }))
  }

  async rolloutChanges(
    limit: number,
    beforeId = Number.POSITIVE_INFINITY,
  ): Promise<readonly KeptRolloutChange[]> {
    this.#checkOpen()
    const before = this.#rolloutChanges.all().filter(({ id }) => id < beforeId)
    return before
      .slice(Math.max(before.length - limit, 0))
      .reverse()
      .map(({ id, record }) => ({ id, ...rolloutChangeRecordSchema.parse(parsedJson(record)) }))
  }

  async samples(run: string): Promise<readonly EvidenceSample[]> {
    this.#checkOpen()
    const ofRun = this.#samples.all().filter((sample) => sample.run === run)
    return ofRun
      .sort((a, b) => a.seq - b.seq)
      .map((sample) => ({ ...sample, input: parsedJson(sample.input) }))
  }

  async comparisonSums(query: ComparisonQuery): Promise<ComparisonSums> {
    const summer = new ComparisonSummer()
    for await (const page of this.#pages(this.#comparisons)) {
      for (const comparison of page) if (isAsked(query, comparison)) summer.add(comparison.facts)
    }
    return summer.sums()
  }

  async *pairs(query: ComparisonQuery): AsyncGenerator<readonly KeptPair[]> {
    const sorted = this.#comparisons.all().sort((a, b) => a.at - b.at)
    for await (const page of this.#paged(sorted))
      yield page
        .filter((comparison) => isAsked(query, comparison))
        .flatMap(
          ({ at, orgId, agentId, facts }) => pairOf([at, orgId, agentId, facts], query.controlMode) ?? [],
        )
  }

  async drops(query: ComparisonQuery): Promise<DropSums> {
    const summer = new DropSummer()
    const running = this.#minute.rows()
    const asked = { ...query, from: beginOfMinute(query.from) }
    for await (const page of this.#pages(this.#drops, running)) {
      for (const drops of page) if (isAsked(asked, drops)) summer.add([drops.reason, drops.turns, drops.kind])
    }
    return summer.sums()
  }

  async comparisonContents(query: ComparisonQuery, limit: number): Promise<readonly ComparisonContent[]> {
    this.#checkOpen()
    const shown = ofShownContents(query, this.retention, this.clock.wall())
    const asked = this.#contents.all().filter((content) => isAsked(shown, content))
    return asked
      .reverse()
      .sort((a, b) => b.at - a.at)
      .slice(0, Math.min(limit, MOST_CONTENTS))
      .map(({ controlMode: _, userId: __, ...content }) => content)
  }

  async *executions(span: Span): AsyncGenerator<readonly ExecutionFacts[]> {
    for await (const page of this.#pages(this.#executions))
      yield page
        .filter((execution) => isWithin(span, execution))
        .flatMap(({ facts }) => executionOf(facts) ?? [])
  }

  async *executedFor(span: Span): AsyncGenerator<readonly ExecutedFor[]> {
    for await (const page of this.#pages(this.#executions))
      yield page
        .filter((execution) => isWithin(span, execution))
        .flatMap(
          ({ orgId, facts }) =>
            executedForOf([
              orgId,
              facts[FOR_PLACE.sessionId],
              facts[FOR_PLACE.agentId],
              facts[FOR_PLACE.result],
            ]) ?? [],
        )
  }

  async *judged(span: Span): AsyncGenerator<readonly JudgedExecution[]> {
    const sorted = this.#executions.all().sort((a, b) => a.at - b.at)
    for await (const page of this.#paged(sorted))
      yield page
        .filter((execution) => isWithin(span, execution))
        .flatMap(({ at, orgId, facts }) => judgedOf([at, orgId, facts]) ?? [])
  }

  async *observations(span: Pick<Span, 'from' | 'to'>): AsyncGenerator<readonly Observation[]> {
    const sorted = this.#samples.all().sort((a, b) => a.at - b.at)
    for await (const page of this.#paged(sorted))
      yield page
        .filter(({ at }) => at >= span.from && at < span.to)
        .flatMap(({ at, input }) => observationOf(at, parsedJson(input)) ?? [])
  }

  async erase({ orgId, userId, sessionIds }: ErasedWho): Promise<ErasedEntries> {
    this.#checkOpen()
    if (orgId === undefined && userId === undefined) return { comparisons: 0, contents: 0, executions: 0 }
    const ofOrg = (entry: { readonly orgId: string | null }) => orgId === undefined || entry.orgId === orgId
    const ofUser = (owner: string | undefined) => userId === undefined || owner === userId
    const sessions = new Set<unknown>(sessionIds)
    for (const drops of this.#minute.take()) this.#keep(this.#drops, drops)
    if (userId === undefined) this.#drops.remove((entry) => entry.orgId === orgId)
    return {
      comparisons: this.#comparisons.remove((entry) => ofOrg(entry) && ofUser(entry.userId)),
      // Of those that do not say whose they are it might be anybody's of the org: they go too.
      contents: this.#contents.remove((entry) => ofOrg(entry) && ofUser(entry.userId ?? userId)),
      executions: this.#executions.remove(
        (entry) => ofOrg(entry) && (userId === undefined || sessions.has(entry.facts[FOR_PLACE.sessionId])),
      ),
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#minute.stop()
  }

  #isKnown(entry: TransitionEntry): boolean {
    return this.#transitions.some((other) => isSameChange(entry, other))
  }

  #replacesAdopted(entry: TransitionEntry): boolean {
    return this.#transitions.replace(
      (other) => other.adopted === true && isSameChange(entry, other),
      ({ id }) => ({ ...entry, id }),
    )
  }

  #keep<T extends { readonly at: number }>(entries: MemoryEntries<T>, entry: T | undefined): void {
    if (entry === undefined || this.#closed) {
      this.#dropped += 1
      return
    }
    this.#newestAt = entry.at
    entries.add(entry)
  }

  async *#pages<T extends { readonly at: number }>(
    entries: MemoryEntries<T>,
    more: readonly T[] = [],
  ): AsyncGenerator<readonly T[]> {
    yield* this.#paged([...entries.all(), ...more])
  }

  async *#paged<T>(all: readonly T[]): AsyncGenerator<readonly T[]> {
    this.#checkOpen()
    for (let at = 0; at < all.length; at += PAGE) {
      yield all.slice(at, at + PAGE)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new JournalUnavailable('the journal is closed')
  }
}

const isSameChange = (a: TransitionEntry, b: TransitionEntry): boolean =>
  a.revision === b.revision && a.replica === b.replica && a.at === b.at

const isWithin = (
  { from, to, orgId }: Span,
  entry: { readonly at: number; readonly orgId: string | null },
): boolean => entry.at >= from && entry.at < to && (orgId === undefined || entry.orgId === orgId)

const isAsked = (
  query: ComparisonQuery,
  entry: Pick<DropEntry, 'at' | 'orgId' | 'agentId' | 'controlMode'>,
): boolean =>
  isWithin(query, entry) &&
  entry.controlMode === query.controlMode &&
  (query.agentId === undefined || entry.agentId === query.agentId)

function keptTransition(kept: TransitionWithId): KeptTransition {
  const { evidence, guardrails, ...rest } = kept
  return {
    ...rest,
    ...given('evidence', evidence && parsedJson(evidence)),
    ...given('guardrails', guardrails && parsedJson(guardrails)),
  }
}
