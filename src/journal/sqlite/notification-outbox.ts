import type { Clock } from '../../core/clock.js'
import type { SqliteDatabase, SqlStatement } from '../../core/sqlite/sqlite.js'
import { MOST_NOTICES, NoticeOwner } from '../database/notice-owner.js'
import type { Notice, PendingNotification } from '../journal.js'
import { noticeValues } from '../notice-rows.js'

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
  readonly #owner: NoticeOwner

  constructor(
    database: SqliteDatabase,
    clock: Clock,
    self: { readonly replica: string; readonly nonce: string },
  ) {
    this.#owner = new NoticeOwner(clock, self)
    this.#insert = database.prepare(
      'INSERT OR IGNORE INTO notifications (id, at, owner, stamp, transition_values) VALUES (?, ?, ?, 0, ?)',
    )
    this.#bound = database.prepare(
      `DELETE FROM notifications WHERE id IN (SELECT id FROM notifications ORDER BY at DESC LIMIT -1 OFFSET ${MOST_NOTICES})`,
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
    this.#insert.run(id, Math.round(notice.at), this.#owner.name, values)
    this.#bound.run()
  }

  /** From now on nobody here sends it again; `delete` removes it from the file. */
  acknowledge(id: string): void {
    this.#owner.acknowledge(id)
  }

  delete(id: string): void {
    this.#delete.run(id)
    this.#owner.deleted(id)
  }

  /** A sign of life for all of ours. */
  touch(): void {
    this.#touch.run(this.#owner.name)
  }

  /** Ours are anybody's from now on. */
  free(): void {
    this.#free.run(this.#owner.name)
  }

  /** What is claimable, which is ours from now on. */
  claim(): PendingNotification[] {
    const claimed: PendingNotification[] = []
    for (const { id, isOwn, notice } of this.#owner.claimable(this.#all.all()))
      if (notice === undefined) this.#delete.run(id)
      else {
        if (!isOwn) this.#take.run(this.#owner.name, id)
        claimed.push({ id, notice })
      }
    return claimed
  }
}
