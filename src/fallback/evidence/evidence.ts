import type { Streak } from '../../metrics/windows/failure-streak.js'
import type { FirstContent } from '../../metrics/windows/first-contents.js'
import type { Tally } from '../../metrics/windows/windows.js'
import type { FallbackPolicy } from '../../protocol/fallback.js'
import { isSameScope, type Scope, type ScopeDimension } from '../../protocol/fallback-scope.js'
import type { Peers } from './health-quorum.js'
import type { Usual } from './usual-failures.js'

/** The guardrails as the machine uses them; flag `chat-runtime-guardrails`. */
export interface FallbackGuardrails {
  /** breach above; 0 to 1 */
  readonly errorRate: number
  readonly timeoutRate: number
  /** of `totalMs`: mean latency breaches above */
  readonly latencyShare: number
  readonly totalMs: number
  readonly minSamples: number
  /** 0, or the confidence of a Wilson bound in place of `minSamples` */
  readonly confidence: number
  readonly windowSeconds: number
  readonly fastWindowSeconds: number
  readonly tickMs: number
  readonly probeFailures: number
  readonly holdSeconds: number
  readonly maxHoldSeconds: number
  readonly quietSeconds: number
  readonly recoverySamples: number
  readonly rampPercents: readonly number[]
  readonly rampStepSeconds: number
  readonly leaseSeconds: number
  /** failures in a row that are a breach where the windows hold too few executions */
  readonly consecutiveFailures: number
  /** ms; the 95th percentile of the time to the first content breaches above; null: not judged */
  readonly firstContentP95Ms: number | null
  /** one org or agent that fails falls back alone */
  readonly scoped: boolean
}

/** The runtime's executions: of users, and recovery shadows. */
export interface RuntimeWindows {
  /** over `windowSeconds` */
  readonly slow: Tally
  /** over `fastWindowSeconds`, reaching back until it holds 2 × `minSamples` */
  readonly fast: Tally
  /** over `fastWindowSeconds`, reaching back, beyond `windowSeconds` too, until it holds `recoveryReach` (verdict) */
  readonly recent: Tally
  /** the newest executions, as long as all of them failed: `consecutiveFailures` at most, or as many as a breach takes */
  readonly streak?: Streak
  /** what failed before them, while all was as usual */
  readonly usual?: Usual
  /** the executions since they fail more often than usual, where that is certain (rate-change) */
  readonly changed?: Tally
  /** ... and how long the first content took, in the same three reaches; gathered where `firstContentP95Ms` is set */
  readonly firstContent?: Readonly<Record<'slow' | 'fast' | 'recent', FirstContent>>
}

/** What a breach by a rate may be explained by, in one dimension. */
export interface Suspects {
  readonly dimension: ScopeDimension
  /** those that fail; of more than a scope may hold only as many as show that */
  readonly ids: readonly string[]
  /** theirs together, in the window that breached */
  readonly tally: Tally
  /** all others' in that same window: what they do not explain */
  readonly left: Tally
  /** ... and as `runtime` of the evidence is; `newest`: as many as tell something of one id */
  readonly others: { readonly slow: Tally; readonly fast: Tally; readonly newest: Tally }
}

/** What is known of the direct LLM by asking its endpoints, not by executions. */
export interface StandbyState {
  /** none of its endpoints can be used */
  readonly unusable: boolean
  /** of the first endpoint, while it is unusable: `http_status 401`, or why no answer came */
  readonly why?: string
}

/** What this replica knows of the backends at one tick. Durations in ms. */
export interface Evidence {
  /** gathered (monotonic): what was forgotten later is not in force any more */
  readonly at: number
  /** of everybody */
  readonly runtime: RuntimeWindows
  /** while the fallback (or this replica's isolation) is scoped */
  readonly scoped?: {
    readonly scope: Scope
    readonly inside: RuntimeWindows
    readonly rest: RuntimeWindows
    /** while the rates of the rest are in breach: who fails there, in the scope's dimension */
    readonly suspects?: readonly Suspects[]
    /** since the last turn of the scope that without the override would be the runtime's */
    readonly quietForMs: number
  }
  /** while the rates of everybody are in breach: who fails, by dimension */
  readonly suspects?: readonly Suspects[]
  /** the direct LLM over its newest 60 s */
  readonly direct: Tally
  /** ... and whether it can be used at all; absent: nobody looks */
  readonly standby?: StandbyState
  readonly probe: {
    readonly failures: number
    /** since the first good answer of the present unbroken row; 0 while bad or unknown */
    readonly goodForMs: number
    readonly healthy: boolean
  }
  /** what other replicas see of its health, this one included; absent: this replica judges alone */
  readonly peers?: Peers
  /** since the last turn decided for the runtime; null: none yet */
  readonly runtimeTurnAgoMs: number | null
  /** since the last turn that without the override would be the runtime's, or since the start */
  readonly quietForMs: number
}

export interface Judgement {
  readonly evidence: Evidence
  readonly guardrails: FallbackGuardrails
  readonly policy: FallbackPolicy
}

export const NO_TALLY: Tally = { total: 0, errors: 0, timeouts: 0, latencySumMs: 0 }

export const NO_EXECUTIONS: RuntimeWindows = { slow: NO_TALLY, fast: NO_TALLY, recent: NO_TALLY }

/** The same, with the executions forgotten: what a state that just began knows. */
export function withoutExecutions({ scoped: _, suspects: __, ...evidence }: Evidence): Evidence {
  return { ...evidence, runtime: NO_EXECUTIONS }
}

/** What those are judged by whom a fallback is for. Nothing is known of a scope that it was not gathered for. */
export function insideOf(evidence: Evidence, scope: Scope | undefined): Evidence {
  if (scope === undefined) return evidence
  const { scoped } = evidence
  if (scoped === undefined || !isSameScope(scoped.scope, scope))
    return { ...evidence, runtime: NO_EXECUTIONS, quietForMs: 0 }
  return { ...evidence, runtime: scoped.inside, quietForMs: scoped.quietForMs }
}

/**
 * What everybody else is judged by. Of a scope that it was not gathered for it is everybody's: a breach that was found in
 * another state, and lost its race.
 */
export function outsideOf({ scoped, suspects, ...evidence }: Evidence, scope: Scope): Evidence {
  if (scoped === undefined || !isSameScope(scoped.scope, scope))
    return { ...evidence, ...(suspects === undefined ? {} : { suspects }) }
  const theirs = scoped.suspects === undefined ? {} : { suspects: scoped.suspects }
  return { ...evidence, ...theirs, runtime: scoped.rest }
}

/** The same, with the probes forgotten. */
export function withoutHealth(evidence: Evidence): Evidence {
  return { ...evidence, probe: { failures: 0, goodForMs: 0, healthy: false } }
}
