import type { Clock } from '../clock.js'
import { errorText } from '../errors.js'
import type { Logger } from '../logger.js'
import type { BusyQueue } from './busy-queue.js'
import { databaseQueue } from './database-queue.js'
import { openSqlite, type SqliteDatabase, type SqliteSchema } from './sqlite.js'

/** A text, and when it was good last: wall ms. */
export interface KeptText {
  readonly text: string
  readonly at: number
}

/** What was good last, by name: for a start at which its source is broken or away. */
export interface KeptTexts {
  /** Rejects while the database does not answer. */
  read(name: string): Promise<KeptText | undefined>
  /** Replaces what was kept. Never throws; what cannot be kept is logged. */
  keep(name: string, text: string): void
  close(): Promise<void>
}

export const SQLITE_TEXTS_SCHEMA: SqliteSchema = {
  room: 'kept',
  migrations: [
    'CREATE TABLE kept_texts (name TEXT PRIMARY KEY, text TEXT NOT NULL, at INTEGER NOT NULL) STRICT;',
  ],
}

/** ms a call waits for a lock held elsewhere */
const DEADLINE_MS = 1000
const MAX_WAITING = 16

/** @throws SqliteOpenError */
export function openKeptTexts(
  path: string,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): KeptTexts {
  return path === ':memory:'
    ? keptInMemory(clock)
    : new SqliteKeptTexts(openSqlite(path, SQLITE_TEXTS_SCHEMA), clock, logger)
}

function keptInMemory(clock: Clock): KeptTexts {
  const kept = new Map<string, KeptText>()
  return {
    read: async (name) => kept.get(name),
    keep: (name, text) => void kept.set(name, { text, at: clock.wall() }),
    close: async () => undefined,
  }
}

class SqliteKeptTexts implements KeptTexts {
  readonly #queue: BusyQueue

  constructor(
    private readonly database: SqliteDatabase,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    this.#queue = databaseQueue(clock, { deadlineMs: DEADLINE_MS, maxWaiting: MAX_WAITING })
  }

  async read(name: string): Promise<KeptText | undefined> {
    const row = await this.#queue.run(
      () => this.database.prepare('SELECT text, at FROM kept_texts WHERE name = ?').get(name),
      true,
    )
    return row === undefined ? undefined : { text: String(row[0]), at: Number(row[1]) }
  }

  keep(name: string, text: string): void {
    const at = Math.round(this.clock.wall())
    this.#queue
      .run(() =>
        this.database.prepare('INSERT OR REPLACE INTO kept_texts VALUES (?, ?, ?)').run(name, text, at),
      )
      .catch((thrown: unknown) =>
        this.logger.warn({ name, error: errorText(thrown) }, 'what was good last could not be kept'),
      )
  }

  async close(): Promise<void> {
    this.#queue.close()
    this.database.close()
  }
}
