import { leaseTurn } from '../../fallback/machine/lease.js'
import type { LeaseWrite } from '../../fallback/machine/state.js'
import { stageMs } from './moves.js'
import type { RolloutInput, RolloutState } from './state.js'

type Tick = Extract<RolloutInput, { kind: 'tick' }>

/**
 * Takes, renews or releases the lease, or leaves it. Wanted while a rollout runs. A holder whose stage is not healthy when
 * its time is over lets it expire: another replica, which may have the turns that this one lacks, goes on.
 */
export function leaseMove(state: RolloutState, input: Tick): LeaseWrite | undefined {
  const { self, force } = state
  const { now, leaseMs } = input
  const turn = leaseTurn(state, now, leaseMs)
  if (turn === undefined) return undefined
  const { isMine, isOpen, write } = turn
  const { progress } = force
  if (progress.state !== 'running') return isMine ? write(null) : undefined
  const lateMs = now - state.stageAt - stageMs(progress)
  const isHealthy = state.verdict?.kind === 'healthy'
  const isFit = input.probeHealthy && state.verdict?.kind !== 'breach'
  const isInTime = lateMs < (isMine ? leaseMs : 0)
  return isOpen && isFit && (isHealthy || isInTime) ? write(self.owner) : undefined
}
