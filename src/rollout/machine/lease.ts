import type { LeaseWrite } from '../../fallback/machine/state.js'
import { stageMs } from './moves.js'
import type { RolloutInput, RolloutState } from './state.js'

type Tick = Extract<RolloutInput, { kind: 'tick' }>

/**
 * Takes, renews or releases the lease, or leaves it. Wanted while a rollout runs. A holder whose stage is not healthy when
 * its time is over lets it expire: another replica, which may have the turns that this one lacks, goes on.
 */
export function leaseMove(state: RolloutState, input: Tick): LeaseWrite | undefined {
  const { lease, self, force } = state
  const { now, leaseMs } = input
  const isTried = lease.askedAt !== null && lease.askedAt > lease.changedAt
  if (lease.seen === null || (isTried && now - (lease.askedAt ?? now) < leaseMs / 6)) return undefined
  const write = (owner: string | null): LeaseWrite => ({
    owner,
    counter: lease.counter + 1,
    expected: lease.seen ?? 'missing',
  })
  const isMine = lease.owner === self.owner
  const { progress } = force
  if (progress.state !== 'running') return isMine ? write(null) : undefined
  const lateMs = now - state.stageAt - stageMs(progress)
  const isHealthy = state.verdict?.kind === 'healthy'
  const isFit = input.probeHealthy && state.verdict?.kind !== 'breach'
  if (isMine) {
    const isDue = lease.renewedAt === null || now - lease.renewedAt >= leaseMs / 3
    return isDue && isFit && (isHealthy || lateMs < leaseMs) ? write(self.owner) : undefined
  }
  const isFree = lease.owner === null || now - lease.changedAt >= leaseMs
  return isFree && isFit && (isHealthy || lateMs < 0) ? write(self.owner) : undefined
}
