import type { Transition } from '../../journal/journal.js'
import type { FallbackPolicy } from '../../protocol/fallback.js'
import type { Scope } from '../../protocol/fallback-scope.js'
import type { ContentHash, Expected, FlagStoreFault } from '../../store/flag-store.js'
import {
  type HandEdit,
  NEUTRAL,
  type Override,
  scopeOfAuto,
  type Trip,
} from '../../store/override/override.js'
import type { Evidence, FallbackGuardrails } from '../evidence/evidence.js'
import type { StandbyTrouble } from '../evidence/verdict.js'
import type { Command } from '../fallback.js'

/**
 * All that one replica knows of the fallback. Plain JSON values. Instants ending in `At` are monotonic ms of this
 * replica; those inside the override are wall-clock ms of the replica that wrote it.
 */
export interface FallbackState {
  readonly self: Self
  /** nothing was read yet */
  readonly starting: boolean
  /** what this replica acts upon: the store's, or its own that is still on the way there */
  readonly known: Override
  readonly timers: Timers
  /** the highest revision seen in the store or at the provider, or written */
  readonly highest: number
  readonly store: StoreState
  readonly lease: LeaseState
  /** the provider gave this revision back, most lately; 0: none */
  readonly provided: number
  /** `known` is the provider's, which does not tell all: a file that is as new counts, an older one is written anew */
  readonly fromProvider: boolean
  readonly proof: Proof | null
  /** in breach while others recover: direct for its own turns, writes nothing until it was healthy once */
  readonly isolated: boolean
  /** ... for a scope alone; null: for everybody, or not isolated */
  readonly isolatedTo: Scope | null
  /** commands that are not in the store yet; after a lost race they are tried again */
  readonly commands: readonly PendingCommand[]
  /** told once what they tell of is in the store, or known not to get there */
  readonly reports: readonly PendingReport[]
  /** a move towards the runtime on its way to the store; it acts when it is there */
  readonly proposal: Proposal | null
  readonly epoch: EvidenceEpoch
  /** policy `observe`: what would have tripped, as it was found; a lasting breach is told and kept once */
  readonly wouldTrip: Trip | null
  /** a breach, and no trip: the direct LLM is unhealthy itself */
  readonly bothSick: boolean
  /** the direct LLM, to which a fallback would send everybody */
  readonly standby: StandbyTrouble | null
}

/** For whom this replica judges apart from everybody else. */
export function judgedScope({
  isolated,
  isolatedTo,
  known,
}: Pick<FallbackState, 'isolated' | 'isolatedTo' | 'known'>): Scope | undefined {
  return isolated ? (isolatedTo ?? undefined) : scopeOfAuto(known.auto)
}

export interface Self {
  readonly replica: string
  /** replica and a nonce of this start: the lease's owner */
  readonly owner: string
}

/** `version` is the store's at which it was decided: a write of that or a later one holds it. */
export interface PendingCommand {
  readonly command: Command
  /** given (monotonic): a time to live runs from here, however often it is tried */
  readonly at: number
  readonly version: number
  /** it was known not to get into the store, and told */
  readonly told: boolean
}

export interface PendingReport {
  readonly transition: Transition
  readonly version: number
}

/** Towards the runtime only the lease's holder moves, so nothing of it waits: it is in the store, or it was never made. */
export interface Proposal {
  readonly override: Override
  readonly version: number
  readonly transition: Transition
}

/**
 * Which evidence counts. It is of the override `known`, but for a trip that is not in the store yet: that is still judged by
 * the epoch it was decided in, and the next epoch begins when it is in the store.
 */
export interface EvidenceEpoch {
  /** `evidenceSince` of the override with which it began; null: none */
  readonly since: number | null
  /** executions gathered up to here (monotonic) tell nothing any more; null: all count */
  readonly executionsAt: number | null
  /** ... and probes */
  readonly healthAt: number | null
}

/**
 * The override a trip was decided upon, as long as the trip is not in the store: the race may be lost, and then it is judged
 * again by the same executions and those that came since.
 */
export interface PendingTrip {
  readonly auto: Override['auto']
  readonly trips: number
}

export interface Timers {
  /** the present state or ramp step began (or was first seen) */
  readonly autoSinceAt: number
  /** `fallback`: no recovery before; `normal`: nothing was wrong since (null: something is) */
  readonly holdUntilAt: number | null
  readonly goodSinceAt: number | null
  readonly manualUntilAt: number | null
}

export interface StoreState {
  /** content that was read or written last; null: never */
  readonly seen: Expected | null
  /** `known` is not in the store, since (monotonic); null: it is */
  readonly dirtyAt: number | null
  /** counts the changes of `known`, so that a write under way can be told from a later one */
  readonly version: number
  /** the pending write only repeats what the provider did not give back */
  readonly rewrite: boolean
  /** the pending write holds a trip: it acts here whatever the provider says, and its evidence counts on */
  readonly tripped: PendingTrip | null
  readonly attempts: number
  readonly retryAt: number
  readonly fault: FlagStoreFault | null
  /** unreadable content, and since when it is so, unchanged */
  readonly unparsable: {
    readonly hash: ContentHash
    readonly sinceAt: number
    readonly detail: string
  } | null
  readonly missing: boolean
  /** an edit that could not be read and was replaced; told until then (monotonic) */
  readonly refused: RefusedEdit | null
  /** a person's edit of the file that was understood, and is not written back yet */
  readonly edit: HandEdit | null
  /** nothing was ever read, and nothing is there: until then others, who know more, write first (monotonic) */
  readonly yieldUntilAt: number | null
}

export interface RefusedEdit {
  /** what is wrong with it, with the line */
  readonly detail: string
  /** name of the copy beside the file; absent where another replica kept it */
  readonly aside?: string
  readonly untilAt: number
}

export interface LeaseState {
  readonly seen: Expected | null
  /** this content was first seen (monotonic): it expires unless it changes */
  readonly changedAt: number
  /** null: nobody's */
  readonly owner: string | null
  readonly counter: number
  /** our own last renewal was asked for; nobody sees it earlier */
  readonly askedAt: number | null
  /** ... and that of the last one that was written */
  readonly renewedAt: number | null
}

/** A written override is seen when the provider gives its revision back. */
export interface Proof {
  readonly revision: number
  readonly decidedAt: number
  readonly seenAt: number | null
  /** waiting since, while the provider is READY; null while it is not */
  readonly waitingSinceAt: number | null
  readonly rewritten: boolean
  readonly alerted: boolean
}

/** The override's file as read and parsed. */
export type StoreSeen =
  | { readonly kind: 'override'; readonly hash: ContentHash; readonly override: Override }
  | {
      readonly kind: 'hand_edit'
      readonly hash: ContentHash
      readonly edit: HandEdit
      /** as the flag's metadata still has it */
      readonly revision?: number
      /** only text beside the flag's meaning was touched */
      readonly override?: Override
    }
  | { readonly kind: 'unparsable'; readonly hash: ContentHash; readonly detail: string }
  | { readonly kind: 'missing' }
  | {
      readonly kind: 'failed'
      readonly fault: FlagStoreFault
      /** this read took too long, and none before it is still under way: the store is slow, and may well be written */
      readonly isLate?: true
    }

export type LeaseSeen =
  /** `owner` null: released, or unreadable */
  | { readonly kind: 'lease'; readonly hash: ContentHash; readonly owner: string | null }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed' }

/** What is to be written into the lease's file; `owner` null releases it. */
export interface LeaseWrite {
  readonly owner: string | null
  readonly counter: number
  readonly expected: Expected
}

/** What is to be done; applied outside, in order. */
export type Effect =
  | {
      readonly kind: 'write'
      readonly override: Override
      readonly version: number
      readonly expected: Expected
      readonly keepAside: boolean
    }
  | { readonly kind: 'write_lease'; readonly lease: LeaseWrite }
  /** of this replica: to be logged, kept and notified */
  | { readonly kind: 'report'; readonly transition: Transition }
  /** of another replica or unknown hand: to be logged and kept */
  | { readonly kind: 'adopted'; readonly transition: Transition }
  /** only executions started from now on are judged; of a scope alone where there is one */
  | { readonly kind: 'restart_evidence'; readonly scope?: Scope }
  /** a reset: probe counts and the runtime's public window begin anew */
  | { readonly kind: 'reset_health' }

export interface Step {
  readonly state: FallbackState
  readonly effects: readonly Effect[]
}

export interface Instant {
  /** monotonic ms */
  readonly now: number
  /** wall-clock ms */
  readonly wall: number
}

export type FallbackInput =
  | (Instant & {
      readonly kind: 'tick'
      readonly evidence: Evidence
      readonly guardrails: FallbackGuardrails
      readonly policy: FallbackPolicy
      readonly store: StoreSeen
      readonly lease: LeaseSeen
      readonly provider: { readonly ready: boolean; readonly override?: Override }
      /** 0 to 1, random */
      readonly jitter: number
    })
  | (Instant & {
      readonly kind: 'command'
      readonly command: Command
      readonly guardrails: FallbackGuardrails
    })
  /** what was to be written is in the store */
  | (Instant & {
      readonly kind: 'written'
      readonly hash: ContentHash
      readonly revision: number
      readonly version: number
      /** name of the copy of what was replaced, where that could not be read */
      readonly aside?: string
      /** told with a command that goes on top of it */
      readonly guardrails: FallbackGuardrails
    })
  | (Instant & { readonly kind: 'write_failed'; readonly fault: FlagStoreFault; readonly jitter: number })
  | (Instant & { readonly kind: 'lease_written'; readonly hash: ContentHash; readonly owner: string | null })

export function initialState(self: Self, now: number): FallbackState {
  return {
    self,
    starting: true,
    known: NEUTRAL,
    timers: { autoSinceAt: now, holdUntilAt: null, goodSinceAt: now, manualUntilAt: null },
    highest: 0,
    store: {
      seen: null,
      dirtyAt: null,
      version: 0,
      rewrite: false,
      tripped: null,
      attempts: 0,
      retryAt: now,
      fault: null,
      unparsable: null,
      missing: false,
      refused: null,
      edit: null,
      yieldUntilAt: null,
    },
    lease: { seen: null, changedAt: now, owner: null, counter: 0, askedAt: null, renewedAt: null },
    provided: 0,
    fromProvider: false,
    proof: null,
    isolated: false,
    isolatedTo: null,
    commands: [],
    reports: [],
    proposal: null,
    epoch: { since: null, executionsAt: null, healthAt: null },
    wouldTrip: null,
    bothSick: false,
    standby: null,
  }
}
