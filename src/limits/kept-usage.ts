/** What both databases share in keeping the tokens of a day. */

/** ms in which usage is gathered before it is written: one write for all turns that end meanwhile */
export const WRITE_MS = 1_000
/** ms after which what other replicas added is looked for */
export const FRESH_MS = 2_000
/** orgs of one write, so that it takes a few ms at most; the others follow with the next one */
export const WRITE_ORGS = 500
/** orgs that may wait to be written while the database is away */
export const MAX_PENDING = 100_000
export const MAX_KNOWN = 10_000

/** An org's sum as the database had it last. */
export interface Known {
  /** days since the epoch, UTC */
  readonly day: number
  readonly tokens: number
  /** monotonic ms */
  readonly readAt: number
}

/** Tokens that are not in the database yet. */
export interface Added {
  readonly day: number
  readonly orgId: string
  tokens: number
}

export const keyOf = (day: number, orgId: string): string => `${day} ${orgId}`
