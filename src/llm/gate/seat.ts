import type { FailedRequest } from './next-step.js'

/** A turn that may ask `endpoint` now. It says what came of it, and leaves, whatever happened. */
export interface Seat {
  readonly kind: 'seat'
  readonly endpoint: string
  /** first content came */
  content(): void
  /** the whole answer came */
  answered(): void
  failed(failed: FailedRequest): void
  /** Gives the place back. Once is enough. */
  leave(): void
}

/**
 * Nothing is sent. `full`: all places of the route are taken and as many turns wait as may, or the time to wait is over;
 * `resting`: all endpoints rest, `last` is how one of them failed; `left`: the turn gave up.
 */
export interface Refusal {
  readonly kind: 'refused'
  readonly why: 'full' | 'resting' | 'left'
  readonly last?: FailedRequest
}

/** A turn at the gate. */
export interface Entry {
  /** what is known at once; undefined for a turn that waits */
  readonly now: Seat | Refusal | undefined
  /** never rejects, and ends within the time the turn may wait */
  readonly seat: Promise<Seat | Refusal>
  /** The turn gives up, wherever it is. */
  leave(): void
}

/** The entry of a turn that does not wait. */
export function atOnce(end: Seat | Refusal): Entry {
  return {
    now: end,
    seat: Promise.resolve(end),
    leave: () => {
      if (end.kind === 'seat') end.leave()
    },
  }
}
