/** A session's reservation as it is read. */
export interface SeenReservation {
  readonly sessionId: string
  readonly messageId: string
  /** another at each renewal */
  readonly stamp: number
  readonly stopRequested: boolean
}

interface Sight {
  readonly messageId: string
  readonly stamp: number
  /** monotonic ms since which it is unchanged, by our eyes */
  readonly since: number
  /** monotonic ms since which it is unchanged with a stop mark */
  readonly stopSince: number | undefined
}

/** sights kept: far more than a fleet runs turns. Beyond it the first one makes room; its time starts again when it is next seen. */
const MAX_SIGHTS = 100_000

/** A fifth of the reservation (3 s of 15 s): a replica looks for marks each second, and obeys at once. */
const STOP_SHARE = 1 / 5

/**
 * Judges by this process's own monotonic clock whether the replica that runs a turn is gone: its reservation was unchanged
 * for as long as it lasts, or it left a stop mark alone. Wall clocks jump, so they decide nothing. Pure.
 */
export class ReservationWatch {
  #sights = new Map<string, Sight>()

  /** @param reservationMs how long a reservation holds without a renewal */
  constructor(private readonly reservationMs: number) {}

  /** All there are now: those that went are forgotten. */
  seeAll(reservations: readonly SeenReservation[], now: number): void {
    const sights = new Map<string, Sight>()
    for (const reservation of reservations)
      sights.set(reservation.sessionId, sightOf(reservation, this.#sights.get(reservation.sessionId), now))
    this.#sights = sights
  }

  /** One of them as it is read, or as we just wrote it. */
  see(reservation: SeenReservation, now: number): void {
    const { sessionId } = reservation
    this.#sights.set(sessionId, sightOf(reservation, this.#sights.get(sessionId), now))
    if (this.#sights.size <= MAX_SIGHTS) return
    for (const first of this.#sights.keys()) {
      this.#sights.delete(first)
      return
    }
  }

  forget(sessionId: string): void {
    this.#sights.delete(sessionId)
  }

  /**
   * It holds nothing any more. One that is seen for the first time holds, unless it is known otherwise for how long it is unchanged.
   * @param unchangedMs ms for which it is known to be unchanged, with its stop mark
   */
  isOver(reservation: SeenReservation, now: number, unchangedMs = 0): boolean {
    this.see(reservation, now)
    const sight = this.#sights.get(reservation.sessionId)
    const since = sight?.since ?? now
    const stopSince = sight?.stopSince ?? now
    if (Math.max(now - since, unchangedMs) >= this.reservationMs) return true
    const markedMs = reservation.stopRequested ? Math.max(now - stopSince, unchangedMs) : 0
    return markedMs >= this.reservationMs * STOP_SHARE
  }
}

function sightOf(
  { messageId, stamp, stopRequested }: SeenReservation,
  before: Sight | undefined,
  now: number,
): Sight {
  const same = before?.messageId === messageId && before.stamp === stamp ? before : undefined
  return {
    messageId,
    stamp,
    since: same?.since ?? now,
    stopSince: stopRequested ? (same?.stopSince ?? now) : undefined,
  }
}
