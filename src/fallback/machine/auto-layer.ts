import { unreachable } from '../../core/errors.js'
import type { FallbackPolicy } from '../../protocol/fallback.js'
import { includesScope, type Scope, unionOf } from '../../protocol/fallback-scope.js'
import { type AutoLayer, scopeOfAuto, type Trip } from '../../store/override/override.js'
import { explain } from '../evidence/attribution.js'
import { type Evidence, type FallbackGuardrails, insideOf, outsideOf } from '../evidence/evidence.js'
import { hasQuorum } from '../evidence/health-quorum.js'
import { beginsLate, isRecovered, judgeRuntime, recoveryReach, standbyTrouble } from '../evidence/verdict.js'
import type { HeldTrip } from './adoption.js'
import { holdMs } from './hold-time.js'
import type { Instant, Timers } from './state.js'

/** What the automatic layer is judged by at one tick. */
export interface AutoInput extends Instant {
  readonly auto: AutoLayer
  readonly trips: number
  readonly timers: Timers
  readonly evidence: Evidence
  readonly guardrails: FallbackGuardrails
  readonly policy: FallbackPolicy
  /** holds the lease, and nothing is pending: only then towards the runtime */
  readonly holder: boolean
  /** 0 to 1; lengthens the hold */
  readonly jitter: number
  /** a trip of this replica that lost its race to what `auto` is, and still holds */
  readonly holds?: HeldTrip
}

/** What the automatic layer does now. */
export type AutoMove =
  | { readonly kind: 'stay' }
  /** a breach that trips nothing, for the direct LLM is unhealthy itself */
  | { readonly kind: 'both_sick' }
  /** a breach that trips nothing, for the policy is `observe` */
  | { readonly kind: 'would_trip'; readonly trip: Trip }
  | {
      readonly kind: 'trip'
      /** `widened`: the same trip for more, its hold anew */
      readonly what: 'trip' | 'relapse' | 'widened'
      readonly auto: AutoLayer
      readonly trips: number
    }
  | {
      readonly kind: 'towards_runtime'
      readonly what: 'recovery_begun' | 'ramp_step' | 'recovered'
      readonly auto: AutoLayer
    }
  /** the policy is `off`: a person's word, and any replica's to obey */
  | { readonly kind: 'policy_off' }
  /** in good health for so long that the trips are forgotten */
  | { readonly kind: 'forget_trips' }

const STAY: AutoMove = { kind: 'stay' }

/** The moves of the automatic layer: `normal → fallback → recovering → normal`. Pure. */
export function autoMove(given: AutoInput): AutoMove {
  const input = { ...given, evidence: withoutLoneHealth(given.evidence, given.guardrails) }
  const { auto, policy } = input
  if (policy === 'off' && auto.state !== 'normal') return { kind: 'policy_off' }
  const scope = scopeOfAuto(auto)
  if (scope === undefined || auto.state === 'normal') return ownMove(input)
  const { holds } = input
  if (holds !== undefined && canJoin(scope, holds.scope)) return join(input, auto, holds)
  const widening = widen(input, auto, scope)
  if (widening.kind === 'trip') return widening
  const own = ownMove({ ...input, evidence: insideOf(input.evidence, scope) })
  return own.kind === 'stay' ? widening : own
}

/** Of those it acts on, or in `normal` of everybody. */
function ownMove(input: AutoInput): AutoMove {
  const { auto } = input
  switch (auto.state) {
    case 'normal':
      return fromNormal(input)
    case 'fallback':
      return fromFallback(input, auto)
    case 'recovering':
      return fromRecovering(input, auto)
    default:
      return unreachable(auto)
  }
}

/** What a replica alone sees of the runtime's health moves nobody else, in either direction. */
function withoutLoneHealth(evidence: Evidence, guardrails: FallbackGuardrails): Evidence {
  if (!isAloneUnhealthy(evidence, guardrails)) return evidence
  return { ...evidence, probe: { ...evidence.probe, failures: 0, healthy: false } }
}

/** The runtime is unhealthy for this replica, and well for most of those that use it. */
function isAloneUnhealthy(evidence: Evidence, guardrails: FallbackGuardrails): boolean {
  return isUnhealthy(evidence, guardrails) && !hasQuorum(evidence.peers)
}

/** This replica alone goes to the direct LLM, where it would be of use to its users. */
export function goesAlone({
  auto,
  policy,
  evidence,
  guardrails,
}: Pick<AutoInput, 'auto' | 'policy' | 'evidence' | 'guardrails'>): boolean {
  if (policy !== 'auto' || !isAloneUnhealthy(evidence, guardrails) || !isUsed(evidence, guardrails))
    return false
  const isForAll = auto.state === 'fallback' && auto.scope === undefined
  return !isForAll && !isVetoed(healthTrip(evidence, guardrails), evidence, guardrails)
}

/** ... and no longer alone: others see it as well. */
export function isJoined(evidence: Evidence, guardrails: FallbackGuardrails): boolean {
  return evidence.peers !== undefined && isUnhealthy(evidence, guardrails) && hasQuorum(evidence.peers)
}

/** Health, and the executions: what is wrong with the runtime now; nothing where it is well or unknown. */
export function breachOf(evidence: Evidence, guardrails: FallbackGuardrails): Trip | undefined {
  if (isUnhealthy(evidence, guardrails)) return healthTrip(evidence, guardrails)
  return executionBreach(evidence, guardrails)
}

function executionBreach(evidence: Evidence, guardrails: FallbackGuardrails): Trip | undefined {
  const verdict = judgeRuntime(evidence, guardrails)
  return verdict.kind === 'breach' ? verdict.trip : undefined
}

export function isUnhealthy({ probe }: Evidence, { probeFailures }: FallbackGuardrails): boolean {
  return probe.failures >= probeFailures
}

/** No turn that could be the runtime's for `quietSeconds`, and every probe good for as long. */
export function isQuiet({ quietForMs, probe }: Evidence, { quietSeconds }: FallbackGuardrails): boolean {
  return quietForMs >= quietSeconds * 1000 && probe.goodForMs >= quietSeconds * 1000
}

function fromNormal(input: AutoInput): AutoMove {
  const { evidence, guardrails, policy } = input
  if (policy === 'off') return STAY
  const breach = tripOf(evidence, guardrails)
  if (breach === 'both_sick') return { kind: 'both_sick' }
  const whose =
    breach === undefined
      ? input.holds
      : (explain(breach, evidence.suspects ?? [], guardrails) ?? { trip: breach })
  if (whose !== undefined) {
    if (isVetoed(whose.trip, evidence, guardrails)) return { kind: 'both_sick' }
    return policy === 'observe' ? { kind: 'would_trip', trip: whose.trip } : trip(input, whose, 'trip')
  }
  const { goodSinceAt } = input.timers
  const isForgotten = goodSinceAt !== null && input.now - goodSinceAt >= guardrails.maxHoldSeconds * 1000
  return input.trips > 0 && isForgotten ? { kind: 'forget_trips' } : STAY
}

/**
 * Of two scopes the union. One of orgs and one of agents have none but everybody, for whom neither was decided: there the
 * evidence that comes decides.
 */
function canJoin(theirs: Scope, ours: Scope | undefined): boolean {
  return ours === undefined || (ours.dimension === theirs.dimension && !includesScope(theirs, ours))
}

function join(
  input: AutoInput,
  auto: Exclude<AutoLayer, { state: 'normal' }>,
  { trip: cause, scope }: HeldTrip,
): AutoMove {
  if (isVetoed(cause, input.evidence, input.guardrails)) return { kind: 'both_sick' }
  if (input.policy === 'observe') return { kind: 'would_trip', trip: cause }
  const union = unionOf(auto.scope, scope)
  return trip(input, union === undefined ? { trip: cause } : { trip: cause, scope: union }, 'widened')
}

/**
 * Everybody else is judged as in `normal`: a breach of theirs joins those who fail, and is everybody's where they do not explain
 * it, or it is of health. Where it turns out to be the scope's own, that relapses.
 */
function widen(input: AutoInput, auto: Exclude<AutoLayer, { state: 'normal' }>, scope: Scope): AutoMove {
  const { guardrails, policy } = input
  const evidence = outsideOf(input.evidence, scope)
  const breach = tripOf(evidence, guardrails)
  if (breach === undefined) return STAY
  if (breach === 'both_sick') return { kind: 'both_sick' }
  const explained = explain(breach, evidence.suspects ?? [], guardrails)
  if (explained !== undefined && includesScope(scope, explained.scope))
    return auto.state === 'recovering' ? trip(input, { ...explained, scope }, 'relapse') : STAY
  if (policy === 'observe') return { kind: 'would_trip', trip: breach }
  const wider = explained === undefined ? undefined : unionOf(scope, explained.scope)
  if (explained === undefined || wider === undefined) return trip(input, { trip: breach }, 'widened')
  return trip(input, { trip: explained.trip, scope: wider }, 'widened')
}

/** Health alone trips only where the runtime is in use: who uses the direct LLM alone is left in peace. */
function tripOf(evidence: Evidence, guardrails: FallbackGuardrails): Trip | 'both_sick' | undefined {
  const breach = isUsed(evidence, guardrails)
    ? breachOf(evidence, guardrails)
    : executionBreach(evidence, guardrails)
  return breach !== undefined && isVetoed(breach, evidence, guardrails) ? 'both_sick' : breach
}

const isUsed = ({ runtimeTurnAgoMs }: Evidence, { windowSeconds }: FallbackGuardrails): boolean =>
  runtimeTurnAgoMs !== null && runtimeTurnAgoMs <= windowSeconds * 1000

/**
 * Nobody is sent to a side that is known to be no better. Rates never trip towards an unhealthy direct LLM: failover asks it for each
 * turn anyway. A dead runtime does, unless the direct LLM cannot be used at all.
 */
function isVetoed({ cause }: Trip, evidence: Evidence, guardrails: FallbackGuardrails): boolean {
  const trouble = standbyTrouble(evidence, guardrails)
  if (trouble === undefined) return false
  return cause !== 'health' || trouble.kind === 'unusable'
}

function fromFallback(input: AutoInput, auto: Extract<AutoLayer, { state: 'fallback' }>): AutoMove {
  const { evidence, guardrails, timers } = input
  const isHeld = timers.holdUntilAt !== null && input.now < timers.holdUntilAt
  if (!input.holder || !evidence.probe.healthy) return STAY
  // Where it sends people to an unhealthy direct LLM, a runtime with good probes is the better side at once.
  const isBetter = standbyTrouble(evidence, guardrails) !== undefined
  if (!isBetter && (isHeld || !deservesTraffic(evidence, guardrails))) return STAY
  const percent = guardrails.rampPercents[0] ?? 100
  const { holdUntil: _, ...tripped } = auto
  const next: AutoLayer = { ...tripped, state: 'recovering', since: input.wall, percent }
  return { kind: 'towards_runtime', what: 'recovery_begun', auto: next }
}

function deservesTraffic(evidence: Evidence, guardrails: FallbackGuardrails): boolean {
  if (isQuiet(evidence, guardrails)) return true
  return isRecovered(evidence.runtime.recent, guardrails) && !beginsLate(evidence.runtime, guardrails)
}

function fromRecovering(input: AutoInput, auto: Extract<AutoLayer, { state: 'recovering' }>): AutoMove {
  const { evidence, guardrails, timers } = input
  const breach = breachOf(evidence, guardrails)
  if (breach !== undefined)
    return isVetoed(breach, evidence, guardrails)
      ? { kind: 'both_sick' }
      : trip(input, { ...auto, trip: breach }, 'relapse')
  const isStepOver = input.now - timers.autoSinceAt >= guardrails.rampStepSeconds * 1000
  if (!input.holder || !isStepOver || !evidence.probe.healthy) return STAY
  // Only where health was the cause may probes alone speak for the runtime.
  const isQuietNight = auto.trip.cause === 'health' && isQuiet(evidence, guardrails)
  if (!isRampedWell(evidence, guardrails) && !isQuietNight) return STAY
  const percent = guardrails.rampPercents.find((step) => step > auto.percent)
  if (percent === undefined) return { kind: 'towards_runtime', what: 'recovered', auto: { state: 'normal' } }
  return { kind: 'towards_runtime', what: 'ramp_step', auto: { ...auto, percent } }
}

/** Judged over the step; where few turns come, over as many as it takes, however long ago they were within it. */
function isRampedWell({ runtime }: Evidence, guardrails: FallbackGuardrails): boolean {
  if (beginsLate(runtime, guardrails)) return false
  if (isRecovered(runtime.slow, guardrails)) return true
  return runtime.slow.total < recoveryReach(guardrails) && isRecovered(runtime.recent, guardrails)
}

function trip(
  input: AutoInput,
  { trip: cause, scope }: HeldTrip,
  what: 'trip' | 'relapse' | 'widened',
): AutoMove {
  const trips = what === 'widened' ? input.trips : input.trips + 1
  const holdUntil = input.wall + holdMs(trips, input.jitter, input.guardrails)
  const limited = scope === undefined ? {} : { scope }
  const auto: AutoLayer = { state: 'fallback', trip: cause, since: input.wall, ...limited, holdUntil }
  return { kind: 'trip', what, auto, trips }
}

function healthTrip({ probe }: Evidence, { probeFailures }: FallbackGuardrails): Trip {
  return { cause: 'health', value: probe.failures, threshold: probeFailures }
}
