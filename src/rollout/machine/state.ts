import type { LeaseSeen, LeaseState, LeaseWrite, Self } from '../../fallback/machine/state.js'
import type { RolloutChangeRecord, RolloutWait, StageEvidence } from '../../protocol/rollout.js'
import type { ContentHash, Expected, FlagStoreFault } from '../../store/flag-store.js'
import { type Breach, NO_ROLLOUT, type Rollout, type RolloutEdit } from '../../store/rollout/rollout.js'
import type { OpsMode, RolloutCommand } from '../rollout.js'
import type { StageVerdict } from '../stage-verdict.js'

/**
 * All that one replica knows of the rollout. Plain JSON values. Instants ending in `At` are monotonic ms of this replica;
 * those inside a rollout are wall-clock ms of the replica that wrote it.
 */
export interface RolloutState {
  readonly self: Self
  /** nothing was read yet */
  readonly starting: boolean
  /** what this replica acts upon: the store's, or its own on the way there */
  readonly force: Rollout
  /** as the store had it last */
  readonly stored: Rollout
  /** decided, and not in the store yet */
  readonly pending: Pending | null
  /** the highest revision seen in the store or at the provider, or written */
  readonly highest: number
  /** the provider gave this revision back, most lately; 0: none */
  readonly provided: number
  readonly file: FileState
  readonly lease: LeaseState
  /** the present stage began, or was first seen, or goes on after a fallback */
  readonly stageAt: number
  /** a fallback was on at the last tick */
  readonly held: boolean
  /** `evidenceSince` of the rollout by which executions are judged; null: none */
  readonly epoch: number | null
  /** an edit of the flag that was refused; told until then */
  readonly refused: { readonly detail: string; readonly untilAt: number } | null
  /** who edited the operators' flags by the API most lately */
  readonly editor: { readonly userId: string; readonly at: number } | null
  /** since when the operators' flag leaves the rollout nothing to do; null: it does not */
  readonly mootAt: number | null
  /** as judged at the last tick, for the status */
  readonly verdict: StageVerdict | null
  readonly waitsFor: RolloutWait | null
}

export interface FileState {
  /** bytes that were read or written last; null: never */
  readonly seen: Expected | null
  /** the flag can be written into it */
  readonly isGood: boolean
  readonly version: number
  readonly attempts: number
  readonly retryAt: number
  readonly fault: FlagStoreFault | null
}

export interface Pending {
  readonly after: Rollout
  /** towards the direct LLM at once; towards the runtime only when it is in the store */
  readonly acts: 'now' | 'when_written'
  readonly by: 'loop' | 'person'
  readonly at: number
  readonly version: number
  readonly reports: readonly PendingReport[]
  /** to be tried again after a lost race */
  readonly commands: readonly RolloutCommand[]
  /** the stage that a breach left: it is left also where the race is lost and the stage was not left by others */
  readonly left: { readonly stage: number; readonly breach: Breach } | null
}

export interface PendingReport {
  readonly change: RolloutChangeRecord
  readonly version: number
}

/** The rollout's part of the file as read and parsed. */
export type RolloutSeen =
  | { readonly kind: 'rollout'; readonly hash: ContentHash; readonly rollout: Rollout }
  | {
      readonly kind: 'hand_edit'
      readonly hash: ContentHash
      readonly edit: RolloutEdit
      readonly revision?: number
    }
  | { readonly kind: 'absent'; readonly hash: ContentHash }
  | { readonly kind: 'unparsable'; readonly hash: ContentHash; readonly detail: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly fault: FlagStoreFault }

/** Why nothing moves: a fallback; or the direct LLM fails as well, and nobody is sent to a side that is no better. */
export type Hold = 'fallback' | 'both_fail'

export interface Instant {
  /** monotonic ms */
  readonly now: number
  /** wall-clock ms */
  readonly wall: number
}

export type RolloutInput =
  | (Instant & {
      readonly kind: 'tick'
      readonly store: RolloutSeen
      readonly lease: LeaseSeen
      /** the revision that the provider gives back; 0: none */
      readonly provided: number
      readonly verdict: StageVerdict
      readonly evidence: StageEvidence
      readonly hold: Hold | null
      readonly probeHealthy: boolean
      readonly opsMode: OpsMode
      /** ms until an unchanged lease has expired */
      readonly leaseMs: number
    })
  | (Instant & { readonly kind: 'command'; readonly command: RolloutCommand; readonly opsMode: OpsMode })
  /** what was to be written is in the store */
  | (Instant & {
      readonly kind: 'written'
      readonly hash: ContentHash
      readonly rollout: Rollout
      readonly version: number
    })
  | (Instant & { readonly kind: 'write_failed'; readonly fault: FlagStoreFault; readonly jitter: number })
  | (Instant & { readonly kind: 'lease_written'; readonly hash: ContentHash; readonly owner: string | null })

/** What is to be done; applied outside, in order. */
export type RolloutEffect =
  | {
      readonly kind: 'write'
      readonly rollout: Rollout
      readonly version: number
      readonly expected: ContentHash
    }
  | { readonly kind: 'write_lease'; readonly lease: LeaseWrite }
  /** of this replica: to be logged, kept and notified */
  | { readonly kind: 'report'; readonly change: RolloutChangeRecord }
  /** of another replica: to be logged */
  | { readonly kind: 'adopted'; readonly change: RolloutChangeRecord }
  /** only executions started from now on are judged */
  | { readonly kind: 'restart_evidence' }

export interface RolloutStep {
  readonly state: RolloutState
  readonly effects: readonly RolloutEffect[]
}

export function initialRolloutState(self: Self, now: number): RolloutState {
  return {
    self,
    starting: true,
    force: NO_ROLLOUT,
    stored: NO_ROLLOUT,
    pending: null,
    highest: 0,
    provided: 0,
    file: { seen: null, isGood: false, version: 0, attempts: 0, retryAt: now, fault: null },
    lease: { seen: null, changedAt: now, owner: null, counter: 0, askedAt: null, renewedAt: null },
    stageAt: now,
    held: false,
    epoch: null,
    refused: null,
    editor: null,
    mootAt: null,
    verdict: null,
    waitsFor: null,
  }
}
