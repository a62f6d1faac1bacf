import { type Greyness, GreyRuntime, grey, type Tripped } from './grey-runtime.js'
import type { Traffic } from './traffic.js'

const HOUR_MS = 3_600_000
/** executions after which what is usual is known well */
export const LEARNED = 600

export interface Calm {
  readonly hours: number
  readonly turns: number
  readonly trips: readonly Tripped[]
}

/** What trips in so many hours of a runtime that has been so for long. */
export function calm(seed: number, traffic: Traffic, greyness: Greyness, hours: number): Calm {
  const runtime = new GreyRuntime({ seed, traffic })
  runtime.greyness = greyness
  runtime.learn(LEARNED)
  const [from, turns] = [runtime.now, runtime.turns]
  const trips: Tripped[] = []
  for (;;) {
    const trip = runtime.run(from + hours * HOUR_MS)
    if (trip === undefined) return { hours, turns: runtime.turns - turns, trips }
    trips.push(trip)
  }
}

/** Of so many starts that know nothing yet: those that trip while they learn (an hour, or `LEARNED` turns, as they come). */
export function coldTrips(firstSeed: number, traffic: Traffic, greyness: Greyness, starts: number): number {
  let count = 0
  for (let seed = firstSeed; seed < firstSeed + starts; seed += 1) {
    const runtime = new GreyRuntime({ seed, traffic })
    runtime.greyness = greyness
    while (runtime.turns < LEARNED) {
      if (runtime.run(runtime.now + 60_000) === undefined) continue
      count += 1
      break
    }
  }
  return count
}

/** How long it takes from one instant to the next, at which the runtime becomes another; none within `hours`: undefined. */
export function timeToTrip(
  seed: number,
  traffic: Traffic,
  [before, after]: readonly [Greyness, Greyness],
  hours = 6,
): Tripped | undefined {
  const runtime = new GreyRuntime({ seed, traffic })
  runtime.greyness = before
  runtime.learn(LEARNED)
  // Somewhere within a burst of traffic, or between two.
  runtime.run(runtime.now + (seed % 97) * 7000)
  runtime.greyness = after
  return runtime.run(runtime.now + hours * HOUR_MS)
}

/** Executions alone are bad, and the probes are good: the machine has only the rates and the row. */
export const executionsOnly = (share: number, as: Greyness['as'] = 'error'): Greyness => ({
  ...grey(share, as),
  probes: 0,
})
