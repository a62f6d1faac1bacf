/** Farthest a calendar reaches, ms from the epoch. */
const LIMIT = 8.64e15

/** ISO 8601 UTC of wall-clock ms; an instant no calendar knows (a broken clock wrote it) becomes the nearest one. */
export function instant(ms: number): string {
  return new Date(Math.min(Math.max(Number.isNaN(ms) ? 0 : ms, -LIMIT), LIMIT)).toISOString()
}

/** ms without a report after which a replica counts as silent: three of them */
const SILENT_MS = 30_000
/** ms after which one that stopped or fell silent is no longer listed among the others */
const GONE_MS = 600_000

export interface ReplicaSilence {
  /** it reports nothing any more, and has not said that it stops */
  readonly isSilent: boolean
  readonly isGone: boolean
}

/** Which replicas of a status are silent or gone. By the clock of the service: the reader's own may be wrong. */
export function judgeReplicas<Replica extends { readonly state: string; readonly lastSeen: string }>(
  replicas: readonly Replica[],
): (Replica & ReplicaSilence)[] {
  const now = Math.max(...replicas.map(({ lastSeen }) => Date.parse(lastSeen)))
  return replicas.map((replica) => {
    const ago = now - Date.parse(replica.lastSeen)
    return { ...replica, isSilent: replica.state !== 'stopped' && ago > SILENT_MS, isGone: ago > GONE_MS }
  })
}
