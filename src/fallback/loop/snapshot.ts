import type { FallbackPolicy } from '../../protocol/fallback.js'
import type { Override } from '../../store/override/override.js'
import type { Alert, FallbackSnapshot } from '../fallback.js'
import { holdsLease } from '../machine/lease.js'
import type { FallbackState } from '../machine/state.js'
import type { ProbeState } from '../probe/probe.js'

export interface SnapshotParts {
  readonly state: FallbackState
  readonly policy: FallbackPolicy
  /** ms until an unchanged lease has expired */
  readonly leaseMs: number
  readonly probe: ProbeState
  readonly now: number
  readonly wall: number
  /** the last round failed with this */
  readonly loopFault?: string
  /** alerts of others */
  readonly others: readonly Alert[]
}

/** The fallback as operators see it. */
export function snapshotOf(parts: SnapshotParts): FallbackSnapshot {
  const { state, probe, now } = parts
  const { known, store, proof, lease } = state
  const isPersisted = !state.starting && store.dirtyAt === null
  const isPropagated = isPersisted && state.provided >= known.revision
  const seenAfter =
    proof === null || proof.seenAt === null || proof.revision !== known.revision
      ? undefined
      : Math.max(0, Math.round(proof.seenAt - proof.decidedAt))
  const isExpired = now - lease.changedAt >= parts.leaseMs
  return {
    override: inForce(parts),
    persisted: isPersisted,
    propagated: isPropagated,
    ...(isPropagated && seenAfter !== undefined ? { propagationMs: seenAfter } : {}),
    policy: parts.policy,
    ...(state.wouldTrip === null ? {} : { wouldTrip: state.wouldTrip }),
    probe: {
      ...(probe.healthy === undefined ? {} : { healthy: probe.healthy }),
      failures: probe.failuresInARow,
      ...(probe.lastAt === undefined ? {} : { at: probe.lastAt }),
    },
    lease: {
      ...(lease.owner === null || isExpired ? {} : { holder: lease.owner }),
      mine: holdsLease(state, now, parts.leaseMs),
    },
    isolated: state.isolated,
    alerts: alertsOf(parts),
    replica: state.self.replica,
  }
}

/** ms by which two machines may name one instant differently */
const SAME_INSTANT_MS = 1000

/** A hold that changed guardrails made shorter ends earlier than the override says. */
function inForce({ state: { known, timers }, now, wall }: SnapshotParts): Override {
  const { auto } = known
  if (auto.state !== 'fallback' || timers.holdUntilAt === null) return known
  const holdUntil = Math.round(wall + timers.holdUntilAt - now)
  if (holdUntil >= auto.holdUntil - SAME_INSTANT_MS) return known
  return { ...known, auto: { ...auto, holdUntil } }
}

/** ms of one step of the recovery, after which it has waited for long */
const WAITS_MS = 15 * 60_000
/** ms of a fallback, after which it has lasted for long: the longest hold as shipped is 16.5 min (900 s, and a tenth by chance) */
const LASTS_MS = 20 * 60_000

function alertsOf({ state, loopFault, now, others }: SnapshotParts): Alert[] {
  const { store, proof } = state
  const alerts: Alert[] = []
  if (store.fault !== null)
    alerts.push({
      kind: store.dirtyAt === null ? 'store_unreadable' : 'not_persisted',
      code: store.fault.code,
      detail: store.fault.message,
    })
  if (store.unparsable !== null) alerts.push({ kind: 'override_unparsable', detail: store.unparsable.detail })
  if (store.refused !== null) {
    const { untilAt: _, ...refused } = store.refused
    alerts.push({ kind: 'hand_edit_refused', ...refused })
  }
  if (store.missing) alerts.push({ kind: 'override_missing' })
  if (proof?.alerted === true) alerts.push({ kind: 'not_propagated', revision: proof.revision })
  if (state.bothSick) alerts.push({ kind: 'both_sick' })
  if (state.standby !== null)
    alerts.push({
      kind: 'standby_sick',
      ...(state.standby.kind === 'unusable' ? { why: state.standby.why } : {}),
    })
  const { auto } = state.known
  const lastedMs = now - state.timers.autoSinceAt
  if (auto.state === 'recovering' && lastedMs >= WAITS_MS)
    alerts.push({ kind: 'recovery_waits', percent: auto.percent })
  if (auto.state === 'fallback' && lastedMs >= LASTS_MS) alerts.push({ kind: 'fallback_lasts' })
  if (loopFault !== undefined) alerts.push({ kind: 'loop_failed', detail: loopFault })
  return [...alerts, ...others]
}
