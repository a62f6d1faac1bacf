/** What one replica tells of the runtime's health. */
export interface HealthView {
  /** a turn of its was decided for the runtime in the last minute */
  readonly sawTurn: boolean
  /** its probes say that the runtime is unhealthy */
  readonly bad: boolean
}

/** Of the replicas that saw a turn for the runtime in the last minute: how many there are, and how many see it bad. */
export interface Peers {
  readonly saw: number
  readonly bad: number
}

/** This replica's own view included. Pure. */
export function peersOf(own: HealthView, others: readonly HealthView[]): Peers {
  const seeing = [own, ...others].filter(({ sawTurn }) => sawTurn)
  return { saw: seeing.length, bad: seeing.filter(({ bad }) => bad).length }
}

/**
 * Health alone speaks for all only where at least half of them see it bad: one of two, two of three. A replica that knows of no other
 * speaks for itself. Pure.
 */
export function hasQuorum(peers: Peers | undefined): boolean {
  return peers === undefined || 2 * peers.bad >= peers.saw
}
