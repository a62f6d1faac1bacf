import { z } from 'zod'
import type { Stored } from '../../store/flag-store.js'
import type { LeaseSeen, LeaseWrite } from '../machine/state.js'

/** The lease's file: whose it is, and a count that makes each renewal other bytes. `at` is for people alone. */
const leaseSchema = z.object({ owner: z.string().nullable(), counter: z.number(), at: z.string() })

export function renderLease({ owner, counter }: LeaseWrite, wall: number): string {
  return `${JSON.stringify({ owner, counter, at: new Date(wall).toISOString() })}\n`
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
