import type { Clock } from '../../core/clock.js'
import type { SqliteDatabase, SqlStatement } from '../../core/sqlite/sqlite.js'
import type { Notice, PendingNotification } from '../journal.js'
import { noticeOf, noticeValues } from '../notice-rows.js'

/** notifications kept at most; beyond that the oldest go */
const MAX_KEPT = 1_000
/** ms without a sign of life of a notification's sender after which another takes it over */
const ABANDONED_MS = 180_000
/** between the name of a replica and the nonce of its start */
const SEPARATOR = '\n'

/**
 * Notifications on their way, in the journal's file. Each belongs to the start of a process that sends it (`owner`), or to
 * nobody once that one has stopped. The caller sees to transactions.
 */
export class NotificationOutbox {
  readonly #insert: SqlStatement
  readonly #bound: SqlStatement
  readonly #delete: SqlStatement
  readonly #touch: SqlStatement
  readonly #free: SqlStatement
  readonly #all: SqlStatement
  readonly #take: SqlStatement
  readonly #owner: string
  /** acknowledged, but not yet deleted from the file */
  readonly #acknowledged = new Set<string>()
  /** when, by our own monotonic clock, another's notification was first seen as it is */
  #seen = new Map<string, { readonly stamp: number; readonly since: number }>()

  constructor(
    database: SqliteDatabase,
    private readonly clock: Clock,
    private readonly self: { readonly replica: string; readonly nonce: string },
  ) {
    this.#owner = `${self.replica}${SEPARATOR}${self.nonce}`
    this.#insert = database.prepare(
      'INSERT OR IGNORE INTO notifications (id, at, owner, stamp, transition_values) VALUES (?, ?, ?, 0, ?)',
    )
    this.#bound = database.prepare(
      `DELETE FROM notifications WHERE id IN (SELECT id FROM notifications ORDER BY at DESC LIMIT -1 OFFSET ${MAX_KEPT})`,
    )
    this.#delete = database.prepare('DELETE FROM notifications WHERE id = ?')
    this.#touch = database.prepare('UPDATE notifications SET stamp = stamp + 1 WHERE owner = ?')
    this.#free = database.prepare('UPDATE notifications SET owner = NULL WHERE owner = ?')
    this.#all = database.prepare(
      'SELECT id, owner, stamp, transition_values FROM notifications ORDER BY at, id',
    )
    this.#take = database.prepare('UPDATE notifications SET owner = ?, stamp = stamp + 1 WHERE id = ?')
  }

  keep(id: string, notice: Notice): void {
    const values = noticeValues(notice)
    if (values === undefined) return
    this.#insert.run(id, Math.round(notice.at), this.#owner, values)
    this.#bound.run()
  }

  /** From now on nobody here sends it again; `delete` removes it from the file. */
  acknowledge(id: string): void {
    this.#acknowledged.add(id)
  }

  delete(id: string): void {
    this.#delete.run(id)
    this.#acknowledged.delete(id)
  }

  /** A sign of life for all of ours. */
  touch(): void {
    this.#touch.run(this.#owner)
  }

  /** Ours are anybody's from now on. */
  free(): void {
    this.#free.run(this.#owner)
  }

  /** Ours, and from now on those of nobody, of an earlier start of this replica, and of one that gives no sign of life. */
  claim(): PendingNotification[] {
    const now = this.clock.monotonic()
    const seen = new Map<string, { readonly stamp: number; readonly since: number }>()
    const claimed: PendingNotification[] = []
    for (const [id, owner, stamp, values] of this.#all.all()) {
      const key = String(id)
      if (this.#acknowledged.has(key)) continue
      const before = this.#seen.get(key)
      const sight =
        before !== undefined && before.stamp === stamp ? before : { stamp: Number(stamp), since: now }
      if (owner !== this.#owner && !this.#isFree(owner, now - sight.since)) {
        seen.set(key, sight)
        continue
      }
      const notice = noticeOf(values)
      if (notice === undefined) this.#delete.run(key)
      else {
        if (owner !== this.#owner) this.#take.run(this.#owner, key)
        claimed.push({ id: key, notice })
      }
    }
    this.#seen = seen
    return claimed
  }

  #isFree(owner: unknown, unchangedMs: number): boolean {
    if (typeof owner !== 'string' || unchangedMs >= ABANDONED_MS) return true
    return owner.split(SEPARATOR)[0] === this.self.replica
  }
}
