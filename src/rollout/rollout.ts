import type { Outcome } from '../execution/outcome.js'
import type { RolloutChangeRecord, RolloutWait, StageEvidence } from '../protocol/rollout.js'
import type { Rollout, RolloutPlan } from '../store/rollout/rollout.js'
import type { StageVerdict } from './stage-verdict.js'

/** Who asks, as the flag may target it. */
export interface Subject {
  readonly orgId: string
  readonly userId: string
  readonly agentId: string
  readonly sessionId: string
}

/** What the operators' flag says to everybody whom it does not name: `targeting`: a rule decides for all. */
export type OpsMode = 'direct' | 'runtime' | 'targeting' | 'unknown'

/** A person's command by the API. */
export type RolloutCommand =
  | { readonly kind: 'start'; readonly userId: string; readonly plan: RolloutPlan; readonly reason: string }
  | { readonly kind: 'pause' | 'resume' | 'abort'; readonly userId: string; readonly reason: string }
  /** The operators' flags were edited: who did that, where it ends the rollout. */
  | { readonly kind: 'flags_edited'; readonly userId: string }

/** What an operator has to look at; the sentence is made in the reader's language. */
export type RolloutAlert =
  | { readonly kind: 'store_unreadable'; readonly detail: string }
  /** what was decided acts here alone, or not at all: the file cannot be written */
  | { readonly kind: 'not_persisted'; readonly detail: string }
  | { readonly kind: 'hand_edit_refused'; readonly detail: string }
  | { readonly kind: 'loop_failed'; readonly detail: string }

/** The rollout as this replica has it now; texts are made from it in the caller's language. */
export interface RolloutSnapshot {
  readonly rollout: Rollout
  /** share of sessions on the runtime */
  readonly percent: number
  readonly persisted: boolean
  readonly propagated: boolean
  readonly opsMode: OpsMode
  readonly verdict: StageVerdict | null
  readonly evidence: StageEvidence
  readonly waitsFor: RolloutWait | null
  readonly secondsLeft: number | null
  readonly lease: { readonly holder?: string; readonly mine: boolean }
  readonly alerts: readonly RolloutAlert[]
  readonly replica: string
}

/** What the provider said of the flag for one caller. */
export interface ProvidedRollout {
  readonly on: boolean
  readonly isGuess?: true
  /** absent where the flag was not found or carries none */
  readonly revision?: number
}

/** The share that counts for one caller, and whose word it is. */
export interface CountingRollout {
  readonly on: boolean
  readonly whose: 'provider' | 'own'
}

export type RolloutEvent =
  | { readonly kind: 'change'; readonly change: RolloutChangeRecord }
  | { readonly kind: 'tick'; readonly changed: boolean }

/** What turns and the request edge ask of the rollout. Nothing here throws; `command` answers within its bound. */
export interface GuardedRollout {
  /** Whether it puts this subject on the runtime: our own word where it is newer than the provider's. */
  shareFor(subject: Subject, provided: ProvidedRollout): CountingRollout
  /** Each execution of a turn that the rollout put on the runtime, at its end. */
  record(outcome: Outcome): void
  snapshot(): RolloutSnapshot
  /** Ends when it is in the store or is known not to be, at most about 2 s later. */
  command(command: RolloutCommand): Promise<RolloutSnapshot>
  subscribe(listener: (event: RolloutEvent) => void): () => void
}
