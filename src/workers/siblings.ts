import type { Clock, Timer } from '../core/clock.js'
import { mergeExpositions } from './merge-expositions.js'
import { type FromWorker, readFromPrimary } from './messages.js'

type Format = 'prometheus' | 'openmetrics'
type Exposition = (format?: Format) => Promise<{ readonly contentType: string; readonly body: string }>

/** ms the primary has to gather the metrics of all; then a worker tells its own alone */
const GATHER_MS = 2000

/** The channel from a worker to the primary. */
export interface WorkerChannel {
  send(message: FromWorker): void
  onMessage(listener: (message: unknown) => void): void
}

/** What one worker does with the others behind the same port. */
export interface Siblings {
  /** The metrics of all workers, whichever is asked. Also answers for its own when another is asked. */
  exposition(own: Exposition): Exposition
}

/** @param onStop the primary ends the workers */
export function joinSiblings(channel: WorkerChannel, clock: Clock, onStop: () => void): Siblings {
  let asks = 0
  let own: Exposition | undefined
  const waiting = new Map<number, (bodies: readonly string[]) => void>()

  channel.onMessage((raw) => {
    const message = readFromPrimary(raw)
    switch (message?.kind) {
      case 'stop':
        onStop()
        return
      case 'all_metrics':
        waiting.get(message.ask)?.(message.bodies)
        return
      case 'own_metrics':
        void tell(message.ask, message.format)
        return
      case undefined:
    }
  })

  /** Never rejects: one that cannot tell its own is left out. */
  async function tell(ask: number, format: Format): Promise<void> {
    try {
      const told = await own?.(format)
      if (told !== undefined) channel.send({ kind: 'metrics_told', ask, body: told.body })
    } catch {
      // The primary waits no longer than it says.
    }
  }

  function askAll(format: Format): Promise<readonly string[]> {
    asks += 1
    const ask = asks
    return new Promise((resolve) => {
      let timer: Timer | undefined
      const done = (bodies: readonly string[]): void => {
        timer?.cancel()
        waiting.delete(ask)
        resolve(bodies)
      }
      waiting.set(ask, done)
      timer = clock.schedule(GATHER_MS, () => done([]))
      channel.send({ kind: 'metrics_asked', ask, format })
    })
  }

  return {
    exposition(ownOne) {
      own = ownOne
      return async (format = 'prometheus') => {
        const bodies = await askAll(format)
        const mine = await ownOne(format)
        return bodies.length === 0 ? mine : { ...mine, body: mergeExpositions(bodies) }
      }
    },
  }
}
