import { expect } from 'chai'
import fc from 'fast-check'
import type { Outcome } from '../../../src/execution/outcome.js'
import { createJudgedWindow } from '../../../src/metrics/windows/judged-window.js'
import type { Tally } from '../../../src/metrics/windows/windows.js'
import { manualClock } from '../../support/manual-clock.js'
import { sampleOutcome } from '../sample-outcome.js'

const NOTHING: Tally = { total: 0, errors: 0, timeouts: 0, latencySumMs: 0 }

function make() {
  const clock = manualClock()
  const window = createJudgedWindow(clock)
  const record = (result: Outcome['result'], latencyMs = 1_000, startedAt = clock.monotonic()): void =>
    window.record(sampleOutcome({ result, latencyMs, startedAt }))
  /** Failures (`x`), good ones (`.`) and given up ones (`-`), each of its session. */
  const row = (results: string, sessions = 'abcdefgh'): void =>
    [...results].forEach((kind, at) => {
      const result = kind === '.' ? 'ok' : kind === '-' ? 'aborted' : 'error'
      const startedAt = clock.monotonic()
      window.record({
        ...sampleOutcome({ result, startedAt }),
        sessionId: sessions[at % sessions.length] ?? '',
      })
    })
  return { clock, window, record, row }
}

describe('the judged window', () => {
  it('counts a rejected execution in nothing', () => {
    const { window, record } = make()
    record('rejected', 5_000)
    expect(window.tally(300_000)).to.deep.equal(NOTHING)
  })

  it('counts a timeout as an error too, and an aborted execution in nothing', () => {
    const { window, record } = make()
    record('ok', 100)
    record('error', 200)
    record('timeout', 300)
    record('aborted', 5_000)
    expect(window.tally(300_000)).to.deep.include({ total: 3, errors: 2, timeouts: 1, latencySumMs: 600 })
  })

  describe('knows the row of failures at its end', () => {
    it('with their sessions, until a good one comes', () => {
      const { window, row } = make()
      row('..xxx', 'ab')
      expect(window.streak(5)).to.deep.equal({ failures: 3, sessions: 2 })
      row('.')
      expect(window.streak(5)).to.deep.equal({ failures: 0, sessions: 0 })
      row('xxxx', 'a')
      expect(window.streak(5)).to.deep.equal({ failures: 4, sessions: 1 })
    })

    it('of the newest ones alone: an old session does not stand in for a second one', () => {
      const { window, row } = make()
      row('xxxxxx', 'baaaaa')
      expect(window.streak(5)).to.deep.equal({ failures: 5, sessions: 1 })
      expect(window.streak(6)).to.deep.equal({ failures: 6, sessions: 2 })
    })

    it('whatever was given up in between, however far apart, and not over a restart', () => {
      const { clock, window, row } = make()
      for (let n = 0; n < 4; n++) {
        row('x-', n % 2 === 0 ? 'a' : 'b')
        clock.advance(3_600_000)
      }
      expect(window.streak(5)).to.deep.equal({ failures: 4, sessions: 2 })
      clock.advance(22 * 3_600_000)
      expect(window.streak(5).failures).to.equal(1)
      window.restart(clock.monotonic())
      expect(window.streak(5).failures).to.equal(0)
    })

    it('as far as anybody may ask', () => {
      const { window, row } = make()
      for (let n = 0; n < 300; n++) row('xxxxx')
      expect(window.streak(1_000_000)).to.deep.include({ failures: 1000 })
    })
  })

  it('knows how long the first content took, over the newest, reaching back', () => {
    const { clock, window } = make()
    const begin = (firstContentMs?: number): void =>
      window.record(
        sampleOutcome({
          startedAt: clock.monotonic(),
          ...(firstContentMs === undefined ? {} : { firstContentMs }),
        }),
      )
    for (let n = 1; n <= 20; n++) begin(n * 100)
    begin()
    expect(window.firstContent(300_000, 0, 300_000)).to.deep.equal({ samples: 20, p95Ms: 1900 })
    clock.advance(20_000)
    begin(5000)
    expect(window.firstContent(10_000, 0, 300_000)).to.deep.equal({ samples: 1, p95Ms: 5000 })
    expect(window.firstContent(10_000, 3, 300_000)).to.deep.equal({ samples: 3, p95Ms: 5000 })
    expect(window.firstContent(10_000, 3, 15_000)).to.deep.equal({ samples: 1, p95Ms: 5000 })
    clock.advance(300_000)
    expect(window.firstContent(300_000, 0, 300_000)).to.deep.equal({ samples: 0, p95Ms: 0 })
    for (let n = 0; n < 5000; n++) begin(7)
    expect(window.firstContent(300_000, 0, 300_000)).to.deep.equal({ samples: 2048, p95Ms: 7 })
    window.restart(clock.monotonic())
    expect(window.firstContent(300_000, 0, 300_000).samples).to.equal(0)
  })

  it('counts only what started since its restart', () => {
    const { clock, window, record } = make()
    record('error')
    clock.advance(10_000)
    window.restart(9_000)
    expect(window.tally(300_000)).to.deep.include(NOTHING)
    record('error', 1_000, 8_999)
    record('ok', 1_000, 9_000)
    expect(window.tally(300_000)).to.deep.include({ total: 1, errors: 0 })
  })

  it('forgets by elapsed time alone: a burst is gone when nothing follows it', () => {
    for (const windowSeconds of [1, 10, 300, 86_400]) {
      const { clock, window, record } = make()
      for (let at = 0; at < 50; at++) record('error')
      clock.advance(windowSeconds * 1000 - 1)
      expect(window.tally(windowSeconds * 1000).total, `${windowSeconds} s`).to.equal(50)
      clock.advance(windowSeconds * 32 + 27)
      expect(window.tally(windowSeconds * 1000), `${windowSeconds} s`).to.deep.include(NOTHING)
    }
  })

  it('takes ten seconds for ten, within half a second', () => {
    const { clock, window, record } = make()
    for (let second = 0; second < 3_000; second++) {
      record('ok')
      clock.advance(100)
    }
    expect(window.newest(10_000, 1, 300_000).total).to.be.within(100, 102)
    expect(window.tally(300_000).total).to.be.within(2_990, 3_000)
  })

  it('shows a failure of the newest seconds among thousands of good turns', () => {
    const { clock, window, record } = make()
    for (let at = 0; at < 2_900; at++) {
      record('ok')
      clock.advance(100)
    }
    for (let at = 0; at < 100; at++) {
      clock.advance(100)
      record('error')
    }
    const { total, errors } = window.newest(10_000, 20, 300_000)
    expect(errors).to.equal(100)
    expect(total).to.be.within(100, 103)
    expect(window.tally(300_000).errors / window.tally(300_000).total).to.be.below(0.04)
  })

  it('reaches back for as many as asked, through widths of slices, and not beyond the window', () => {
    const { clock, window, record } = make()
    for (let at = 0; at < 60; at++) {
      record(at < 30 ? 'ok' : 'error')
      clock.advance(5_000)
    }
    // one every 5 s, the last one 5 s ago: 20 of them reach back 100 s
    const { total, errors } = window.newest(10_000, 20, 300_000)
    expect(total).to.be.within(20, 21)
    expect(errors).to.equal(total)
    expect(window.newest(10_000, 1_000, 60_000).total).to.be.within(12, 13)
    expect(window.newest(10_000, 0, 300_000).total).to.be.within(1, 3)
  })

  it('is read no wider than it must be where the last of so many stands before a gap', () => {
    const { clock, window, record } = make()
    record('error')
    clock.advance(80)
    record('ok')
    // The finest slices reach back 3.175 s and find the one asked for; wider ones hold both as one.
    clock.advance(3_120)
    expect(window.newest(1_000, 1, 10_000)).to.deep.include({ total: 1, errors: 0 })
  })

  it('takes no more than the window where the newest part is asked longer', () => {
    const { clock, window, record } = make()
    record('error')
    clock.advance(20_000)
    record('ok')
    expect(window.newest(60_000, 5, 5_000)).to.deep.include({ total: 1, errors: 0 })
  })

  it('serves a longer window than before from what it holds', () => {
    const { clock, window, record } = make()
    record('error')
    clock.advance(3_600_000)
    record('ok')
    expect(window.tally(1_000).total).to.equal(1)
    expect(window.tally(86_400_000).total).to.equal(2)
    expect(window.tally(30 * 86_400_000).total, 'longer than any guardrail').to.equal(2)
    clock.advance(10 * 86_400_000)
    expect(window.tally(30 * 86_400_000).total, 'but not held for so long').to.equal(0)
  })

  it('keeps absurd latencies from spoiling the sum', () => {
    const { window, record } = make()
    for (const absurd of [Number.NaN, -1, Number.POSITIVE_INFINITY]) record('ok', absurd)
    expect(window.tally(1_000)).to.deep.include({ total: 3, latencySumMs: 86_400_000 })
  })

  it('agrees with a list of everything, up to one slice at the edge', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ record: fc.constantFrom('ok', 'error', 'timeout', 'aborted') }) },
      { weight: 3, arbitrary: fc.record({ advance: spans }) },
      { weight: 1, arbitrary: fc.record({ restart: fc.integer({ min: 0, max: 5_000 }) }) },
      { weight: 3, arbitrary: fc.record({ fastMs: windows, atLeast: fc.nat(12), windowMs: windows }) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const { clock, window } = make()
        let held: Held[] = []
        let since = Number.NEGATIVE_INFINITY
        let latencyMs = 1
        for (const one of steps) {
          const now = clock.monotonic()
          if ('advance' in one) clock.advance(one.advance)
          else if ('restart' in one) {
            since = now - one.restart
            held = []
            window.restart(since)
          } else if ('record' in one) {
            // each latency a power of two among 20, so that the sum tells most sets apart
            latencyMs = latencyMs > 500_000 ? 1 : latencyMs * 2
            const startedAt = now - (latencyMs % 7_000)
            const result = one.record
            window.record(sampleOutcome({ result, latencyMs, startedAt }))
            if (result !== 'aborted' && startedAt >= since) held.push({ at: now, result, latencyMs })
          } else {
            expectTally(
              window.tally(one.windowMs),
              held,
              now,
              one.windowMs,
              one.windowMs + slack(one.windowMs),
            )
            expectNewest(window.newest(one.fastMs, one.atLeast, one.windowMs), held, now, one)
          }
        }
      }),
      { numRuns: 300 },
    )
  })
})

interface Held {
  readonly at: number
  readonly result: 'ok' | 'error' | 'timeout'
  readonly latencyMs: number
}
interface Asked {
  readonly fastMs: number
  readonly atLeast: number
  readonly windowMs: number
}

const spans = fc.oneof(fc.nat(60), fc.nat(3_000), fc.nat(200_000), fc.nat(90_000_000))
const windows = fc.oneof(
  fc.integer({ min: 1, max: 12 }).map((seconds) => seconds * 1000),
  fc.integer({ min: 1, max: 86_400 }).map((seconds) => seconds * 1000),
)
/** ms by which a reading of `ms` may reach further */
const slack = (ms: number): number => Math.max(25, ms / 31)

function within(held: readonly Held[], now: number, ms: number): Tally {
  const inside = held.filter(({ at }) => now - at <= ms)
  return {
    total: inside.length,
    errors: inside.filter(({ result }) => result !== 'ok').length,
    timeouts: inside.filter(({ result }) => result === 'timeout').length,
    latencySumMs: inside.reduce((sum, { latencyMs }) => sum + latencyMs, 0),
  }
}

/** The tally is the one of a reach between the two. */
function expectTally(seen: Tally, held: readonly Held[], now: number, leastMs: number, mostMs: number): void {
  const ages = held.map(({ at }) => now - at).filter((age) => age > leastMs && age < mostMs)
  const possible = [leastMs, ...ages].map((ms) => within(held, now, ms))
  expect(possible).to.deep.include({ ...seen })
}

function expectNewest(seen: Tally, held: readonly Held[], now: number, asked: Asked): void {
  const fastMs = Math.min(asked.fastMs, asked.windowMs)
  const needed = held.map(({ at }) => now - at).toSorted((a, b) => a - b)[asked.atLeast - 1]
  const enoughMs = Math.min(
    asked.windowMs,
    Math.max(fastMs, needed ?? (asked.atLeast === 0 ? 0 : asked.windowMs)),
  )
  // A slice that is partly inside may bring the number that was needed.
  const leastMs = Math.max(fastMs, Math.min(enoughMs, enoughMs - slack(enoughMs)))
  expectTally(seen, held, now, leastMs, enoughMs + slack(enoughMs))
  if (within(held, now, asked.windowMs).total >= asked.atLeast)
    expect(seen.total).to.be.at.least(asked.atLeast)
}
