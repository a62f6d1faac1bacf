import { z } from 'zod'
import type { Clock } from '../../core/clock.js'
import type { ContentHash, FlagStore, Stored } from '../../store/flag-store.js'
import type { FallbackState, LeaseSeen, LeaseWrite } from '../machine/state.js'

/** The lease's file: whose it is, and a count that makes each renewal other bytes. `at` is for people alone. */
const leaseSchema = z.object({ owner: z.string().nullable(), counter: z.number(), at: z.string() })

export function renderLease({ owner, counter }: LeaseWrite, wall: number): string {
  return `${JSON.stringify({ owner, counter, at: new Date(wall).toISOString() })}\n`
}

interface LeaseDeps {
  readonly store: Pick<FlagStore, 'writeLease'>
  readonly clock: Pick<Clock, 'wall'>
}

/** The hash of what was written; undefined where it was not. */
export async function writeLease(
  { store, clock }: LeaseDeps,
  lease: LeaseWrite,
): Promise<ContentHash | undefined> {
  const result = await store.writeLease(renderLease(lease, clock.wall()), lease.expected)
  return result.kind === 'written' ? result.hash : undefined
}

/** Lets the lease go where it is this replica's. */
export async function releaseLease(
  deps: LeaseDeps,
  { lease, self }: Pick<FallbackState, 'lease' | 'self'>,
): Promise<void> {
  if (lease.owner !== self.owner || lease.seen === null) return
  await writeLease(deps, { owner: null, counter: lease.counter + 1, expected: lease.seen })
}

/** A lease that cannot be read is nobody's. */
export function parseLease(stored: Stored): LeaseSeen {
  switch (stored.kind) {
    case 'failed':
      return { kind: 'failed' }
    case 'missing':
      return { kind: 'missing' }
    case 'text':
      return { kind: 'lease', hash: stored.hash, owner: ownerIn(stored.text) }
  }
}

function ownerIn(text: string): string | null {
  try {
    const parsed = leaseSchema.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data.owner : null
  } catch {
    return null
  }
}
