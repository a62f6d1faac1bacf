import type { Outcome } from '../execution/outcome.js'
import type { Transition } from '../journal/journal.js'
import type { FallbackPolicy } from '../protocol/fallback.js'
import type { ScopeDimension, ScopeSubject } from '../protocol/fallback-scope.js'
import type { Decision, ExecutionMode } from '../protocol/modes.js'
import type { Override, Trip } from '../store/override/override.js'

/** Who asks, as the override may target it. */
export interface Subject {
  readonly orgId: string
  readonly userId: string
  readonly agentId: string
  readonly sessionId: string
}

/** A person's command by the API. */
export type Command =
  | {
      readonly kind: 'trigger'
      readonly userId: string
      /** the person's own words; empty where none were given */
      readonly reason: string
      readonly ttlSeconds?: number
      /** absent: everybody */
      readonly orgIds?: readonly string[]
    }
  | { readonly kind: 'reset'; readonly userId: string }

/** The fallback as this replica has it now; texts are made from it in the caller's language. */
export interface FallbackSnapshot {
  readonly override: Override
  readonly persisted: boolean
  readonly propagated: boolean
  readonly propagationMs?: number
  readonly policy: FallbackPolicy
  /** policy `observe`: what would have tripped, as it was found, while it holds */
  readonly wouldTrip?: Trip
  readonly probe: { readonly healthy?: boolean; readonly failures: number; readonly at?: number }
  readonly lease: { readonly holder?: string; readonly mine: boolean }
  readonly isolated: boolean
  readonly alerts: readonly Alert[]
  readonly replica: string
}

/** What an operator has to look at; the sentence is made in the reader's language. */
export type Alert =
  /** the override file cannot be read: what was read last holds; persons and other replicas are not heard */
  | { readonly kind: 'store_unreadable'; readonly code: string; readonly detail: string }
  /** the override file cannot be written: what was decided acts in memory here alone */
  | { readonly kind: 'not_persisted'; readonly code: string; readonly detail: string }
  /** written, and not given back by OpenFeature although the provider is READY */
  | { readonly kind: 'not_propagated'; readonly revision: number }
  /** the override's file is unreadable JSON; if it stays so, it is kept aside and replaced */
  | { readonly kind: 'override_unparsable'; readonly detail: string }
  /** a person's edit could not be read and was replaced, at most 5 min ago; `aside`: name of its copy, here kept */
  | { readonly kind: 'hand_edit_refused'; readonly detail: string; readonly aside?: string }
  | { readonly kind: 'override_missing' }
  /** a breach, and no trip: the direct LLM is unhealthy itself */
  | { readonly kind: 'both_sick' }
  /** in the last minute this machine lacked something or this process stood still; `codes`: what, the newest first */
  | { readonly kind: 'local_trouble'; readonly codes: readonly string[] }
  /** the database takes nothing: turns run without it, and wait in memory */
  | { readonly kind: 'store_unavailable' }
  /** this process has more to do than it can: new sessions are held back, at level 4 all new turns */
  | { readonly kind: 'overload'; readonly level: 3 | 4 }
  /** the key server does not answer: tokens are verified by the keys that are known */
  | { readonly kind: 'keys_unreachable' }
  /** Redis does not answer: this replica judges by its own executions, and its streams are read here alone */
  | { readonly kind: 'redis_unreachable' }
  /** a fallback would help nobody: the direct LLM is in breach, or (`why`) cannot be used at all */
  | { readonly kind: 'standby_sick'; readonly why?: string }
  /** recovering at this step for more than a quarter of an hour: too few turns come, or too few good ones */
  | { readonly kind: 'recovery_waits'; readonly percent: number }
  /** in this fallback for more than 20 minutes, which is longer than the longest hold as shipped */
  | { readonly kind: 'fallback_lasts' }
  /** the loop failed; it goes on */
  | { readonly kind: 'loop_failed'; readonly detail: string }

/** What the provider said of the override for one caller. */
export interface ProvidedOverride {
  readonly on: boolean
  /** what others got: it tells the revision, and of this caller little */
  readonly isGuess?: true
  /** absent where the flag was not found or carries none */
  readonly revision?: number
}

/** The provider's word; this replica's own, newer one; its own trip, that nobody else knows of; it alone is unhealthy. */
export type OverrideSource = 'provider' | 'own' | 'tripped' | 'isolated'

/** The override that counts for one caller, and whose it is. */
export interface CountingOverride {
  readonly on: boolean
  readonly whose: OverrideSource
  /** the automatic fallback that this replica knows is for some alone; whether the subject is one of them */
  readonly scoped?: { readonly dimension: ScopeDimension; readonly covered: boolean }
}

export type FallbackEvent =
  | { readonly kind: 'transition'; readonly transition: Transition }
  | { readonly kind: 'tick'; readonly changed: boolean }

/** What the request edge asks of the fallback. Nothing here throws; `command` answers within its bound. */
export interface Fallback {
  /** The override that counts for this subject: ours where it is newer than the provider's, else the provider's. */
  overrideFor(subject: Subject, provided: ProvidedOverride): CountingOverride
  /** Each turn once, when it was decided; its mode without the override makes it a candidate of a recovery. */
  turnDecided(decision: Decision, modeWithoutOverride: ExecutionMode, subject: ScopeSubject): void
  /** Each execution of a turn at its end, into the judged windows. */
  record(outcome: Outcome): void
  snapshot(): FallbackSnapshot
  /**
   * Acts in memory at once; ends when it is in the store or is known not to be, at most about 2 s later. A reset clears
   * the runtime's public window too.
   */
  command(command: Command): Promise<FallbackSnapshot>
  subscribe(listener: (event: FallbackEvent) => void): () => void
  /**
   * A turn that the override sent to the direct LLM, and that failed there, may go to the runtime after all: its probes are good, and
   * no person took this subject off it.
   */
  mayReturn(subject: Subject): boolean
  /** Once each time the override sends turns away while the probes say that the runtime is dead: waiting for the runtime does not help. */
  onRuntimeLost(listener: () => void): () => void
}
