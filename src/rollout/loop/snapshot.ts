import { holdsLease } from '../../fallback/machine/lease.js'
import type { StageEvidence } from '../../protocol/rollout.js'
import { percentOf } from '../../store/rollout/rollout.js'
import { stageMs } from '../machine/moves.js'
import type { RolloutState } from '../machine/state.js'
import type { OpsMode, RolloutAlert, RolloutSnapshot } from '../rollout.js'

export interface SnapshotParts {
  readonly state: RolloutState
  readonly opsMode: OpsMode
  readonly evidence: StageEvidence
  readonly leaseMs: number
  /** monotonic ms */
  readonly now: number
  /** the last round failed with this */
  readonly loopFault?: string
}

/** The rollout as operators see it. */
export function rolloutSnapshotOf(parts: SnapshotParts): RolloutSnapshot {
  const { state, opsMode, evidence, now, leaseMs } = parts
  const { force, pending, lease } = state
  const { progress } = force
  const isPersisted = !state.starting && pending === null
  const isExpired = now - lease.changedAt >= leaseMs
  const isTimed = progress.state === 'running' && !state.held
  return {
    rollout: force,
    percent: percentOf(progress),
    persisted: isPersisted,
    propagated: isPersisted && state.provided >= force.revision,
    opsMode,
    verdict: state.verdict,
    evidence,
    waitsFor: state.waitsFor,
    secondsLeft: isTimed ? Math.max(0, stageMs(progress) - (now - state.stageAt)) / 1000 : null,
    lease: {
      ...(lease.owner === null || isExpired ? {} : { holder: lease.owner }),
      mine: holdsLease(state, now, leaseMs),
    },
    alerts: alertsOf(parts),
    replica: state.self.replica,
  }
}

function alertsOf({ state, loopFault }: SnapshotParts): RolloutAlert[] {
  const { fault } = state.file
  const alerts: RolloutAlert[] = []
  if (fault !== null)
    alerts.push({
      kind: state.pending === null ? 'store_unreadable' : 'not_persisted',
      detail: `${fault.code}: ${fault.message}`,
    })
  if (state.refused !== null) alerts.push({ kind: 'hand_edit_refused', detail: state.refused.detail })
  if (loopFault !== undefined) alerts.push({ kind: 'loop_failed', detail: loopFault })
  return alerts
}
