import type { ExecutionMode } from '../protocol/modes.js'

/** One side of a comparison as kept: numbers and codes, never content. Times in ms. */
export interface ComparedSide {
  readonly mode: ExecutionMode
  readonly result: 'ok' | 'error' | 'timeout'
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
  readonly agentId: string
  /** `ab`: the candidate is the other backend; `aa`: the control's own once more, for the noise floor */
  readonly kind: 'ab' | 'aa'
  readonly control: ComparedSide
  readonly candidate: ComparedSide
  /** 0 to 1; absent where either side has no text */
  readonly textSimilarity?: number
  /** 0 to 1, of the plans' titles; absent where neither side planned */
  readonly planSimilarity?: number
  /** 0 to 1, as sets and in order; absent where neither side called anything */
  readonly callSetSimilarity?: number
  readonly callOrderSimilarity?: number
  /** mutating calls of a runtime that was told it ran as a shadow */
  readonly fenceViolations: number
  /** only where content is kept: redacted */
  readonly content?: { readonly control: string; readonly candidate: string }
}

/** One execution of a user's turn, for the baseline. Aborted ones are not kept. */
export interface KeptExecution {
  readonly at: number
  readonly mode: ExecutionMode
  readonly orgId: string
  readonly result: 'ok' | 'error' | 'timeout'
  readonly latencyMs: number
  readonly firstContentMs?: number
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
