import type { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.js'
import type { Logger } from '../core/logger.js'
import { createLru } from '../core/lru.js'

/** Tokens of the answers of each org in the present UTC day. */
export interface TokenUsage {
  /** Never throws, never waits. */
  add(orgId: string, tokens: number): void
  /** So far today, at once or when the database has answered; 0 where it does not. Never rejects. */
  used(orgId: string): number | Promise<number>
  close(): void | Promise<void>
}

export interface UsageDeps {
  readonly clock: Clock
  readonly logger: Logger
}

/** logged when the database fails */
export const DATABASE_AWAY = '[Limits] the tokens of the day wait in memory: the database is away'

const DAY_MS = 86_400_000
/** orgs remembered without a database */
const MAX_ORGS = 100_000

/** Days since the epoch, UTC. */
export const dayOf = (wallMs: number): number => Math.floor(wallMs / DAY_MS)

/** Whole seconds until the next day begins, at least one. */
export const secondsLeftToday = (wallMs: number): number =>
  Math.max(1, Math.ceil((DAY_MS - (wallMs % DAY_MS)) / 1000))

export function createMemoryUsage(clock: Clock): TokenUsage {
  const orgs = createLru<string, number>(MAX_ORGS)
  let day = dayOf(clock.wall())
  const today = (): LRUCache<string, number> => {
    const now = dayOf(clock.wall())
    if (now !== day) orgs.clear()
    day = now
    return orgs
  }
  return {
    add(orgId, tokens) {
      const counts = today()
      counts.set(orgId, (counts.get(orgId) ?? 0) + tokens)
    },
    used: (orgId) => today().get(orgId) ?? 0,
    close: () => undefined,
  }
}
