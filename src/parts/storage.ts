import { randomUUID } from 'node:crypto'
import type { Postgres } from '../core/postgres/postgres.js'
import { openPostgresKeptTexts } from '../core/postgres/postgres-kept-texts.js'
import { isPostgresUrl } from '../core/postgres/postgres-url.js'
import type { RedisLink } from '../core/redis/redis-link.js'
import { type KeptTexts, openKeptTexts } from '../core/sqlite/kept-texts.js'
import type { Journal } from '../journal/journal.js'
import { createMemoryJournal } from '../journal/memory/memory-journal.js'
import { openPostgresJournal } from '../journal/postgres/postgres-journal.js'
import { retentionFor, retentionForFleet, retentionInMemory } from '../journal/retention.js'
import { openSqliteJournal } from '../journal/sqlite/sqlite-journal.js'
import { createMemorySessionStore } from '../sessions/memory-session-store.js'
import { openPostgresSessionStore } from '../sessions/postgres/postgres-session-store.js'
import { createResilientSessionStore } from '../sessions/resilient-session-store.js'
import type { SessionStore } from '../sessions/session-store.js'
import { openSqliteSessionStore } from '../sessions/sqlite/sqlite-session-store.js'
import type { Surroundings } from './surroundings.js'

/** The path of the SQLite file, `:memory:`, or the PostgreSQL server, whose client only then is loaded. */
export async function openDatabase({ config, clock }: Surroundings): Promise<string | Postgres> {
  if (!isPostgresUrl(config.database)) return config.database
  const { openPostgres } = await import('../core/postgres/postgres.js')
  return openPostgres(config.database, { clock, limits: config.databaseLimits })
}

export const openKept = (
  database: string | Postgres,
  deps: Pick<Surroundings, 'clock' | 'logger'>,
): KeptTexts =>
  typeof database === 'string' ? openKeptTexts(database, deps) : openPostgresKeptTexts(database, deps)

export function openSessions(
  { config, clock, logger }: Surroundings,
  database: string | Postgres,
): SessionStore {
  const { historyBudget } = config
  const options = { clock, replica: config.replica, historyBudget }
  if (database === ':memory:') return createMemorySessionStore(options)
  const kept =
    typeof database === 'string'
      ? openSqliteSessionStore(database, { ...options, logger })
      : openPostgresSessionStore(database, { ...options, logger })
  return createResilientSessionStore(kept, { clock, logger, historyBudget })
}

/** Its client is half of all files of a start: loaded only where there is Redis. */
export async function openRedisLink({ config, clock, logger }: Surroundings): Promise<RedisLink | undefined> {
  const { redis: address } = config
  if (address === undefined) return undefined
  const [{ nodeRedis }, { openRedis }] = await Promise.all([
    import('../core/redis/node-redis.js'),
    import('../core/redis/open-redis.js'),
  ])
  return openRedis({ clock, logger, prefix: address.prefix, connect: () => nodeRedis(address) })
}

export function openJournal({ config, clock, logger }: Surroundings, database: string | Postgres): Journal {
  const { contentDays } = config.shadow
  const self = { replica: config.replica, nonce: randomUUID() }
  if (typeof database !== 'string')
    return openPostgresJournal(database, { clock, logger, retention: retentionForFleet(contentDays), self })
  return database === ':memory:'
    ? createMemoryJournal({ clock, retention: retentionInMemory(contentDays) })
    : openSqliteJournal(database, { clock, logger, retention: retentionFor(contentDays), self })
}
