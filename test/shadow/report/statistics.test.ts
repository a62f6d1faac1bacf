import { expect } from 'chai'
import fc from 'fast-check'
import type { Sums } from '../../../src/journal/comparison.js'
import {
  bounded,
  differenceOfEstimates,
  differencesOf,
  type Estimate,
  LEAST_SAMPLE,
  meanEstimate,
  meanOf,
  pairedShareEstimate,
  signOf,
  welchEstimate,
} from '../../../src/shadow/report/statistics.js'
import { studentQuantile } from '../../../src/shadow/report/student-quantile.js'
import { seeded } from './simulated-sides.js'

const sumsOf = (values: readonly number[]): Sums => ({
  n: values.length,
  sum: values.reduce((sum, value) => sum + value, 0),
  squares: values.reduce((sum, value) => sum + value * value, 0),
})
const meanOfAll = (values: readonly number[]) => {
  const mean = meanOf(sumsOf(values))
  if (mean === undefined) throw new Error('too few values')
  return mean
}
const holds = ({ low, high }: Estimate, truth: number): boolean => low <= truth && truth <= high

describe("Student's quantiles", () => {
  it('are those of the tables', () => {
    for (const [p, freedom, t, digits] of [
      [0.975, 10, 2.228139, 1e-4],
      [0.995, 10, 3.169273, 1e-3],
      [0.975, 20, 2.085963, 1e-5],
      [0.975, 29, 2.04523, 1e-5],
      [0.995, 30, 2.749996, 1e-5],
      [0.9975, 30, 3.029798, 2e-5],
      [0.975, 120, 1.97993, 1e-5],
      [0.975, 1e9, 1.959964, 1e-6],
    ] as const)
      expect(studentQuantile(p, freedom), `${p} ${freedom}`).to.be.closeTo(t, digits)
    expect(studentQuantile(0.025, 29)).to.be.closeTo(-2.04523, 1e-5)
    expect(() => studentQuantile(0.975, 9)).to.throw(RangeError)
    expect(() => studentQuantile(0.975, Number.NaN)).to.throw(RangeError)
  })
})

describe('the interval of a mean', () => {
  it('is as wide as the sample says', () => {
    // 1 to 11: mean 6, standard error 1 (variance 11)
    const estimate = meanEstimate(meanOfAll(Array.from({ length: 11 }, (_, at) => at + 1)), 0.95)
    expect(estimate.value).to.equal(6)
    expect(estimate.high - 6).to.be.closeTo(2.228139, 1e-3)
    expect(6 - estimate.low).to.be.closeTo(2.228139, 1e-3)
  })

  it('is none for few, and of no width for equal ones', () => {
    expect(meanOf(sumsOf(Array(LEAST_SAMPLE - 1).fill(1)))).to.equal(undefined)
    expect(meanEstimate(meanOfAll(Array(20).fill(0.1)), 0.95)).to.satisfy(
      ({ low, high }: Estimate) => high - low < 1e-7,
    )
    expect(
      differencesOf({ n: 3, control: 1, candidate: 2, difference: 1, differenceSquares: 5 }),
    ).to.deep.equal({
      n: 3,
      sum: 1,
      squares: 5,
    })
  })

  it('holds the mean of skewed pairs as often as it says', () => {
    const random = seeded(1)
    const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    let held = 0
    for (let run = 0; run < 2_000; run += 1) {
      const differences = Array.from({ length: 40 }, () => Math.exp(normal()) - Math.exp(normal()))
      if (holds(meanEstimate(meanOfAll(differences), 0.95), 0)) held += 1
    }
    expect(held / 2_000).to.be.within(0.94, 0.99)
  })
})

describe('the difference of two samples', () => {
  it("is Welch's: the sleep data of Student", () => {
    const a = { n: 10, mean: 0.75, variance: 3.200556 / 10 }
    const b = { n: 10, mean: 2.33, variance: 4.009 / 10 }
    const { value, low, high } = welchEstimate(a, b, 0.95)
    expect(value).to.be.closeTo(-1.58, 1e-9)
    expect(low).to.be.closeTo(-3.365483, 1e-3)
    expect(high).to.be.closeTo(0.205483, 1e-3)
  })

  it('has an interval whatever the samples', () => {
    const sample = fc
      .array(fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true })), {
        minLength: LEAST_SAMPLE,
        maxLength: 60,
      })
      .map((values) => meanOfAll(values))
    fc.assert(
      fc.property(sample, sample, (a, b) => {
        const estimate = welchEstimate(a, b, 0.99)
        expect(holds(estimate, estimate.value)).to.equal(true)
        const back = welchEstimate(b, a, 0.99)
        expect(back.low).to.be.closeTo(-estimate.high, 1e-9)
        expect(back.high).to.be.closeTo(-estimate.low, 1e-9)
      }),
      { numRuns: 300 },
    )
  })

  it('does not take thirty times 1 for a proof that nothing else comes', () => {
    const own = sumsOf(Array(30).fill(1))
    const ours = sumsOf(Array.from({ length: 300 }, (_, at) => (at % 20 === 0 ? 0 : 1)))
    const raw = [meanOf(ours), meanOf(own)]
    const adjusted = [meanOf(bounded(ours)), meanOf(bounded(own))]
    const difference = ([a, b]: typeof raw): Estimate => {
      if (a === undefined || b === undefined) throw new Error('too few values')
      return welchEstimate(a, b, 0.995)
    }
    expect(signOf(difference(raw))).to.equal(-1)
    expect(signOf(difference(adjusted))).to.equal(0)
  })
})

describe('the difference of two paired shares', () => {
  it('is close to the plain one for many pairs: the approval ratings of Agresti', () => {
    const estimate = pairedShareEstimate(
      { neither: 570, controlOnly: 150, candidateOnly: 86, both: 794 },
      0.95,
    )
    expect(estimate?.value).to.equal(-0.04)
    expect(estimate?.low).to.be.closeTo(-0.0587, 5e-4)
    expect(estimate?.high).to.be.closeTo(-0.0213, 5e-4)
  })

  it('stays wide where nothing happened, and within −1 and 1', () => {
    const nothing = pairedShareEstimate({ neither: 30, controlOnly: 0, candidateOnly: 0, both: 0 }, 0.95)
    expect(nothing?.value).to.equal(0)
    expect(nothing?.high).to.be.within(0.05, 0.15)
    expect(pairedShareEstimate({ neither: 0, controlOnly: 0, candidateOnly: 0, both: 0 }, 0.95)).to.equal(
      undefined,
    )
    const cell = fc.nat(50)
    fc.assert(
      fc.property(cell, cell, cell, cell, (neither, controlOnly, candidateOnly, both) => {
        const pairs = { neither, controlOnly, candidateOnly, both }
        const estimate = pairedShareEstimate(pairs, 0.995)
        if (estimate === undefined) return
        expect(estimate.low).to.be.within(-1, estimate.high)
        expect(estimate.high).to.be.at.most(1)
        expect(estimate.value).to.be.within(estimate.low, estimate.high)
        const swapped = pairedShareEstimate(
          { ...pairs, controlOnly: candidateOnly, candidateOnly: controlOnly },
          0.995,
        )
        expect(swapped?.low).to.be.closeTo(-estimate.high, 1e-9)
      }),
      { numRuns: 300 },
    )
  })

  it('holds small differences as often as it says', () => {
    const random = seeded(2)
    for (const [gained, lost] of [
      [0.01, 0.01],
      [0.03, 0.005],
      [0.1, 0.02],
    ] as const) {
      let held = 0
      for (let run = 0; run < 1_000; run += 1) {
        const pairs = { neither: 0, controlOnly: 0, candidateOnly: 0, both: 0 }
        for (let pair = 0; pair < 150; pair += 1) {
          const luck = random()
          pairs[luck < gained ? 'candidateOnly' : luck < gained + lost ? 'controlOnly' : 'neither'] += 1
        }
        const estimate = pairedShareEstimate(pairs, 0.95)
        if (estimate !== undefined && holds(estimate, gained - lost)) held += 1
      }
      expect(held / 1_000, `${gained} ${lost}`).to.be.above(0.935)
    }
  })
})

describe('the difference of two estimates', () => {
  it('is wider than either, as independent errors add up', () => {
    expect(
      differenceOfEstimates({ value: 5, low: 2, high: 8 }, { value: 1, low: -3, high: 5 }),
    ).to.deep.equal({ value: 4, low: -1, high: 9 })
  })
})
