import type { Expected } from '../store/flag-store.js'
import type { Evidence, FallbackGuardrails } from './evidence.js'
import type { FallbackState, LeaseSeen, LeaseState } from './state.js'

/** What is to be written into the lease's file; `owner` null releases it. */
export interface LeaseWrite {
  readonly owner: string | null
  readonly counter: number
  readonly expected: Expected
}

/** The lease as read: its time runs from the moment this content was first seen, on this replica's monotonic clock. */
export function seeLease(lease: LeaseState, seen: LeaseSeen, now: number): LeaseState {
  if (seen.kind === 'failed') return lease
  const content = seen.kind === 'missing' ? 'missing' : seen.hash
  if (content === lease.seen) return lease
  const owner = seen.kind === 'missing' ? null : seen.owner
  return { ...lease, seen: content, changedAt: now, owner }
}

/** Whether this replica may move towards the runtime: its own lease, renewed within its time. */
export function holdsLease(
  { lease, self }: Pick<FallbackState, 'lease' | 'self'>,
  now: number,
  { leaseSeconds }: Pick<FallbackGuardrails, 'leaseSeconds'>,
): boolean {
  if (lease.owner !== self.owner || lease.renewedAt === null) return false
  return now - lease.renewedAt < leaseSeconds * 1000
}

/**
 * Takes, renews or releases the lease, or leaves it. Wanted while the automatic layer is not `normal`. Only a healthy
 * replica takes it over, beside the one that has just tripped; a holder that is unhealthy after its hold lets it expire.
 */
export function leaseMove(
  state: FallbackState,
  evidence: Evidence,
  guardrails: FallbackGuardrails,
  now: number,
): LeaseWrite | undefined {
  const { lease, self, known } = state
  if (lease.seen === null) return undefined
  const write = (owner: string | null): LeaseWrite => ({
    owner,
    counter: lease.counter + 1,
    expected: lease.seen ?? 'missing',
  })
  const isMine = lease.owner === self.owner
  if (known.auto.state === 'normal') return isMine ? write(null) : undefined
  const { holdUntilAt } = state.timers
  const isHeld = known.auto.state === 'fallback' && holdUntilAt !== null && now < holdUntilAt
  const isFit = !state.isolated && (evidence.probe.healthy || (isHeld && known.replica === self.replica))
  const leaseMs = guardrails.leaseSeconds * 1000
  if (isMine) {
    const isDue = lease.renewedAt === null || now - lease.renewedAt >= leaseMs / 3
    return isDue && (isFit || isHeld) ? write(self.owner) : undefined
  }
  const isFree = lease.owner === null || now - lease.changedAt >= leaseMs
  return isFree && isFit ? write(self.owner) : undefined
}
