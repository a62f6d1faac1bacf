import type { Clock, Timer } from '../../core/clock.js'
import type { PgRow, PgScalar } from '../../core/postgres/statement.js'
import { ReservationWatch, type SeenReservation } from '../reservation-watch.js'
import { type RowVersion, Snapshots } from './snapshots.js'

/** A turn that holds its session, be the reservation over or not. */
export interface Reservation extends SeenReservation {
  readonly releasing: boolean
  readonly version: RowVersion
}

/** snapshots in the time of one reservation */
const LOOKS = 15

/** Of `[session, message id, stamp, releasing, stop requested, server, transaction]`; undefined where the session is not held. */
export function reservationOf(row: PgRow | readonly (PgScalar | undefined)[]): Reservation | undefined {
  const [sessionId, messageId, stamp, releasing, stop, server, transaction] = row
  if (typeof sessionId !== 'string' || typeof messageId !== 'string') return undefined
  return {
    sessionId,
    messageId,
    stamp: Number(stamp),
    releasing: releasing === true,
    stopRequested: stop === true,
    version: { server: String(server), transaction: Number(transaction) },
  }
}

/**
 * Which reservations hold. Each second (a fifteenth of their time) it reads which transactions have ended, one row, however many turns run
 * elsewhere. So the turn of a replica that is gone is known to be over when somebody first asks for its session, as if all reservations had
 * been watched. Where the snapshots prove nothing (after a start, or a change of the server), the time counts from when it is first read.
 */
export class Reservations {
  readonly #watch: ReservationWatch
  readonly #snapshots: Snapshots
  #timer: Timer
  #looking: Promise<void> = Promise.resolve()
  #closed = false

  constructor(
    private readonly clock: Clock,
    private readonly reservationMs: number,
    private readonly snapshot: () => Promise<readonly PgRow[]>,
  ) {
    this.#watch = new ReservationWatch(reservationMs)
    this.#snapshots = new Snapshots(reservationMs)
    this.#timer = this.#later()
  }

  see(reservation: SeenReservation): void {
    this.#watch.see(reservation, this.clock.monotonic())
  }

  forget(sessionId: string): void {
    this.#watch.forget(sessionId)
  }

  /** The turn that holds the session; one whose replica is dead or cut off holds nothing. */
  live(running: Reservation | undefined): Reservation | undefined {
    if (running === undefined) return undefined
    const now = this.clock.monotonic()
    const unchangedMs = this.#snapshots.unchangedMs(running.version, now)
    return this.#watch.isOver(running, now, unchangedMs) ? undefined : running
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer.cancel()
    await this.#looking
  }

  #later(): Timer {
    return this.clock.schedule(this.reservationMs / LOOKS, () => {
      this.#looking = this.#look()
    })
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    try {
      for (const row of await this.snapshot()) this.#snapshots.see(row, this.clock.monotonic())
    } catch {
      // The next caller that needs the store reports it; what was seen before still counts.
    }
    if (!this.#closed) this.#timer = this.#later()
  }
}
