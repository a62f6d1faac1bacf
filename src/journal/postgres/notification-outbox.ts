import type { Clock } from '../../core/clock.js'
import { type Runner, statement } from '../../core/postgres/statement.js'
import type { Notice, PendingNotification } from '../journal.js'
import { noticeOf, noticeValues } from '../notice-rows.js'

/** notifications kept at most; beyond that the oldest go */
const MAX_KEPT = 1_000
/** ms without a sign of life of a notification's sender after which another takes it over */
const ABANDONED_MS = 180_000
/** between the name of a replica and the nonce of its start */
const SEPARATOR = '\n'

const SQL = {
  insert: statement('INSERT INTO notifications VALUES ($1, $2, $3, 0, $4) ON CONFLICT (id) DO NOTHING'),
  bound: statement(`
    DELETE FROM notifications WHERE id IN (SELECT id FROM notifications ORDER BY at DESC OFFSET ${MAX_KEPT})`),
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
  readonly #owner: string
  /** acknowledged, but not yet deleted from the database */
  readonly #acknowledged = new Set<string>()
  /** when, by our own monotonic clock, another's notification was first seen as it is */
  #seen = new Map<string, { readonly stamp: number; readonly since: number }>()

  constructor(
    private readonly clock: Clock,
    private readonly self: { readonly replica: string; readonly nonce: string },
  ) {
    this.#owner = `${self.replica}${SEPARATOR}${self.nonce}`
  }

  async keep(runner: Runner, id: string, notice: Notice): Promise<void> {
    const values = noticeValues(notice)
    if (values === undefined) return
    await runner.change(SQL.insert, [id, Math.round(notice.at), this.#owner, values])
    await runner.change(SQL.bound, [])
  }

  /** From now on nobody here sends it again; `delete` removes it from the database. */
  acknowledge(id: string): void {
    this.#acknowledged.add(id)
  }

  async delete(runner: Runner, id: string): Promise<void> {
    await runner.change(SQL.delete, [id])
    this.#acknowledged.delete(id)
  }

  /** Ours are anybody's from now on. */
  async free(runner: Runner): Promise<void> {
    await runner.change(SQL.free, [this.#owner])
  }

  /** Ours, and from now on those of nobody, of an earlier start of this replica, and of one that gives no sign of life. */
  async claim(runner: Runner): Promise<PendingNotification[]> {
    await runner.change(SQL.touch, [this.#owner])
    const now = this.clock.monotonic()
    const seen = new Map<string, { readonly stamp: number; readonly since: number }>()
    const claimed: PendingNotification[] = []
    for (const [key, owner, given, values] of await runner.rows(SQL.all, [])) {
      const id = String(key)
      const stamp = Number(given)
      if (this.#acknowledged.has(id)) continue
      const before = this.#seen.get(id)
      const sight = before?.stamp === stamp ? before : { stamp, since: now }
      if (owner !== this.#owner && !this.#isFree(owner, now - sight.since)) {
        seen.set(id, sight)
        continue
      }
      const notice = noticeOf(values)
      if (notice === undefined) await runner.change(SQL.delete, [id])
      else if (owner === this.#owner || (await runner.change(SQL.take, [this.#owner, id, stamp])) === 1)
        claimed.push({ id, notice })
    }
    this.#seen = seen
    return claimed
  }

  #isFree(owner: unknown, unchangedMs: number): boolean {
    if (typeof owner !== 'string' || unchangedMs >= ABANDONED_MS) return true
    return owner.split(SEPARATOR)[0] === this.self.replica
  }
}
