import type {
  Actor,
  FallbackCause,
  FallbackStateName,
  ManualScope,
  TransitionKind,
} from '../protocol/fallback.js'
import type { Scope } from '../protocol/fallback-scope.js'
import type { FlagEditRecord } from '../protocol/flag-edit-record.js'
import type { RolloutChangeRecord } from '../protocol/rollout.js'
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
} from './comparison.js'

/** One change of the override, as kept. Instants are wall-clock ms. */
export interface Transition {
  readonly at: number
  /** what happened; where absent, it is told from the states (protocol/transition-text.ts) */
  readonly kind?: TransitionKind
  /** seen in the flag store by a replica that did not do it: kept only while the one that did has not told of it */
  readonly adopted?: true
  readonly from: FallbackStateName
  readonly to: FallbackStateName
  /** whom the automatic layer acts on, or acted on until now; absent: everybody */
  readonly scope?: Scope
  readonly manualFrom: ManualScope
  readonly manualTo: ManualScope
  readonly actor: Actor
  /** the replica that did it */
  readonly replica: string
  /** the person who asked by the API */
  readonly userId?: string
  readonly cause?: FallbackCause
  readonly value?: number
  readonly threshold?: number
  /** a person's own words, or what is wrong with an edit that was refused; the sentence for every other cause is made from cause, value and threshold */
  readonly reason?: string
  readonly trips: number
  /** of a fallback: no recovery before this instant */
  readonly holdUntil?: number
  readonly recoveringPercent?: number
  readonly revision: number
  /** JSON values: what was known, and the thresholds, when it happened */
  readonly evidence?: unknown
  readonly guardrails?: unknown
}

export interface KeptTransition extends Transition {
  /** rises with time, across replicas and restarts */
  readonly id: number
}

/** One input of the fallback machine that changed anything; replayed in order they give the same transitions. */
export interface EvidenceSample {
  readonly at: number
  readonly replica: string
  /** one start of one process: replay starts again with each */
  readonly run: string
  /** counts up within a run from 0 */
  readonly seq: number
  /** JSON value */
  readonly input: unknown
}

/** An edit of the operators' file by the API, as kept. */
export interface KeptFlagEdit extends FlagEditRecord {
  /** rises with time, across replicas and restarts */
  readonly id: number
}

/** A change of the guarded rollout, as kept. */
export interface KeptRolloutChange extends RolloutChangeRecord {
  /** rises with time, across replicas and restarts */
  readonly id: number
}

/** What people are told of. */
export type Notice = Transition | FlagEditRecord | RolloutChangeRecord

/** A notification that its receiver has not acknowledged. */
export interface PendingNotification {
  /** the same for the same notice, from whichever replica it is sent */
  readonly id: string
  readonly notice: Notice
}

/** Notifications until they are acknowledged, over restarts and for other replicas on the same file. Never throws, never waits. */
export interface PendingNotifications {
  /** @returns its id; one that is kept already is not kept twice */
  keep(notice: Notice): string
  /** Nothing more is to be sent of it. */
  acknowledge(id: string): void
  /**
   * What is ours to send, oldest first: our own, and those whose sender has stopped or gives no sign of life. Asked for at least
   * once a minute: that is our own sign of life. @throws JournalUnavailable
   */
  claim(): Promise<readonly PendingNotification[]>
}

/** What is kept. Keeping never throws, never waits and is bounded: what cannot be kept is dropped, counted and logged once. */
export interface Journal {
  /**
   * A change is known by its revision, replica and instant: an adopted one is not kept beside another of the same, and
   * gives way to that of the replica that did it.
   */
  keepTransition(transition: Transition): void
  readonly notifications: PendingNotifications
  keepFlagEdit(edit: FlagEditRecord): void
  keepRolloutChange(change: RolloutChangeRecord): void
  keepSample(sample: EvidenceSample): void
  keepComparison(comparison: Comparison): void
  keepExecution(execution: KeptExecution): void
  /**
   * Kept as counts of a minute, written at its end. In each minute the first 100 orgs, agents, modes and reasons are told
   * apart; further ones count for no org and agent.
   */
  keepDrop(drop: DroppedShadow): void
  /** Newest first. @throws JournalUnavailable */
  transitions(limit: number, beforeId?: number): Promise<readonly KeptTransition[]>
  /** Newest first. @throws JournalUnavailable */
  flagEdits(limit: number, beforeId?: number): Promise<readonly KeptFlagEdit[]>
  /** Newest first. @throws JournalUnavailable */
  rolloutChanges(limit: number, beforeId?: number): Promise<readonly KeptRolloutChange[]>
  /** The samples of one run, in order. @throws JournalUnavailable */
  samples(run: string): Promise<readonly EvidenceSample[]>
  /** Times to 0.1 ms, similarities to 0.0001. @throws JournalUnavailable */
  comparisonSums(query: ComparisonQuery): Promise<ComparisonSums>
  /**
   * Selected turns without a comparison; a minute in which the span begins or ends counts as a whole. Those of the running
   * minute are known to the replica that keeps them alone. @throws JournalUnavailable
   */
  drops(query: ComparisonQuery): Promise<DropSums>
  /** Pairs of both backends of which both sides ended by themselves, page by page, oldest first. The iteration throws JournalUnavailable. */
  pairs(query: ComparisonQuery): AsyncIterable<readonly KeptPair[]>
  /** Of comparisons whose content was kept; newest first, at most 100. @throws JournalUnavailable */
  comparisonContents(query: ComparisonQuery, limit: number): Promise<readonly ComparisonContent[]>
  /** Page by page; latencies to 0.1 ms. The iteration throws JournalUnavailable. */
  executions(span: Span): AsyncIterable<readonly ExecutionFacts[]>
  /** Of the same entries: whose turns they were. The iteration throws JournalUnavailable. */
  executedFor(span: Span): AsyncIterable<readonly ExecutedFor[]>
  /** Of the same entries those that were judged, with recovery shadows and what was abandoned; by their instants. The iteration throws JournalUnavailable. */
  judged(span: Span): AsyncIterable<readonly JudgedExecution[]>
  /** What samples tell of probes and commands, by their instants. The iteration throws JournalUnavailable. */
  observations(span: Pick<Span, 'from' | 'to'>): AsyncIterable<readonly Observation[]>
  /**
   * Erases what is kept of a user or an org: comparisons, what both sides said, executions; of an org its dropped shadows too. What was
   * kept before whose it is was known goes with the contents of the org. What is kept meanwhile may stay. @throws JournalUnavailable
   */
  erase(who: ErasedWho): Promise<ErasedEntries>
  /** Everything kept so far is on the disk, or its time is over. */
  close(): Promise<void>
  /** entries dropped since the start */
  readonly dropped: number
}

/** What is read of a kept execution. */
export type ExecutionFacts = Pick<KeptExecution, 'mode' | 'result' | 'latencyMs' | 'firstContentMs'>

/** The journal cannot be read right now. */
export class JournalUnavailable extends Error {
  override readonly name = 'JournalUnavailable'
}
