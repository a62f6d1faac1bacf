import type { Clock, Timer } from '../../core/clock.js'
import type { PgRow, PgScalar } from '../../core/postgres/statement.js'
import { ReservationWatch, type SeenReservation } from '../reservation-watch.js'

/** A turn that holds its session, be the reservation over or not. */
export interface Reservation extends SeenReservation {
  readonly releasing: boolean
}

/** looks at all reservations in the time of one */
const LOOKS = 15

/** Of `[session, message id, stamp, releasing, stop requested]`; undefined where the session is not held. */
export function reservationOf(row: PgRow | readonly (PgScalar | undefined)[]): Reservation | undefined {
  const [sessionId, messageId, stamp, releasing, stop] = row
  if (typeof sessionId !== 'string' || typeof messageId !== 'string') return undefined
  return {
    sessionId,
    messageId,
    stamp: Number(stamp),
    releasing: releasing === true,
    stopRequested: stop === true,
  }
}

/**
 * Which reservations hold, by what this process saw of them. Looks at all of them each second (a fifteenth of their time), so that a
 * replica that is gone is noticed before anybody asks.
 */
export class Reservations {
  readonly #watch: ReservationWatch
  /** seen or forgotten while a look is under way: newer than what that will find */
  #meanwhile: Map<string, SeenReservation | undefined> | undefined
  #timer: Timer
  #looking: Promise<void> = Promise.resolve()
  #closed = false

  constructor(
    private readonly clock: Clock,
    private readonly reservationMs: number,
    private readonly all: () => Promise<readonly PgRow[]>,
  ) {
    this.#watch = new ReservationWatch(reservationMs)
    this.#timer = this.#later()
  }

  see(reservation: SeenReservation): void {
    this.#meanwhile?.set(reservation.sessionId, reservation)
    this.#watch.see(reservation, this.clock.monotonic())
  }

  forget(sessionId: string): void {
    this.#meanwhile?.set(sessionId, undefined)
    this.#watch.forget(sessionId)
  }

  /** The turn that holds the session; one whose replica is dead or cut off holds nothing. */
  live(running: Reservation | undefined): Reservation | undefined {
    if (running === undefined || this.#watch.isOver(running, this.clock.monotonic())) return undefined
    return running
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
    const meanwhile = new Map<string, SeenReservation | undefined>()
    this.#meanwhile = meanwhile
    try {
      const found = (await this.all()).flatMap((row) => reservationOf(row) ?? [])
      const unchanged = found.filter(({ sessionId }) => !meanwhile.has(sessionId))
      const newer = [...meanwhile.values()].flatMap((one) => one ?? [])
      this.#watch.seeAll([...unchanged, ...newer], this.clock.monotonic())
    } catch {
      // The next caller that needs the store reports it; what was seen before still counts.
    }
    this.#meanwhile = undefined
    if (!this.#closed) this.#timer = this.#later()
  }
}
