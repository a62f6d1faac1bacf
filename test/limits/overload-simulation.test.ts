import { expect } from 'chai'
import { createFairPlaces } from '../../src/limits/fair-places.js'
import { afterLook, NO_OVERLOAD, type Overload } from '../../src/limits/overload-state.js'
import { createStartPace } from '../../src/limits/start-pace.js'
import { simulateLoop } from '../support/simulated-loop.js'

/**
 * A process in simulated time: each request costs CPU to be read, a refusal a little more. One that is not refused at once costs the way
 * through the middleware, whatever becomes of it; a turn costs CPU at its start, with the head of its answer, with each event, and at its
 * end.
 */
const MAX_STREAMS = 20_000
const READ_MS = 0.06
const REFUSAL_MS = 0.02
const WAY_MS = 0.4
const START_MS = 0.4
const HEAD_MS = 0.2
const EVENT_MS = 0.05
const END_MS = 0.2
const UPSTREAM_MS = 2
const LOOK_MS = 200

interface Turn {
  readonly events: number
  readonly everyMs: number
}
/** half a second, as that of `npm run bench -- overload` */
const SHORT: Turn = { events: 10, everyMs: 50 }
/** ten seconds: most of what it costs comes long after its start */
const LONG: Turn = { events: 200, everyMs: 50 }

/** turns a second that it can serve: 1,000 ms of CPU over that of a turn */
const capacityFor = ({ events }: Turn): number =>
  1000 / (READ_MS + WAY_MS + START_MS + HEAD_MS + events * EVENT_MS + END_MS)

interface Run {
  /** complete turns a second, from `from` on */
  readonly goodput: number
  /** ms of turns that began from `from` on */
  readonly p99: number
  readonly highest: number
  readonly refused: number
}

/**
 * @param from ms, measured from here on
 * @param burst turns at the same instant, a second after the start
 * @param stall for so many ms nothing goes on, from `from` on
 */
async function run(
  turn: Turn,
  perSecond: number,
  seconds: number,
  from: number,
  { burst = 0, stall = 0 } = {},
): Promise<Run> {
  const loop = simulateLoop()
  let state: Overload = NO_OVERLOAD
  let open = 0
  let [highest, refused, turnedAway, done] = [0, 0, 0, 0]
  const times: number[] = []
  const places = createFairPlaces({
    clock: loop.clock,
    pace: createStartPace(loop.afterRound),
    capacity: () => {
      const borne = state.kind === 'sheds' ? state.places : MAX_STREAMS
      return { places: state.level === 4 ? borne : MAX_STREAMS, newPlaces: borne }
    },
  })
  const runTurn = (askedAt: number, giveBack: () => void): void => {
    open += 1
    loop.work(START_MS)
    let sent = 0
    let headAt = 0
    // The upstream keeps its pace, however late its events are read.
    const nextEvent = (): void => loop.arrives(headAt + (sent + 1) * turn.everyMs - loop.now(), event)
    const event = (): void => {
      // One read takes all that has come.
      do {
        loop.work(EVENT_MS)
        sent += 1
      } while (sent < turn.events && headAt + (sent + 1) * turn.everyMs <= loop.now())
      if (sent < turn.events) {
        nextEvent()
        return
      }
      loop.work(END_MS)
      open -= 1
      giveBack()
      if (loop.now() >= from) done += 1
      if (askedAt >= from) times.push(loop.now() - askedAt)
    }
    loop.arrives(UPSTREAM_MS, () => {
      headAt = loop.now()
      loop.work(HEAD_MS)
      nextEvent()
    })
  }
  const ask = (askedAt: number): void => {
    loop.work(READ_MS)
    const asking = { orgId: 'a', weight: 1, kind: 'new' } as const
    const refuse = (): void => {
      loop.work(REFUSAL_MS)
      if (open < MAX_STREAMS) turnedAway += 1
      if (askedAt >= from) refused += 1
    }
    if ((state.level >= 3 || places.holdsBack) && places.wouldRefuse(asking)) {
      refuse()
      return
    }
    loop.work(WAY_MS)
    void places.take(asking).then((giveBack) => {
      if (giveBack !== undefined) return runTurn(askedAt, giveBack)
      refuse()
    })
  }
  // A second in advance, so that the load waits for nothing.
  const comeFrom = (second: number): void => {
    for (let turn = 0; turn < perSecond; turn += 1) {
      const at = second * 1000 + ((turn + jitter(second * perSecond + turn)) * 1000) / perSecond
      loop.arrives(at - loop.now(), () => ask(at))
    }
    loop.arrives((second - 1) * 1000 - loop.now(), () => comeFrom(second + 1))
  }
  comeFrom(0)
  for (let turn = 0; turn < burst; turn += 1) loop.arrives(1_000, () => ask(1_000))
  if (stall > 0) loop.arrives(from, () => loop.work(stall))
  const look = (): void => {
    const seen = { at: loop.now(), delayMs: loop.delayMs(), open, maxStreams: MAX_STREAMS, turnedAway }
    turnedAway = 0
    state = afterLook(state, { ...seen, limitMs: 100 })
    highest = Math.max(highest, state.level)
    places.fill()
    loop.clock.schedule(LOOK_MS, look)
  }
  loop.clock.schedule(LOOK_MS, look)
  await loop.runUntil(seconds * 1000)
  times.sort((a, b) => a - b)
  return {
    goodput: done / (seconds - from / 1000),
    p99: times[Math.floor(times.length * 0.99)] ?? Number.NaN,
    highest,
    refused,
  }
}

/** 0 to 1, the same in each run */
const jitter = (turn: number): number => (Math.imul(Math.round(turn) + 1, 0x9e3779b1) >>> 0) / 2 ** 32

describe('a process with more to do than it can, in simulated time', function () {
  this.timeout(60_000)
  const capacity = capacityFor(SHORT)

  it('serves at three times its rate nine tenths of what it can, in a quarter more of the time', async () => {
    const peak = await run(SHORT, 0.95 * capacity, 16, 1_000)
    expect(peak.highest).to.be.at.most(2)
    expect(peak.refused).to.equal(0)
    const beyond = await run(SHORT, 3 * capacity, 16, 1_000)
    expect(beyond.highest).to.equal(3)
    expect(beyond.goodput / peak.goodput).to.be.at.least(0.9)
    expect(beyond.p99 / peak.p99).to.be.at.most(1.25)
  })

  it('keeps to that from the first turn on, and where it is asked for little more than it can', async () => {
    const peak = await run(SHORT, 0.95 * capacity, 8, 0)
    for (const times of [1.2, 3]) {
      const beyond = await run(SHORT, times * capacity, 8, 0)
      expect(beyond.goodput / peak.goodput, `${times} ×`).to.be.at.least(0.85)
      expect(beyond.p99 / peak.p99, `${times} ×`).to.be.at.most(1.5)
    }
  })

  it('serves a burst of two fifths of a second in full', async () => {
    for (const seconds of [0.2, 0.4]) {
      const burst = await run(SHORT, 5, 8, 0, { burst: Math.floor(capacity * seconds) })
      expect([burst.refused, burst.highest], `${seconds} s`).to.deep.equal([0, 0])
    }
  })

  it('is soon back at what it can after a pause of more than half a second', async () => {
    const peak = await run(SHORT, 0.95 * capacity, 8, 2_000)
    const beyond = await run(SHORT, 3 * capacity, 8, 2_000, { stall: 600 })
    // A tenth of the time is the pause itself.
    expect(beyond.goodput / peak.goodput).to.be.at.least(0.8)
  })

  it('holds the streams back where turns cost most of their time after their beginning', async () => {
    const most = capacityFor(LONG)
    const beyond = await run(LONG, 3 * most, 60, 30_000)
    expect(beyond.highest).to.be.at.least(3)
    expect(beyond.p99 / (LONG.events * LONG.everyMs)).to.be.at.most(1.25)
  })
})
