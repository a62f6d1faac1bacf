import { expect } from 'chai'
import fc from 'fast-check'
import {
  AT_ONCE_MS,
  afterBurst,
  burstVerdict,
  counted,
  isOutdated,
  judgedFailures,
  NO_COUNTS,
  newBurst,
  nextProbeAt,
} from '../../../src/fallback/probe/probe-counts.js'

/** Counts after results 10 ms apart, the first at 10; `g` good, `b` bad, `U` and `A` the end of a burst, unhealthy or alive. */
function countsAfter(results: string) {
  let counts = NO_COUNTS
  let now = 0
  for (const result of results) {
    now += 10
    if (result === 'U') counts = afterBurst(counts, 'unhealthy')
    else if (result === 'A') counts = afterBurst(counts, 'alive')
    else counts = counted(counts, result === 'g', now)
  }
  return counts
}

describe('counts of the probes', () => {
  it('are unknown, then good since the first good one', () => {
    expect(NO_COUNTS).to.deep.equal({ failuresInARow: 0, goodInARow: 0 })
    expect(countsAfter('ggg')).to.deep.equal({
      failuresInARow: 0,
      goodInARow: 3,
      healthy: true,
      goodSince: 10,
    })
  })

  it('keep the verdict whatever single answers are bad, until a burst condemns or a good one comes', () => {
    expect(countsAfter('gbbbbbbbb')).to.deep.equal({ failuresInARow: 8, goodInARow: 0, healthy: true })
    expect(countsAfter('bbbb')).to.deep.equal({ failuresInARow: 4, goodInARow: 0 })
    expect(countsAfter('gbbUb')).to.deep.equal({ failuresInARow: 3, goodInARow: 0, healthy: false })
    expect(countsAfter('gbbUbg')).to.deep.equal({
      failuresInARow: 0,
      goodInARow: 1,
      healthy: true,
      goodSince: 60,
    })
  })

  it('begin a new row where an execution got its head while the probes were bad', () => {
    expect(countsAfter('gbbbAb')).to.deep.equal({ failuresInARow: 1, goodInARow: 0, healthy: true })
  })

  it('reach the guardrail for the evidence exactly where the runtime is unhealthy, whatever the guardrail is by now', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('g', 'b', 'U', 'A') }),
        fc.integer({ min: 1, max: 1000 }),
        (results, probeFailures) => {
          const counts = countsAfter(results)
          const reached = judgedFailures(counts, probeFailures) >= probeFailures
          expect(reached).to.equal(counts.healthy === false)
        },
      ),
    )
  })
})

describe('a burst of probes', () => {
  const burst = (bad: number) => ({ ...newBurst(1000, 6), sent: 6, bad })

  it('condemns only when all of its probes were bad', () => {
    expect([0, 1, 5].map((bad) => burstVerdict(burst(bad), 0))).to.deep.equal(['open', 'open', 'open'])
    expect(burstVerdict(burst(6), 0)).to.equal('unhealthy')
  })

  it('condemns nobody who answered an execution since it began', () => {
    expect(burstVerdict(burst(6), 999)).to.equal('unhealthy')
    expect(burstVerdict(burst(6), 1000)).to.equal('alive')
    expect(burstVerdict(burst(6), 1200)).to.equal('alive')
  })
})

describe('what the probes have shown', () => {
  it('is of before our process stood still, where none came for two rounds', () => {
    expect(isOutdated(undefined, 1000, 2000)).to.equal(false)
    expect(isOutdated(6000, 1000, 2000)).to.equal(false)
    expect(isOutdated(6001, 1000, 2000)).to.equal(true)
  })
})

describe('the next regular probe', () => {
  it('starts an interval after the start of the last one', () => {
    expect(nextProbeAt(1000, 1000, false)).to.equal(2000)
  })

  it('starts at once where one is wanted, never twice within 100 ms nor later than the interval', () => {
    expect(nextProbeAt(1000, 1000, true)).to.equal(1000 + AT_ONCE_MS)
    expect(nextProbeAt(1000, 50, true)).to.equal(1050)
  })
})
