import { type Greyness, GreyRuntime, grey, type Setting, type Tripped } from './grey-runtime.js'
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

interface Starts {
  readonly count: number
  /** each start reads what the process before it kept, which ran for `LEARNED` turns; else it knows nothing */
  readonly kept?: boolean
  readonly guardrails?: Setting['guardrails']
}

/** Of so many starts: those that trip in their first `LEARNED` turns. */
export function coldTrips(firstSeed: number, traffic: Traffic, greyness: Greyness, starts: Starts): number {
  let count = 0
  for (let seed = firstSeed; seed < firstSeed + starts.count; seed += 1) {
    const runtime = started(seed, traffic, greyness, starts)
    runtime.greyness = greyness
    while (runtime.turns < LEARNED) {
      if (runtime.run(runtime.now + 60_000) === undefined) continue
      count += 1
      break
    }
  }
  return count
}

function started(
  seed: number,
  traffic: Traffic,
  before: Greyness,
  { kept = false, guardrails }: Omit<Starts, 'count'>,
): GreyRuntime {
  const setting = { seed, traffic, ...(guardrails === undefined ? {} : { guardrails }) }
  if (!kept) return new GreyRuntime(setting)
  const earlier = new GreyRuntime({ ...setting, seed: -seed })
  earlier.greyness = before
  earlier.learn(LEARNED)
  return new GreyRuntime({ ...setting, kept: earlier.usual })
}

/** How long it takes a process that has just started, with what was kept, beside a runtime that has become another meanwhile. */
export function timeToTripAtStart(
  seed: number,
  traffic: Traffic,
  [before, after]: readonly [Greyness, Greyness],
  hours = 6,
): Tripped | undefined {
  const runtime = started(seed, traffic, before, { kept: true })
  runtime.greyness = after
  return runtime.run(runtime.now + hours * HOUR_MS)
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
