import { expect } from 'chai'
import fc from 'fast-check'
import { AT_ONCE_MS, counted, NO_COUNTS, nextProbeAt, RETRY_MS } from '../../src/fallback/probe-counts.js'

/** Counts after results 10 ms apart, the first at 10; `g` good, `b` bad. */
function countsAfter(results: string, failures = 2) {
  let counts = NO_COUNTS
  let now = 0
  for (const result of results) {
    now += 10
    counts = counted(counts, result === 'g', failures, now)
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

  it('turn with the last failure of a row that is long enough, and with the first good one', () => {
    expect(countsAfter('gb')).to.deep.equal({ failuresInARow: 1, goodInARow: 0, healthy: true })
    expect(countsAfter('gbb')).to.deep.equal({ failuresInARow: 2, goodInARow: 0, healthy: false })
    expect(countsAfter('gbbg')).to.deep.equal({
      failuresInARow: 0,
      goodInARow: 1,
      healthy: true,
      goodSince: 40,
    })
    expect(countsAfter('gbbgb')).to.include({ healthy: true })
    expect(countsAfter('gb', 1)).to.include({ healthy: false })
  })

  it('say nothing of a runtime never seen in good health until the row is long enough', () => {
    expect(countsAfter('b')).to.deep.equal({ failuresInARow: 1, goodInARow: 0 })
    expect(countsAfter('bb')).to.include({ healthy: false })
  })

  it('hold for any results and any guardrail', () => {
    const results = fc.array(fc.record({ good: fc.boolean(), failures: fc.integer({ min: 1, max: 5 }) }))
    fc.assert(
      fc.property(results, (steps) => {
        let counts = NO_COUNTS
        steps.forEach(({ good, failures }, at) => {
          const before = counts
          counts = counted(counts, good, failures, at)
          const row = steps.slice(0, at + 1).reverse()
          const other = row.findIndex((step) => step.good !== good)
          const length = other < 0 ? row.length : other
          expect(good ? counts.goodInARow : counts.failuresInARow).to.equal(length)
          expect(good ? counts.failuresInARow : counts.goodInARow).to.equal(0)
          expect(counts.goodSince).to.equal(good ? at + 1 - length : undefined)
          if (!good && length < failures) expect(counts.healthy).to.equal(before.healthy)
          else expect(counts.healthy).to.equal(good)
        })
      }),
    )
  })
})

describe('the next probe', () => {
  const last = { startedAt: 1000, endedAt: 1030, timedOut: false }
  const settings = { intervalMs: 1000, failures: 3 }

  it('starts an interval after the start of the last one', () => {
    expect(nextProbeAt(last, countsAfter('g'), settings, false)).to.equal(2000)
    expect(nextProbeAt(last, NO_COUNTS, settings, false)).to.equal(2000)
  })

  it('starts soon while a row of failures is too short to tell, unless the runtime hangs', () => {
    expect(nextProbeAt(last, countsAfter('gb', 3), settings, false)).to.equal(1030 + RETRY_MS)
    expect(nextProbeAt(last, countsAfter('gbb', 3), settings, false)).to.equal(1030 + RETRY_MS)
    expect(nextProbeAt(last, countsAfter('gbbb', 3), settings, false)).to.equal(2000)
    expect(nextProbeAt({ ...last, timedOut: true }, countsAfter('gb', 3), settings, false)).to.equal(2000)
  })

  it('starts at once where one is wanted, and never twice within 100 ms', () => {
    expect(nextProbeAt(last, countsAfter('g'), settings, true)).to.equal(1000 + AT_ONCE_MS)
    expect(nextProbeAt({ ...last, timedOut: true }, countsAfter('gb', 3), settings, true)).to.equal(1100)
  })

  it('is never later than the interval', () => {
    const soon = { intervalMs: 100, failures: 3 }
    expect(nextProbeAt(last, countsAfter('b', 3), soon, false)).to.equal(1100)
  })
})
