import type { Clock } from '../../core/clock.js'
import { type Runner, statement } from '../../core/postgres/statement.js'
import { MOST_NOTICES, NoticeOwner } from '../database/notice-owner.js'
import type { Notice, PendingNotification } from '../journal.js'
import { noticeValues } from '../notice-rows.js'

const SQL = {
  insert: statement('INSERT INTO notifications VALUES ($1, $2, $3, 0, $4) ON CONFLICT (id) DO NOTHING'),
  bound: statement(`
    DELETE FROM notifications WHERE id IN (SELECT id FROM notifications ORDER BY at DESC OFFSET ${MOST_NOTICES})`),
  delete: statement('DELETE FROM notifications WHERE id = $1'),
  touch: statement('UPDATE notifications SET stamp = stamp + 1 WHERE owner = $1'),
  free: statement('UPDATE notifications SET owner = NULL WHERE owner = $1'),
  all: statement('SELECT id, owner, stamp, transition_values FROM notifications ORDER BY at, id'),
  /** Nothing where another was faster. */
  take: statement('UPDATE notifications SET owner = $1, stamp = stamp + 1 WHERE id = $2 AND stamp = $3'),
} as const

/**
 * Notifications on their way, beside the journal. Each belongs to the start of a process that sends it (`owner`), or to nobody once that
 * one has stopped. The caller sees to transactions.
 */
export class NotificationOutbox {
  readonly #owner: NoticeOwner

  constructor(clock: Clock, self: { readonly replica: string; readonly nonce: string }) {
    this.#owner = new NoticeOwner(clock, self)
  }

  async keep(runner: Runner, id: string, notice: Notice): Promise<void> {
    const values = noticeValues(notice)
    if (values === undefined) return
    await runner.change(SQL.insert, [id, Math.round(notice.at), this.#owner.name, values])
    await runner.change(SQL.bound, [])
  }

  /** From now on nobody here sends it again; `delete` removes it from the database. */
  acknowledge(id: string): void {
    this.#owner.acknowledge(id)
  }

  async delete(runner: Runner, id: string): Promise<void> {
    await runner.change(SQL.delete, [id])
    this.#owner.deleted(id)
  }

  /** Ours are anybody's from now on. */
  async free(runner: Runner): Promise<void> {
    await runner.change(SQL.free, [this.#owner.name])
  }

  /** What is claimable, which is ours from now on. */
  async claim(runner: Runner): Promise<PendingNotification[]> {
    const owner = this.#owner
    await runner.change(SQL.touch, [owner.name])
    const claimed: PendingNotification[] = []
    for (const { id, stamp, isOwn, notice } of owner.claimable(await runner.rows(SQL.all, [])))
      if (notice === undefined) await runner.change(SQL.delete, [id])
      else if (isOwn || (await runner.change(SQL.take, [owner.name, id, stamp])) === 1)
        claimed.push({ id, notice })
    return claimed
  }
}
