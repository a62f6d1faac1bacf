import type { Clock } from '../../core/clock.js'
import type { Notice } from '../journal.js'
import { noticeOf } from '../notice-rows.js'

/** notifications kept at most; beyond that the oldest go */
export const MOST_NOTICES = 1_000
/** ms without a sign of life of a notification's sender after which another takes it over */
const ABANDONED_MS = 180_000
/** between the name of a replica and the nonce of its start */
const SEPARATOR = '\n'

/** A kept notification that this process may send. */
export interface ClaimableNotice {
  readonly id: string
  readonly stamp: number
  readonly isOwn: boolean
  /** undefined for what this version does not understand */
  readonly notice: Notice | undefined
}

/** Which of the kept notifications are this process's to send. */
export class NoticeOwner {
  /** of this start of this replica */
  readonly name: string
  /** acknowledged, but not yet deleted from the database */
  readonly #acknowledged = new Set<string>()
  /** when, by our own monotonic clock, another's notification was first seen as it is */
  #seen = new Map<string, { readonly stamp: number; readonly since: number }>()

  constructor(
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly self: { readonly replica: string; readonly nonce: string },
  ) {
    this.name = `${self.replica}${SEPARATOR}${self.nonce}`
  }

  /** It is not claimable from now on. */
  acknowledge(id: string): void {
    this.#acknowledged.add(id)
  }

  deleted(id: string): void {
    this.#acknowledged.delete(id)
  }

  /**
   * Ours, those of nobody, of an earlier start of this replica, and of one that gives no sign of life.
   * @param rows all there are: `[id, owner, stamp, values]`
   */
  claimable(rows: readonly (readonly unknown[])[]): ClaimableNotice[] {
    const now = this.clock.monotonic()
    const seen = new Map<string, { readonly stamp: number; readonly since: number }>()
    const found: ClaimableNotice[] = []
    for (const [key, owner, given, values] of rows) {
      const id = String(key)
      const stamp = Number(given)
      if (this.#acknowledged.has(id)) continue
      const before = this.#seen.get(id)
      const sight = before?.stamp === stamp ? before : { stamp, since: now }
      const isOwn = owner === this.name
      // Kept for a claimable one too: the claim may fail, and is then tried again.
      if (!isOwn) seen.set(id, sight)
      if (isOwn || this.#isFree(owner, now - sight.since))
        found.push({ id, stamp, isOwn, notice: noticeOf(values) })
    }
    this.#seen = seen
    return found
  }

  #isFree(owner: unknown, unchangedMs: number): boolean {
    if (typeof owner !== 'string' || unchangedMs >= ABANDONED_MS) return true
    return owner.split(SEPARATOR)[0] === this.self.replica
  }
}
