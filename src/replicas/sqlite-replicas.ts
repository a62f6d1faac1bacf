import type { Clock } from '../core/clock.js'
import type { BusyQueue } from '../core/sqlite/busy-queue.js'
import { databaseQueue } from '../core/sqlite/database-queue.js'
import { openSqlite, type SqliteDatabase, type SqliteSchema } from '../core/sqlite/sqlite.js'
import { type ReplicaNote, type ReplicaTable, type SeenReplica, seenOf } from './replicas.js'

const SCHEMA: SqliteSchema = {
  room: 'replicas',
  migrations: [
    `
    CREATE TABLE replicas (
      name TEXT PRIMARY KEY,
      first_seen INTEGER NOT NULL,
      last_seen INTEGER NOT NULL,
      version TEXT NOT NULL,
      state TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    `,
  ],
}

/** ms a call waits for a lock held by another process: a stop waits for two at most */
const LOCK_DEADLINE_MS = 250
/** one round at a time, and the last words of a stop */
const MAX_WAITING = 4

/** @throws SqliteOpenError when the file cannot be used */
export function openSqliteReplicas(path: string, clock: Clock): ReplicaTable {
  return new SqliteReplicas(openSqlite(path, SCHEMA), clock)
}

class SqliteReplicas implements ReplicaTable {
  readonly #database: SqliteDatabase
  readonly #queue: BusyQueue

  constructor(database: SqliteDatabase, clock: Clock) {
    this.#database = database
    this.#queue = databaseQueue(clock, { deadlineMs: LOCK_DEADLINE_MS, maxWaiting: MAX_WAITING })
  }

  async exchange(
    { name, version, state }: ReplicaNote,
    now: number,
    forgetBefore: number,
    limit: number,
  ): Promise<readonly SeenReplica[]> {
    const rows = await this.#queue.run(() =>
      this.#database.transaction(() => {
        this.#database
          .prepare(
            `INSERT INTO replicas (name, first_seen, last_seen, version, state) VALUES (?, ?, ?, ?, ?)
              ON CONFLICT (name) DO UPDATE SET
                last_seen = excluded.last_seen, version = excluded.version, state = excluded.state`,
          )
          .run(name, now, now, version, state)
        this.#database.prepare('DELETE FROM replicas WHERE last_seen < ?').run(forgetBefore)
        return this.#database
          .prepare(
            'SELECT name, first_seen, last_seen, version, state FROM replicas ORDER BY last_seen DESC, name LIMIT ?',
          )
          .all(limit)
      }),
    )
    return rows.flatMap((row) => seenOf(row) ?? [])
  }

  close(): void {
    this.#queue.close()
    this.#database.close()
  }
}
