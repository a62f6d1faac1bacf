import { expect } from 'chai'
import fc from 'fast-check'
import { TimeSummer, type TimeSums } from '../../../src/journal/time-sums.js'
import {
  candidateQuantile,
  censoredDifference,
  censoredIn,
  controlQuantile,
  endedIn,
  horizonOf,
} from '../../../src/shadow/report/kaplan-meier.js'

const WHOLE = Number.POSITIVE_INFINITY

/** @param times of controls; one that is negative is only known to be longer. The candidates take 1 ms each. */
function timesOf(times: readonly number[], candidate: (at: number) => number = () => 1): TimeSums {
  const summer = new TimeSummer()
  for (const [at, time] of times.entries()) {
    const ms = candidate(at)
    const control = Math.abs(time)
    summer.add({ ms: control, ln: Math.log(control) }, { ms, ln: Math.log(ms) }, time < 0)
  }
  return summer.sums()
}

/**
 * Weeks in remission of 21 patients under 6-MP: E. J. Freireich et al., Blood 21, 1963, the example of the textbooks since
 * E. A. Gehan, Biometrika 52, 1965.
 */
const FREIREICH = [6, 6, 6, -6, 7, -9, 10, -10, -11, 13, 16, -17, -19, -20, 22, 23, -25, -32, -32, -34, -35]

describe('times of which some are only known to be longer', () => {
  it('give the published curve, restricted mean and standard error', () => {
    const times = timesOf(FREIREICH)
    expect([endedIn(times), censoredIn(times)]).to.deep.equal([9, 12])
    // S: 0.857 from 6 on, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448 from 23 on
    for (const [lasting, week] of [
      [0.8575, 6],
      [0.808, 7],
      [0.754, 10],
      [0.691, 13],
      [0.628, 16],
      [0.539, 22],
      [0.449, 23],
    ] as const) {
      expect(controlQuantile(times, 1 - lasting), `${lasting}`).to.be.closeTo(week, 1e-9)
      expect(controlQuantile(times, 1 - lasting + 0.003), 'just before').not.to.equal(week)
    }
    expect(controlQuantile(times, 0.95), 'nobody knows').to.equal(undefined)
    const found = censoredDifference(times, 'ms', WHOLE)
    // restricted to 35 weeks: 23.29, standard error 2.83
    expect(found?.control).to.be.closeTo(23.29, 0.005)
    expect(found?.tail).to.be.closeTo(0.448, 0.0005)
    expect(found?.horizon).to.equal(35)
    const variance = ((found?.difference.variance ?? 0) * 20) / 21
    expect(Math.sqrt(variance)).to.be.closeTo(2.83, 0.005)
  })

  it('have the horizon of the sample of which less is known', () => {
    const [short, long, whole] = [timesOf([2, 4, -5]), timesOf([2, 4, -50]), timesOf([2, 4])]
    expect(horizonOf('ms', short, long)).to.equal(5)
    expect(horizonOf('ms', long, whole)).to.equal(50)
    expect(horizonOf('ms', whole, whole)).to.equal(WHOLE)
    expect(censoredDifference(long, 'ms', 5)?.control).to.be.closeTo((2 + 4 + 5) / 3, 1e-9)
  })

  it('are plain means and paired variances where all of them are known', () => {
    const pairs = fc.array(fc.tuple(fc.integer({ min: 1, max: 9e4 }), fc.integer({ min: 1, max: 9e4 })), {
      minLength: 2,
      maxLength: 60,
    })
    fc.assert(
      fc.property(pairs, (all) => {
        const times = timesOf(
          all.map(([control]) => control),
          (at) => all[at]?.[1] ?? 1,
        )
        const found = censoredDifference(times, 'ln', WHOLE)
        const differences = all.map(([control, candidate]) => Math.log(candidate) - Math.log(control))
        const mean = differences.reduce((sum, d) => sum + d, 0) / all.length
        const squares = differences.reduce((sum, d) => sum + (d - mean) ** 2, 0)
        expect(found?.difference.mean).to.be.closeTo(mean, 1e-9)
        // A bin counts as its mean: 2% of a time at most.
        const [ours, naive] = [found?.difference.variance ?? 0, squares / (all.length - 1) / all.length]
        expect(Math.abs(Math.sqrt(ours) - Math.sqrt(naive))).to.be.below(0.02 / Math.sqrt(all.length - 1))
        expect(found?.tail).to.equal(0)
      }),
    )
  })

  it('take nothing from who left that was not seen, and never a number that is none', () => {
    const time = fc.integer({ min: 1, max: 1e6 })
    const any = fc.array(
      fc.oneof(
        time,
        time.map((value) => -value),
      ),
      { maxLength: 40 },
    )
    fc.assert(
      fc.property(any, fc.oneof(time, fc.constant(WHOLE)), (all, horizon) => {
        const times = timesOf(all)
        const found = censoredDifference(times, 'ms', horizon)
        expect(found === undefined).to.equal(all.length < 2)
        if (found === undefined) return
        const least = all.reduce((sum, value) => sum + Math.min(Math.abs(value), horizon), 0) / all.length
        const most = Math.min(horizon, Math.max(...all.map(Math.abs)))
        // Who left has taken at least so long; the bins are 2% wide.
        expect(found.control).to.be.within(least * 0.98, most * 1.02)
        expect(found.difference.variance).to.be.at.least(0)
        expect(found.tail).to.be.within(0, 1)
      }),
    )
  })

  it('are ranked by the nearest rank', () => {
    const times = timesOf(
      Array.from({ length: 100 }, () => 1),
      (at) => (at + 1) * 10,
    )
    expect(candidateQuantile(times, 0.95)).to.be.closeTo(950, 10)
    expect(candidateQuantile(times, 0.05)).to.be.closeTo(50, 1e-6)
    expect(candidateQuantile(timesOf([]), 0.95)).to.equal(undefined)
    expect(controlQuantile(timesOf([]), 0.95)).to.equal(undefined)
    expect(
      controlQuantile(timesOf(Array.from({ length: 100 }, (_, at) => (at + 1) * 10)), 0.05),
    ).to.be.closeTo(50, 1e-6)
  })
})
