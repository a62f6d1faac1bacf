import { scopeOfAuto } from '../../store/override/override.js'
import { type Evidence, type FallbackGuardrails, insideOf } from '../evidence/evidence.js'
import { isDoubtful } from '../evidence/verdict.js'
import { isQuiet } from './auto-layer.js'
import type { FallbackInput, FallbackState, LeaseSeen, LeaseState, LeaseWrite } from './state.js'

/** The lease as read: its time runs from the moment this content was first seen, on this replica's monotonic clock. */
export function observeLease(lease: LeaseState, seen: LeaseSeen, now: number): LeaseState {
  if (seen.kind === 'failed') return lease
  const content = seen.kind === 'missing' ? 'missing' : seen.hash
  if (content === lease.seen) return lease
  const owner = seen.kind === 'missing' ? null : seen.owner
  return { ...lease, seen: content, changedAt: now, owner }
}

/** The lease as this replica wrote it: for `owner`, or for nobody. */
export function writtenLease(
  { lease, self }: Pick<FallbackState, 'lease' | 'self'>,
  { hash, owner, now }: Pick<Extract<FallbackInput, { kind: 'lease_written' }>, 'hash' | 'owner' | 'now'>,
): LeaseState {
  const renewedAt = owner === self.owner ? (lease.askedAt ?? now) : null
  return { ...lease, seen: hash, changedAt: now, owner, counter: lease.counter + 1, renewedAt }
}

/** ms until an unchanged lease has expired. Several ticks at least: renewals happen only there. */
export function leaseMs({
  leaseSeconds,
  tickMs,
}: Pick<FallbackGuardrails, 'leaseSeconds' | 'tickMs'>): number {
  return Math.max(leaseSeconds * 1000, 6 * tickMs)
}

/**
 * Whether this replica may move towards the runtime: its own lease, for two thirds of its time from when the renewal was
 * asked for. The last third is for the move's own way to the store, and for clocks that run differently.
 */
export function holdsLease(
  { lease, self }: Pick<FallbackState, 'lease' | 'self'>,
  now: number,
  lastsMs: number,
): boolean {
  if (lease.owner !== self.owner || lease.renewedAt === null) return false
  return now - lease.renewedAt < (lastsMs * 2) / 3
}

export interface LeaseTurn {
  readonly isMine: boolean
  /** ours is due for its renewal; another's has expired, or it is nobody's */
  readonly isOpen: boolean
  write(owner: string | null): LeaseWrite
}

/** What may be done with the lease now; undefined where it was not read yet, or the last try is not answered yet. */
export function leaseTurn(
  { lease, self }: Pick<FallbackState, 'lease' | 'self'>,
  now: number,
  lastsMs: number,
): LeaseTurn | undefined {
  const { seen } = lease
  // The last try failed, or is not seen yet.
  const isTried = lease.askedAt !== null && lease.askedAt > lease.changedAt
  if (seen === null || (isTried && now - (lease.askedAt ?? now) < lastsMs / 6)) return undefined
  const isMine = lease.owner === self.owner
  const isDue = lease.renewedAt === null || now - lease.renewedAt >= lastsMs / 3
  const isFree = lease.owner === null || now - lease.changedAt >= lastsMs
  return {
    isMine,
    isOpen: isMine ? isDue : isFree,
    write: (owner) => ({ owner, counter: lease.counter + 1, expected: seen }),
  }
}

/**
 * Takes, renews or releases the lease, or leaves it. Wanted while the automatic layer is not `normal`. Only a healthy
 * replica takes it over, beside the one that has just tripped; a holder that is unhealthy after its hold lets it expire,
 * and so does one whose own executions fail (but in a quiet time, when no others come): it would never recover, and keep
 * the others from it.
 */
export function leaseMove(
  state: FallbackState,
  evidence: Evidence,
  guardrails: FallbackGuardrails,
  now: number,
): LeaseWrite | undefined {
  const { self, known } = state
  const turn = leaseTurn(state, now, leaseMs(guardrails))
  if (turn === undefined) return undefined
  const { isMine, isOpen, write } = turn
  if (known.auto.state === 'normal') return isMine ? write(null) : undefined
  const { holdUntilAt } = state.timers
  const isHeld = known.auto.state === 'fallback' && holdUntilAt !== null && now < holdUntilAt
  const theirs = insideOf(evidence, scopeOfAuto(known.auto))
  const isCleared = !isDoubtful(theirs.runtime.recent, guardrails) || isQuiet(theirs, guardrails)
  const isWell = evidence.probe.healthy && isCleared
  const isFit = !state.isolated && (isWell || (isHeld && known.replica === self.replica))
  return isOpen && (isFit || (isMine && isHeld)) ? write(self.owner) : undefined
}
