import type { ExecutionMode } from '../protocol/modes.js'
import type { TimeSums } from './time-sums.js'

/** One side of a comparison as kept: numbers and codes, never content. Times in ms. */
export interface ComparedSide {
  readonly mode: ExecutionMode
  /** `aborted`, of a control alone: its user left, so that it would have taken longer than `latencyMs` (a censored time) */
  readonly result: 'ok' | 'error' | 'timeout' | 'aborted'
  readonly code?: string
  readonly latencyMs: number
  readonly firstContentMs?: number
  readonly tokens?: number
  readonly characters: number
  readonly steps: number
  readonly calls: number
}

/** One turn run on two sides. */
export interface Comparison {
  /** wall-clock ms */
  readonly at: number
  readonly replica: string
  readonly orgId: string
  /** whose turn it was, so that it can be erased; absent in entries of older versions */
  readonly userId?: string
  readonly agentId: string
  /** the user's turn, as its trace and the logs name it; both absent in entries of older versions */
  readonly sessionId?: string
  readonly messageId?: string
  /** `ab`: the candidate is the other backend; `aa`: the control's own once more, for the noise floor */
  readonly kind: 'ab' | 'aa'
  /** 0 to 100: how likely it was to be `aa` when its turn came; absent in entries of older versions */
  readonly aaPercent?: number
  readonly control: ComparedSide
  readonly candidate: ComparedSide
  /** 0 to 1; absent if either side has no text */
  readonly textSimilarity?: number
  /** 0 to 1, of the plans' titles; absent if neither side planned */
  readonly planSimilarity?: number
  /** 0 to 1, as sets and in order; absent if neither side called anything */
  readonly callSetSimilarity?: number
  readonly callOrderSimilarity?: number
  /** mutating calls of a runtime that was told it ran as a shadow */
  readonly fenceViolations: number
  /** only if content is kept: redacted */
  readonly content?: { readonly control: string; readonly candidate: string }
}

/** A turn that was selected for a shadow and gave no comparison. */
export interface DroppedShadow {
  /** wall-clock ms of the turn's start, as of a comparison */
  readonly at: number
  readonly replica: string
  readonly orgId: string
  readonly agentId: string
  readonly controlMode: ExecutionMode
  /** a word of the shadow runner's */
  readonly reason: string
  /** what it would have been compared as; absent in entries of older versions */
  readonly kind?: Comparison['kind']
}

/**
 * One execution, for the baseline, for what an edit of the flags would do and for a replay. Those of a user's turn; recovery
 * shadows and abandoned ones for the replay alone. Others that were aborted are not kept.
 */
export interface KeptExecution {
  readonly at: number
  readonly mode: ExecutionMode
  readonly orgId: string
  /** by these two the flags choose a side; entries of older versions have none */
  readonly sessionId?: string
  readonly agentId?: string
  /** a rejected one is counted and measured in nothing */
  readonly result: 'ok' | 'error' | 'timeout' | 'rejected' | 'abandoned'
  /** a recovery shadow */
  readonly shadow?: true
  readonly latencyMs: number
  readonly firstContentMs?: number
}

/** Whose entries are erased: of an org, of a user in whatever org, or of a user in one org. */
export interface ErasedWho {
  readonly orgId?: string
  readonly userId?: string
  /** the user's sessions, by which executions are found; with `userId` alone it matters */
  readonly sessionIds: readonly string[]
}

/** Entries that were erased. */
export interface ErasedEntries {
  readonly comparisons: number
  readonly contents: number
  readonly executions: number
}

/** Whose turn was executed; `sessionId` is absent in entries of older versions. */
export interface ExecutedFor {
  readonly orgId: string
  readonly sessionId?: string
  readonly agentId: string
}

/** A span of time, wall-clock ms: `from` is in it, `to` is not. */
export interface Span {
  readonly from: number
  readonly to: number
  readonly orgId?: string
}

export interface ComparisonQuery extends Span {
  readonly agentId?: string
  /** the mode of the user's side: `direct_llm` asks what the runtime would do instead */
  readonly controlMode: ExecutionMode
}

/** How the executions of one side ended. */
export interface SideCounts {
  readonly ok: number
  readonly error: number
  readonly timeout: number
}

/** Pairs by what befell each side; the four add up to all pairs. */
export interface PairCounts {
  readonly neither: number
  readonly controlOnly: number
  readonly candidateOnly: number
  readonly both: number
}

/**
 * Paired numbers over `n` pairs, d = candidate − control: the mean difference is `difference / n`, its variance
 * `(differenceSquares − difference² / n) / (n − 1)`.
 */
export interface PairedSums {
  readonly n: number
  /** Σ of each side */
  readonly control: number
  readonly candidate: number
  /** Σ d and Σ d² */
  readonly difference: number
  readonly differenceSquares: number
}

/** Σ x and Σ x² of one number over `n` pairs. */
export interface Sums {
  readonly n: number
  readonly sum: number
  readonly squares: number
}

/** Measured on pairs that both ended `ok` and both have the number; times in ms, `ln…` their natural logarithm. */
export type PairedDimension =
  | 'latency'
  | 'lnLatency'
  | 'firstContent'
  | 'lnFirstContent'
  | 'tokens'
  | 'characters'

/** Measured also if the user left: then it is known that the control's time would have been longer. */
export type TimeDimension = 'latency' | 'firstContent'

/** 0 to 1, of pairs that have it, however they ended. */
export const SIMILARITIES = ['text', 'plan', 'callSet', 'callOrder'] as const
export type Similarity = (typeof SIMILARITIES)[number]

/** Everything a report needs of the pairs of one kind. */
export interface KindSums {
  /** both sides ended by themselves */
  readonly pairs: number
  /** the user left before the control ended; they are in `times` alone, beside the candidate's `fenceViolations` */
  readonly left: number
  readonly control: SideCounts
  readonly candidate: SideCounts
  /** ended in `error` or `timeout` */
  readonly failed: PairCounts
  readonly timedOut: PairCounts
  readonly paired: Readonly<Record<PairedDimension, PairedSums>>
  /** of pairs whose candidate ended `ok`, and whose control did or was left by its user */
  readonly times: Readonly<Record<TimeDimension, TimeSums>>
  readonly similar: Readonly<Record<Similarity, Sums>>
  readonly fenceViolations: number
  /** how often each error code ended a side */
  readonly codes: {
    readonly control: Readonly<Record<string, number>>
    readonly candidate: Readonly<Record<string, number>>
  }
}

/** How often `aa` was drawn, and how often it should have been, over pairs that know their percentage. */
export interface Assigned {
  readonly n: number
  readonly aa: number
  /** Σ p and Σ p(100 − p) of their percentages */
  readonly percent: number
  readonly variance: number
}

/** Of all pairs that a query names: the other backend (`ab`) and the control's own once more (`aa`). */
export interface ComparisonSums {
  readonly ab: KindSums
  readonly aa: KindSums
  readonly assigned: Assigned
}

/** Selected turns without a comparison. */
export interface DropSums {
  readonly reasons: Readonly<Record<string, number>>
  /** of those of which it is known */
  readonly kinds: { readonly ab: number; readonly aa: number }
}

/** One pair of both backends as kept, of which both sides ended by themselves: times to 0.1 ms, similarities to 0.0001. */
export interface KeptPair
  extends Pick<
    Comparison,
    | 'at'
    | 'orgId'
    | 'agentId'
    | 'sessionId'
    | 'messageId'
    | 'textSimilarity'
    | 'planSimilarity'
    | 'callSetSimilarity'
    | 'callOrderSimilarity'
  > {
  /** of the user's side; the candidate is the other one */
  readonly controlMode: ExecutionMode
  readonly control: KeptPairSide
  readonly candidate: KeptPairSide
}
export interface KeptPairSide extends Omit<ComparedSide, 'mode' | 'result' | 'steps' | 'calls'> {
  readonly result: 'ok' | 'error' | 'timeout'
}

/** A pair whose content was kept, redacted. */
export interface ComparisonContent {
  readonly at: number
  readonly orgId: string
  readonly agentId: string
  readonly kind: Comparison['kind']
  readonly control: string
  readonly candidate: string
  readonly textSimilarity?: number
}

/** One kept execution as the fallback judged it: what was abandoned as a timeout. Wall-clock ms of its end. */
export interface JudgedExecution {
  readonly at: number
  readonly mode: ExecutionMode
  readonly orgId: string
  readonly agentId: string
  readonly sessionId?: string
  readonly result: 'ok' | 'error' | 'timeout'
  readonly shadow: boolean
  readonly latencyMs: number
  readonly firstContentMs?: number
}

/** What else the fallback saw: what its probes came to, what a person asked for. Wall-clock ms. */
export interface Observation {
  readonly at: number
  readonly runtimeHealthy?: boolean
  /** JSON value: a command of the fallback */
  readonly command?: unknown
}
