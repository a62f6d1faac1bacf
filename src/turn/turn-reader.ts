import type { TurnResult } from '../execution/turn-result.js'
import type { MessageBody } from '../protocol/events.js'
import type { Decision } from '../protocol/modes.js'
import type { FailedAt } from '../protocol/turn-trace.js'
import type { Keeping } from '../sessions/session-store.js'

/** `waiting`: in memory, to be written; `unknown`: the store failed, or did not answer within its time. */
export type TurnKept = Keeping | 'unknown'

/** What a reader is told at the end beside the result. */
export interface TurnFacts {
  readonly sessionId: string
  readonly messageId: string
  readonly decision: Decision
  /** ms from the turn's start */
  readonly latencyMs: number
  /** the backend had none of it, for it could not be read */
  readonly history?: 'unavailable'
  /** the plan step or call at which the latest execution failed */
  readonly failedAt?: FailedAt
}

/** Who reads a turn as it runs. */
export interface TurnReader {
  /**
   * Hands on a batch. False when the reader is slower than the turn: the caller then takes nothing from the upstream until the
   * listener of `onRelief` is called.
   */
  write(batch: readonly MessageBody[]): boolean
  /** Calls back each time the reader has caught up. One listener. */
  onRelief(listener: () => void): void
  /** Tells how the turn ended, and nothing ever after; only the first call counts. */
  end(result: TurnResult, kept: TurnKept, facts: TurnFacts): void
  /** Resolves when nothing is left to be read, or the reader is gone. Never rejects. */
  readonly finished: Promise<void>
}

/** What a reader needs to know of the turn it opens for. */
export interface ReaderOptions {
  readonly sessionId: string
  readonly messageId: string
  /**
   * Nobody will read it any more. Called at most once, and never after `end`.
   * @param unreadMs for so long there has been no reader; default 0
   */
  onReaderLost(why: 'client_gone' | 'client_too_slow', unreadMs?: number): void
}
