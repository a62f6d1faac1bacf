import type { PgRow } from '../../core/postgres/statement.js'

/** The state of a row: any change of it gives another. */
export interface RowVersion {
  /** names one run of the server that gave it; only compared for equality, so no clock decides */
  readonly server: string
  /** the lower 32 bits of the transaction that wrote it */
  readonly transaction: number
}

/** Which transactions had ended, by `pg_current_snapshot()` of one server. */
interface Snapshot {
  /** monotonic ms of this process, after the server took it */
  readonly at: number
  readonly server: string
  /** all before it had ended */
  readonly from: number
  /** none from here on had ended */
  readonly to: number
  /** between both, had not ended */
  readonly running: ReadonlySet<number>
}

/** An older snapshot proves nothing: the lower bits of a transaction must mean one transaction only, so fewer than 2^31 may have followed. */
const MAX_AGE_MS = 3_600_000

/**
 * Tells for how long a row is unchanged, whichever row, without reading it again and again: a row version whose transaction had ended
 * in a snapshot of some seconds ago was there then, and is there now. Ages are by this process's own monotonic clock. A server
 * that started again (also by itself, after a crash), or another that took over, may use the numbers of lost transactions once more, so its rows are compared with its own
 * snapshots alone. Pure.
 */
export class Snapshots {
  /** the newest last */
  #kept: readonly Snapshot[] = []

  /** @param longestMs ages beyond this one are all the same */
  constructor(private readonly longestMs: number) {}

  /** @param row of SQL.snapshot: server, `pg_current_snapshot()` as text; a row that is read after `now` may be judged by it */
  see([server, text]: PgRow, now: number): void {
    const [from, to, running = ''] = String(text).split(':')
    if (!to) return
    const ids = running === '' ? [] : running.split(',').map(Number)
    const newest = {
      at: now,
      server: String(server),
      from: Number(from),
      to: Number(to),
      running: new Set(ids),
    }
    const old = this.#kept.filter(({ at }) => now - at >= this.longestMs).length
    this.#kept = [...this.#kept.slice(Math.max(0, old - 1)), newest]
  }

  /** ms for which the row has had this version at least; 0 where nothing proves more. */
  unchangedMs({ server, transaction }: RowVersion, now: number): number {
    const proof = this.#kept.find(
      (one) => one.server === server && now - one.at < MAX_AGE_MS && hadEnded(one, transaction),
    )
    return proof === undefined ? 0 : now - proof.at
  }
}

function hadEnded({ from, to, running }: Snapshot, transaction: number): boolean {
  // The difference of the lower 32 bits, with its sign.
  const before = (to - transaction) | 0
  const id = to - before
  return before > 0 && (id < from || !running.has(id))
}
