import type { Actor, TripCause } from '../../protocol/fallback.js'
import type { RolloutEnd } from '../../protocol/rollout.js'

/** What a person asked for. Stages are percents that rise. */
export interface RolloutPlan {
  readonly stages: readonly number[]
  readonly everyMinutes: number
  /** absent: all orgs; sorted, each once */
  readonly orgIds?: readonly string[]
  readonly agentIds?: readonly string[]
}

/** Why it went back. `value` and `threshold`: rates 0 to 1, latency in ms. */
export interface Breach {
  readonly cause: TripCause
  readonly value: number
  readonly threshold: number
}

/** A stage of a plan, by its index. */
export interface AtStage {
  readonly plan: RolloutPlan
  readonly stage: number
  /** the stage that the newest breach left, until it was passed: one more breach stops */
  readonly failed?: { readonly stage: number; readonly breach: Breach }
}

/** Instants are wall-clock ms of the replica that wrote them: for people. */
export type RolloutProgress =
  | { readonly state: 'none' }
  | (AtStage & { readonly state: 'running'; readonly since: number })
  | (AtStage & { readonly state: 'paused'; readonly since: number; readonly reason: string })
  | { readonly state: 'finished'; readonly plan: RolloutPlan; readonly since: number }
  | {
      readonly state: 'ended'
      readonly plan: RolloutPlan
      readonly how: RolloutEnd
      readonly since: number
      /** of one that breaches stopped */
      readonly breach?: Breach
      /** a person's words */
      readonly reason: string
    }

/** All that the flag `chat-runtime-rollout` says. */
export interface Rollout {
  readonly progress: RolloutProgress
  /** set by each start, change of stage and resumption: only executions started after it are judged */
  readonly evidenceSince?: number
  /** +1 a write */
  readonly revision: number
  /** who wrote it */
  readonly replica?: string
  readonly actor: Actor
  readonly updatedAt?: number
}

/** Nothing is rolled out: the template as shipped, and a file without the flag. */
export const NO_ROLLOUT: Rollout = { progress: { state: 'none' }, revision: 0, actor: 'auto' }

/** The share of sessions on the runtime. */
export function percentOf(progress: RolloutProgress): number {
  switch (progress.state) {
    case 'none':
    case 'ended':
      return 0
    case 'running':
    case 'paused':
      return progress.plan.stages[progress.stage] ?? 0
    case 'finished':
      return progress.plan.stages.at(-1) ?? 0
  }
}

export function planOf(progress: RolloutProgress): RolloutPlan | undefined {
  return progress.state === 'none' ? undefined : progress.plan
}

/** A person's wish, read from a flag that was not written by a replica. */
export type RolloutEdit =
  /** off for everybody */
  | { readonly kind: 'abort' }
  /** another stage of the plan */
  | { readonly kind: 'stage'; readonly stage: number }
  /** metadata that tell what the rule does */
  | { readonly kind: 'progress'; readonly progress: RolloutProgress }
  /** it says nothing that a rollout can be; `detail` is for an operator */
  | { readonly kind: 'refused'; readonly detail: string }
