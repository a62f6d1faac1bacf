import { readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { z } from 'zod'

/** Who holds a lock, as it stands in its file; `token` is another for each time it is taken. */
export interface LockOwner {
  readonly pid: number
  readonly host: string
  /** the process ids' namespace, where the system has such: two containers may both have a process 1 */
  readonly space: string
  readonly nonce: string
  readonly token: string
}

const ownerSchema = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  space: z.string(),
  nonce: z.string(),
  token: z.string(),
})

export function parseOwner(content: string): LockOwner | undefined {
  try {
    const parsed = ownerSchema.safeParse(JSON.parse(content))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined
  }
}

/** Locks this process has or is about to take: its own pid alone does not tell them from what an earlier one left. */
const heldHere = new Set<string>()

export function newOwner(nonce: string, token: string): LockOwner {
  return { pid: process.pid, host: hostname(), space: pidSpace(), nonce, token }
}

export const markHeld = (owner: LockOwner): void => void heldHere.add(owner.token)
export const markFree = (owner: LockOwner): void => void heldHere.delete(owner.token)

/** ms; a lock that did not change for so long is abandoned, even if it names a living owner */
const UNCHANGED_MS = 10_000
/**
 * Another container of this host's name has a process of our own number: most likely what this container left before its
 * restart. Longer than a write takes (ms).
 */
const SAME_NUMBER_MS = 1_000

/** Whether a lock may be broken that was unchanged for so long on our own monotonic clock. */
export function isAbandoned(owner: LockOwner | undefined, unchangedMs: number): boolean {
  if (unchangedMs >= UNCHANGED_MS) return true
  if (owner === undefined || owner.host !== hostname()) return false
  if (owner.space !== pidSpace()) return owner.pid === process.pid && unchangedMs >= SAME_NUMBER_MS
  return owner.pid === process.pid ? !heldHere.has(owner.token) : !isAlive(owner.pid)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    // EPERM: it is there and belongs to somebody else
    return !(thrown instanceof Error && 'code' in thrown && thrown.code === 'ESRCH')
  }
}

let knownSpace: string | undefined

function pidSpace(): string {
  if (knownSpace === undefined) {
    try {
      knownSpace = readlinkSync('/proc/self/ns/pid')
    } catch {
      knownSpace = ''
    }
  }
  return knownSpace
}
