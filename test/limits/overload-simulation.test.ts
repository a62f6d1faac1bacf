import { expect } from 'chai'
import { createFairPlaces } from '../../src/limits/fair-places.js'
import { afterLook, NO_OVERLOAD, type Overload } from '../../src/limits/overload-state.js'
import { manualClock } from '../support/manual-clock.js'

/**
 * A process with one thread in simulated time: a turn costs CPU at its start and with each of its events, a refusal a little. What is due
 * and not done yet is the delay of its event loop.
 */
const MAX_STREAMS = 20_000
const START_MS = 2
const EVENT_MS = 0.1
const EVENTS = 20
const EVENT_EVERY_MS = 50
const REFUSAL_MS = 0.15
const STEP_MS = 5
const LOOK_MS = 200
/** turns a second that it can serve: 1,000 ms of CPU over that of a turn */
const CAPACITY = 1000 / (START_MS + EVENTS * EVENT_MS)

interface Run {
  /** complete turns a second, of those that began after the first ten seconds */
  readonly goodput: number
  readonly p99: number
  readonly highest: number
}

async function run(perSecond: number, seconds: number): Promise<Run> {
  const clock = manualClock()
  let state: Overload = NO_OVERLOAD
  /** ms of CPU that is due */
  let backlog = 0
  let open = 0
  let highest = 0
  const delays: number[] = []
  const times: number[] = []
  const places = createFairPlaces({
    clock,
    capacity: () => {
      const borne = state.kind === 'sheds' ? state.places : MAX_STREAMS
      return { places: state.level === 4 ? borne : MAX_STREAMS, newPlaces: borne }
    },
  })
  const runTurn = (askedAt: number, giveBack: () => void): void => {
    open += 1
    backlog += START_MS
    let left = EVENTS
    const event = (): void => {
      backlog += EVENT_MS
      left -= 1
      if (left > 0) {
        clock.schedule(EVENT_EVERY_MS, event)
        return
      }
      // What is due before it is done first.
      clock.schedule(backlog, () => {
        open -= 1
        if (askedAt >= WARM_MS) times.push(clock.monotonic() - askedAt)
        giveBack()
      })
    }
    clock.schedule(backlog + EVENT_EVERY_MS, event)
  }
  let arrivals = 0
  let lookAt = LOOK_MS
  while (clock.monotonic() < seconds * 1000) {
    const now = clock.monotonic()
    for (arrivals += (perSecond * STEP_MS) / 1000; arrivals >= 1; arrivals -= 1)
      void places.take({ orgId: 'a', weight: 1, kind: 'new' }).then((giveBack) => {
        if (giveBack === undefined) backlog += REFUSAL_MS
        else runTurn(now, giveBack)
      })
    await new Promise<void>((resolve) => setImmediate(resolve))
    clock.advance(STEP_MS)
    backlog = Math.max(0, backlog - STEP_MS)
    delays.push(backlog)
    if (clock.monotonic() < lookAt) continue
    lookAt += LOOK_MS
    const delayMs = delays.reduce((sum, one) => sum + one, 0) / delays.length
    delays.length = 0
    const look = { at: clock.monotonic(), delayMs, open, maxStreams: MAX_STREAMS, limitMs: 100 }
    state = afterLook(state, look)
    highest = Math.max(highest, state.level)
    places.fill()
  }
  times.sort((a, b) => a - b)
  return {
    goodput: times.length / (seconds - WARM_MS / 1000),
    p99: times[Math.floor(times.length * 0.99)] ?? Number.NaN,
    highest,
  }
}

const WARM_MS = 10_000
const SECONDS = 40

describe('a process with more to do than it can, in simulated time', () => {
  it('serves at three times its rate nine tenths of what it can, in half as much again of the time', async function () {
    this.timeout(60_000)
    const peak = await run(0.95 * CAPACITY, SECONDS)
    expect(peak.highest).to.be.at.most(2)
    const beyond = await run(3 * CAPACITY, SECONDS)
    expect(beyond.highest).to.be.at.least(3)
    expect(beyond.goodput / peak.goodput).to.be.at.least(0.9)
    expect(beyond.p99 / peak.p99).to.be.at.most(1.5)
  })
})
