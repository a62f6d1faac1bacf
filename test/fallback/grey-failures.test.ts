import { expect } from 'chai'
import fc from 'fast-check'
import { NO_COUNTS, withRegular } from '../../src/fallback/probe/probe-counts.js'
import { testRuns } from '../support/test-runs.js'
import { withGood } from './grey/good-probes.js'
import { GreyRuntime, grey, SHIPPED } from './grey/grey-runtime.js'
import { calm, coldTrips, executionsOnly, timeToTrip, timeToTripAtStart } from './grey/measure.js'
import { TRAFFIC } from './grey/traffic.js'

/** A small share of what `npm run simulate` plays: the same worlds, for fewer hours. */
const SEED = Number(process.env.FIRST_SEED ?? 1)

const HOURS = [
  [TRAFFIC.light, 120],
  [TRAFFIC.some, 20],
  [TRAFFIC.bursty, 60],
  [TRAFFIC.steady, 4],
  [TRAFFIC.busy, 1],
] as const

/** turns within which it trips whatever the seed, from what fails for all to what fails for most: the fast window, and chance */
const BOUNDS = [
  { usual: 0.01, share: 1, turns: { light: 12, some: 14, bursty: 40, steady: 24, busy: 100 } },
  { usual: 0.01, share: 0.8, turns: { light: 60, some: 40, bursty: 60, steady: 40, busy: 130 } },
  { usual: 0.2, share: 0.8, turns: { light: 80, some: 80, bursty: 80, steady: 80, busy: 100 } },
  { usual: 0.2, share: 0.6, turns: { light: 600, some: 600, bursty: 600, steady: 600, busy: 600 } },
  { usual: 0.2, share: 1, turns: { light: 24, some: 26, bursty: 60, steady: 30, busy: 90 } },
] as const

describe('a runtime of which a share fails', () => {
  for (const [traffic, hours] of HOURS)
    for (const share of [0.1, 0.2])
      for (const as of ['error', 'timeout'] as const)
        it(`trips nothing at ${share * 100}% of ${as}s, bad probes too: ${traffic.name}, ${hours} h`, () => {
          const { trips, turns } = calm(SEED, traffic, grey(share, as), hours)
          expect(trips).to.deep.equal([])
          expect(turns).to.be.above(1000)
        })

  for (const { usual, share, turns } of BOUNDS)
    for (const [name, traffic] of Object.entries(TRAFFIC))
      it(`trips when it fails at ${share * 100}% of turns after ${usual * 100}%: ${traffic.name}`, () => {
        const most = new Map(Object.entries(turns)).get(name)
        for (let seed = SEED; seed < SEED + testRuns(8); seed += 1) {
          for (const timeOf of [timeToTrip, timeToTripAtStart]) {
            const trip = timeOf(seed, traffic, [executionsOnly(usual), executionsOnly(share)], 24)
            expect(trip?.cause, `seed ${seed}`).to.equal('error_rate')
            expect(trip?.turns, `seed ${seed}`).to.be.at.most(most ?? 0)
          }
        }
      })

  it('trips by health within the next probe and 0.4 s of a death, after a grey day within 0.7 s', () => {
    for (let seed = SEED; seed < SEED + testRuns(20); seed += 1)
      for (const [before, ms] of [
        [0, 1400],
        [0.2, 1700],
      ] as const) {
        const trip = timeToTrip(seed, TRAFFIC.some, [grey(before), grey(1)])
        expect(trip?.cause, `seed ${seed}`).to.equal('health')
        expect(trip?.afterMs, `seed ${seed}`).to.be.at.most(ms)
      }
  })

  it('is judged by the plain thresholds where nothing is known of it yet: then chance may trip', () => {
    expect(coldTrips(SEED, TRAFFIC.some, grey(0.05), { count: testRuns(40) })).to.equal(0)
    expect(coldTrips(SEED, TRAFFIC.some, grey(0.2, 'timeout'), { count: 20 })).to.be.above(5)
  })

  it('trips nothing after a start that reads what an earlier process kept', () => {
    for (const traffic of [TRAFFIC.light, TRAFFIC.some, TRAFFIC.steady])
      for (const as of ['error', 'timeout'] as const)
        expect(
          coldTrips(SEED, traffic, grey(0.2, as), { count: testRuns(8), kept: true }),
          traffic.name,
        ).to.equal(0)
  })

  it('is the same for the same seed', () => {
    const [first, second] = [1, 2].map(() => timeToTrip(7, TRAFFIC.light, [grey(0.1), grey(0.9)]))
    expect(first).to.deep.equal(second)
    expect(first).not.to.equal(undefined)
  })

  it('counts many good probes at once as it does one by one', () => {
    fc.assert(
      fc.property(fc.nat(3000), fc.array(fc.nat(2500), { maxLength: 5 }), (first, rows) => {
        const probes = [first, ...rows].flatMap((good) => [good, 'bad' as const])
        let atOnce = NO_COUNTS
        let oneByOne = NO_COUNTS
        for (const row of probes) {
          atOnce = row === 'bad' ? withRegular(atOnce, false) : withGood(atOnce, row)
          for (let left = row === 'bad' ? 1 : row; left > 0; left -= 1)
            oneByOne = withRegular(oneByOne, row !== 'bad')
          expect(atOnce).to.deep.equal(oneByOne)
        }
      }),
      { numRuns: 50 },
    )
  })

  it('plays the machine itself: with one failure for a breach it trips at once', () => {
    const guardrails = { ...SHIPPED, minSamples: 1, errorRate: 0, timeoutRate: 0 }
    const runtime = new GreyRuntime({ seed: SEED, traffic: TRAFFIC.some, guardrails })
    runtime.greyness = executionsOnly(0.5)
    expect(runtime.run(600_000)?.turns).to.be.at.most(12)
  })
})
