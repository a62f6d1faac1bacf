import type { Clock, Timer } from '../core/clock.js'
import type { SessionStore } from '../sessions/session-store.js'

export interface ReservationOptions {
  readonly clock: Clock
  readonly sessions: Pick<SessionStore, 'renew' | 'stopRequested'>
  readonly messageId: string
  /** ms between two renewals */
  readonly renewMs: number
  /** ms between two looks at the stop mark */
  readonly stopLookMs: number
  /** what the history keeps should this process die now */
  partialText(): string
  onStopRequested(): void
  /** Another replica took the session over. */
  onLost(): void
  /** The store failed; told once. The turn goes on, for the store may come back before the reservation runs out. */
  onFault(thrown: unknown): void
}

/** Instants within the time between two looks of one turn, at which the looks of all turns come */
const LOOK_PARTS = 4

/** Keeps the session of a running turn ours and notices a stop pressed elsewhere. Looks never overlap. */
export function holdReservation(options: ReservationOptions): { stop(): Promise<void> } {
  const { clock, sessions, messageId } = options
  /** by so much a look may come early */
  const spreadMs = options.stopLookMs / LOOK_PARTS
  let stopped = false
  let faultTold = false
  let renewAt = clock.monotonic() + options.renewMs
  let running = Promise.resolve()
  let timer: Timer

  const look = async (): Promise<void> => {
    try {
      const found = clock.monotonic() < renewAt - spreadMs ? await lookForStop() : await renew()
      if (stopped) return
      if (found === 'stop_requested') options.onStopRequested()
      if (found === 'lost') options.onLost()
    } catch (thrown) {
      if (!faultTold && !stopped) options.onFault(thrown)
      faultTold = true
    }
    if (!stopped) arm()
  }
  const lookForStop = async () => ((await sessions.stopRequested(messageId)) ? 'stop_requested' : 'held')
  const renew = () => {
    renewAt = clock.monotonic() + options.renewMs
    return sessions.renew(messageId, options.partialText())
  }
  // At instants that all turns have in common: a store renews then in one commit what it would in many.
  const arm = (): void => {
    const now = clock.monotonic()
    const at = Math.floor((now + options.stopLookMs) / spreadMs) * spreadMs
    timer = clock.schedule(at - now, () => {
      running = look()
    })
  }

  arm()
  return {
    /** No look starts any more; resolves when the last one ended, within the store's own deadline. */
    stop() {
      stopped = true
      timer.cancel()
      return running
    },
  }
}
