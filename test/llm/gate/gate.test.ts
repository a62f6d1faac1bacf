import { expect } from 'chai'
import fc from 'fast-check'
import { LlmGate } from '../../../src/llm/gate/gate.js'
import type { FailedRequest } from '../../../src/llm/gate/next-step.js'
import type { Entry, Refusal, Seat } from '../../../src/llm/gate/seat.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'

type End = Seat | Refusal

const DOWN = { code: 'llm_unreachable' } as const

function gateOf(limits: Readonly<Record<string, number | undefined>>) {
  const clock = manualClock()
  const told: string[] = []
  const gate = new LlmGate(
    Object.entries(limits).map(([name, most]) => ({
      name,
      ...(most === undefined ? {} : { maxConcurrent: most }),
    })),
    {
      clock,
      onRest: (endpoint, forMs) => told.push(`${endpoint} rests ${forMs}`),
      onBack: (endpoint) => told.push(`${endpoint} is back`),
    },
  )
  return { gate, clock, told }
}

function seatOf(entry: Entry): Seat {
  if (entry.now?.kind !== 'seat') throw new Error(`no seat: ${JSON.stringify(entry.now)}`)
  return entry.now
}

function fail(gate: LlmGate, route: readonly string[], times: number, retryAfterMs?: number): void {
  for (let n = 0; n < times; n++) {
    const seat = seatOf(gate.enter(route, 1000))
    seat.failed(
      retryAfterMs === undefined ? DOWN : { code: 'llm_rate_limited', httpStatus: 429, retryAfterMs },
    )
    seat.leave()
  }
}

describe('the gate in front of the endpoints', () => {
  it('takes the first endpoint that has a place, then lets turns wait in their order', async () => {
    const { gate } = gateOf({ primary: 1, reserve: 1 })
    const route = ['primary', 'reserve']
    const first = seatOf(gate.enter(route, 1000))
    const second = seatOf(gate.enter(route, 1000))
    expect([first.endpoint, second.endpoint]).to.deep.equal(['primary', 'reserve'])
    const third = gate.enter(route, 1000)
    const fourth = gate.enter(route, 1000)
    expect([third.now, fourth.now]).to.deep.equal([undefined, undefined])
    second.leave()
    second.leave()
    expect(await third.seat).to.include({ kind: 'seat', endpoint: 'reserve' })
    expect(gate.waiting).to.equal(1)
    first.leave()
    expect(await fourth.seat).to.include({ kind: 'seat', endpoint: 'primary' })
  })

  it('refuses at once what is beyond the queue, and says when a place may be free', () => {
    const { gate, clock } = gateOf({ only: 2 })
    const slow = seatOf(gate.enter(['only'], 1000))
    clock.advance(3000)
    slow.leave()
    for (let n = 0; n < 6; n++)
      expect(gate.enter(['only'], 1000).now?.kind).to.equal(n < 2 ? 'seat' : undefined)
    expect(gate.enter(['only'], 1000).now).to.deep.equal({ kind: 'refused', why: 'full' })
    expect(gate.retryAfterSeconds(['only'])).to.equal(6)
  })

  it('lets nobody wait beyond its time', async () => {
    const { gate, clock } = gateOf({ only: 1 })
    seatOf(gate.enter(['only'], 1000))
    const waiting = gate.enter(['only'], 500)
    clock.advance(499)
    expect(gate.waiting).to.equal(1)
    clock.advance(1)
    expect(gate.waiting).to.equal(0)
    expect(await waiting.seat).to.deep.equal({ kind: 'refused', why: 'full' })
    expect(clock.pending()).to.equal(0)
  })

  it('lets go at once whoever gives up', async () => {
    const { gate, clock } = gateOf({ only: 1 })
    const holder = gate.enter(['only'], 1000)
    const waiting = gate.enter(['only'], 1000)
    waiting.leave()
    expect(await waiting.seat).to.deep.equal({ kind: 'refused', why: 'left' })
    expect([gate.waiting, clock.pending()]).to.deep.equal([0, 0])
    holder.leave()
    expect(gate.enter(['only'], 1000).now?.kind).to.equal('seat')
  })

  it('never lets a shadow wait or probe', () => {
    const { gate, clock } = gateOf({ only: 1 })
    const holder = seatOf(gate.enter(['only'], 1000))
    expect(gate.enter(['only'], 0).now).to.deep.equal({ kind: 'refused', why: 'full' })
    holder.leave()
    fail(gate, ['only'], 5)
    clock.advance(5000)
    expect(gate.enter(['only'], 0).now).to.deep.include({ kind: 'refused', why: 'resting' })
  })

  it('keeps a quarter of the places from shadows, at least one', () => {
    const seatsOfShadows = (most: number): number => {
      const { gate } = gateOf({ only: most })
      let seats = 0
      while (gate.enter(['only'], 0).now?.kind === 'seat') seats += 1
      expect(gate.enter(['only'], 1000).now?.kind).to.equal('seat')
      return seats
    }
    expect([1, 2, 3, 8, 20].map(seatsOfShadows)).to.deep.equal([0, 1, 2, 6, 15])
  })

  const nobodys: readonly [what: string, failed: FailedRequest][] = [
    ['what this machine lacks', { ...DOWN, ours: true }],
    ['requests that are too large', { code: 'llm_http_error', httpStatus: 413 }],
  ]
  for (const [what, failed] of nobodys)
    it(`does not let an endpoint rest for ${what}`, () => {
      const { gate } = gateOf({ only: undefined })
      for (let n = 0; n < 10; n++) {
        const seat = seatOf(gate.enter(['only'], 1000))
        seat.failed(failed)
        seat.leave()
      }
      expect(gate.state()).to.deep.equal([{ endpoint: 'only', requests: 0, resting: false }])
    })

  it('goes by Retry-After of a 429 alone: a 503 with it is a failure like any other', () => {
    const { gate } = gateOf({ only: undefined })
    const seat = seatOf(gate.enter(['only'], 1000))
    seat.failed({ code: 'llm_http_error', httpStatus: 503, retryAfterMs: 60_000 })
    seat.leave()
    expect(gate.state()).to.deep.equal([{ endpoint: 'only', requests: 0, resting: false }])
  })

  it('passes an endpoint that rests, probes it with one turn when the rest is over, and takes it back', () => {
    const { gate, clock, told } = gateOf({ primary: undefined, reserve: undefined })
    const route = ['primary', 'reserve']
    fail(gate, route, 5)
    expect(seatOf(gate.enter(route, 1000)).endpoint).to.equal('reserve')
    clock.advance(5000)
    const probe = seatOf(gate.enter(route, 1000))
    expect(probe.endpoint).to.equal('primary')
    expect(seatOf(gate.enter(route, 1000)).endpoint).to.equal('reserve')
    probe.content()
    expect(seatOf(gate.enter(route, 1000)).endpoint).to.equal('primary')
    expect(told).to.deep.equal(['primary rests 5000', 'primary is back'])
  })

  it('tries the only endpoint before its rest is over, one turn in 1.5 s', async () => {
    const { gate, clock } = gateOf({ only: undefined })
    fail(gate, ['only'], 5)
    const resting = { kind: 'refused', why: 'resting', last: DOWN }
    expect(gate.enter(['only'], 1000).now).to.deep.equal(resting)
    clock.advance(1500)
    const early = seatOf(gate.enter(['only'], 1000))
    const hoping = gate.enter(['only'], 1000)
    expect(hoping.now).to.equal(undefined)
    early.failed(DOWN)
    early.leave()
    expect(await hoping.seat).to.deep.equal(resting)
    expect(gate.enter(['only'], 1000).now).to.deep.equal(resting)
    // What was tried before its time did not make the rest longer.
    clock.advance(3500)
    const due = seatOf(gate.enter(['only'], 1000))
    const waiting = gate.enter(['only'], 1000)
    due.content()
    expect(await waiting.seat).to.include({ kind: 'seat', endpoint: 'only' })
  })

  it('pays for such tries out of the budget of retries', () => {
    const { gate, clock } = gateOf({ only: undefined })
    fail(gate, ['only'], 5)
    clock.advance(1500)
    for (let n = 0; n < 10; n++) expect(gate.takeRetry('only')).to.equal(false)
    const { gate: spent, clock: itsClock } = gateOf({ only: undefined })
    for (let n = 0; n < 10; n++) expect(spent.takeRetry('only')).to.equal(true)
    fail(spent, ['only'], 5)
    itsClock.advance(1500)
    expect(spent.enter(['only'], 1000).now).to.deep.include({ kind: 'refused', why: 'resting' })
    expect(gate.enter(['only'], 1000).now?.kind).to.equal('seat')
  })

  it('waits for a short rest that a server asked for, and sends nothing before', async () => {
    const { gate, clock } = gateOf({ only: undefined })
    fail(gate, ['only'], 1, 1500)
    const waiting = gate.enter(['only'], 10_000)
    const other = gate.enter(['only'], 10_000)
    clock.advance(1499)
    expect(gate.waiting).to.equal(2)
    clock.advance(1)
    const seat = await waiting.seat
    if (seat.kind !== 'seat') throw new Error('refused')
    expect(gate.waiting).to.equal(1)
    seat.content()
    expect(await other.seat).to.include({ kind: 'seat', endpoint: 'only' })
  })

  it('wakes who waits for a rest that a server then asks to be shorter', async () => {
    const { gate, clock } = gateOf({ only: undefined })
    const late = seatOf(gate.enter(['only'], 10_000))
    fail(gate, ['only'], 5)
    clock.advance(3500)
    const early = seatOf(gate.enter(['only'], 10_000))
    early.failed(DOWN)
    early.leave()
    const waiting = gate.enter(['only'], 10_000)
    late.failed({ code: 'llm_rate_limited', httpStatus: 429, retryAfterMs: 500 })
    clock.advance(500)
    expect(await waiting.seat).to.include({ kind: 'seat', endpoint: 'only' })
    expect(clock.monotonic()).to.equal(4000)
  })

  it('refuses at once where the rest asked for is longer', () => {
    const { gate } = gateOf({ only: undefined })
    fail(gate, ['only'], 1, 3000)
    expect(gate.enter(['only'], 10_000).now).to.deep.include({ kind: 'refused', why: 'resting' })
  })

  it('keeps its bounds whatever turns do', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { maxLength: 120 }), async (script) => {
        const { gate, clock } = gateOf({ a: 2, b: 1, c: undefined })
        const turns: Turn[] = []
        for (const step of script) await run(step, gate, clock, turns)
        for (const turn of turns) turn.entry.leave()
        await settled()
        expect(gate.waiting).to.equal(0)
        expect(clock.pending()).to.equal(0)
        const ends = ['a', 'b'].map((name) => gate.enter([name], 1).now)
        for (const end of ends) expect(end).to.not.deep.equal({ kind: 'refused', why: 'full' })
      }),
      { numRuns: 200 },
    )
  })
})

interface Turn {
  readonly entry: Entry
  readonly deadline: number
  readonly route: readonly string[]
  end: End | undefined
  left: boolean
}

const stepArbitrary = fc.record({
  what: fc.constantFrom(
    'enter',
    'enter',
    'enter',
    'shadow',
    'leave',
    'fail',
    'asked',
    'content',
    'answer',
  ) as fc.Arbitrary<'enter' | 'shadow' | 'leave' | 'fail' | 'asked' | 'content' | 'answer'>,
  route: fc.constantFrom(['a'], ['a', 'b'], ['b', 'a'], ['a', 'b', 'c']),
  waitMs: fc.integer({ min: 1, max: 8000 }),
  which: fc.nat(1000),
  passMs: fc.oneof(fc.constant(0), fc.nat(3000)),
})

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function run(
  {
    what,
    route,
    waitMs,
    which,
    passMs,
  }: typeof stepArbitrary extends fc.Arbitrary<infer Step> ? Step : never,
  gate: LlmGate,
  clock: ManualClock,
  turns: Turn[],
): Promise<void> {
  clock.advance(passMs)
  if (what === 'enter' || what === 'shadow') {
    const entry = gate.enter(route, what === 'shadow' ? 0 : waitMs)
    if (what === 'shadow') expect(entry.now).to.not.equal(undefined)
    const turn: Turn = { entry, deadline: clock.monotonic() + waitMs, route, end: entry.now, left: false }
    turns.push(turn)
    void entry.seat.then((end) => {
      turn.end = end
    })
  } else {
    const seated = turns.filter(({ end, left }) => end?.kind === 'seat' && !left)
    const turn = seated[which % Math.max(1, seated.length)]
    if (turn?.end?.kind !== 'seat') return
    if (what === 'content') turn.end.content()
    else {
      if (what === 'fail') turn.end.failed(DOWN)
      else if (what === 'asked')
        turn.end.failed({ code: 'llm_rate_limited', httpStatus: 429, retryAfterMs: 1000 })
      else if (what === 'answer') turn.end.answered()
      turn.end.leave()
      turn.left = true
    }
  }
  await settled()
  const at = (name: string): number =>
    turns.filter(({ end, left }) => !left && end?.kind === 'seat' && end.endpoint === name).length
  expect(at('a')).to.be.at.most(2)
  expect(at('b')).to.be.at.most(1)
  const waiting = turns.filter(({ end }) => end === undefined)
  expect(gate.waiting).to.equal(waiting.length)
  for (const { deadline } of waiting) expect(deadline).to.be.greaterThan(clock.monotonic())
}
