/** How much of one kind of entry is kept: the newest `count`, and of those none older than `maxAgeMs`. */
export interface Bound {
  readonly count: number
  readonly maxAgeMs: number
}

export interface Retention {
  readonly transitions: Bound
  readonly samples: Bound
}

const DAY_MS = 86_400_000

/** A year of changes; of the evidence, what an incident of last week needs (at most one sample a tick and replica). */
export const DEFAULT_RETENTION: Retention = {
  transitions: { count: 10_000, maxAgeMs: 365 * DAY_MS },
  samples: { count: 100_000, maxAgeMs: 7 * DAY_MS },
}
