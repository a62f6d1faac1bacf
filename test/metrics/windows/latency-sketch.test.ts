import { expect } from 'chai'
import fc from 'fast-check'
import { LatencySketch } from '../../../src/metrics/windows/latency-sketch.js'

const DAY_MS = 86_400_000
const RANKS = [0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1]

/** Shapes of latencies, each from numbers in [0, 1). */
const SHAPES: Readonly<Record<string, (random: number, which: number) => number>> = {
  uniform: (random) => 0.1 + random * 10_000,
  exponential: (random) => 0.1 - 2_000 * Math.log(1 - random),
  'uniform over all magnitudes': (random) => 0.1 * (DAY_MS / 0.1) ** random,
  bimodal: (random, which) => (which < 0.9 ? 200 + random * 20 : 60_000 + random * 500),
  constant: () => 1234.5,
}

const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const samples = fc.array(fc.tuple(unit, unit), { minLength: 1, maxLength: 3000, size: 'max' })

function sketchOf(values: readonly number[]): LatencySketch {
  const sketch = new LatencySketch()
  for (const value of values) sketch.add(value)
  return sketch
}

function exact(values: readonly number[], p: number): number {
  const rising = values.toSorted((a, b) => a - b)
  return rising[Math.max(0, Math.ceil(p * rising.length) - 1)] ?? Number.NaN
}

const quantilesOf = (sketch: LatencySketch): number[] => RANKS.map((p) => sketch.quantile(p))

describe('the latency sketch', () => {
  for (const [shape, draw] of Object.entries(SHAPES)) {
    it(`is at most 1% off the exact quantiles of ${shape} data`, () => {
      fc.assert(
        fc.property(samples, (drawn) => {
          const values = drawn.map(([random, which]) => draw(random, which))
          const sketch = sketchOf(values)
          for (const p of RANKS) {
            const right = exact(values, p)
            expect(Math.abs(sketch.quantile(p) - right) / right, `p${p * 100}`).to.be.at.most(0.010001)
          }
        }),
        { numRuns: 30 },
      )
    })
  }

  it('merged is the sketch of the union, and subtracted is the one of the rest', () => {
    const values = fc.array(
      unit.map((random) => 0.1 * (DAY_MS / 0.1) ** random),
      { maxLength: 2500, size: 'max' },
    )
    fc.assert(
      fc.property(values, values, (ones, others) => {
        const whole = sketchOf(ones)
        whole.merge(sketchOf(others))
        expect(whole.count).to.equal(ones.length + others.length)
        expect(quantilesOf(whole)).to.deep.equal(quantilesOf(sketchOf([...ones, ...others])))

        whole.subtract(sketchOf(others))
        expect(whole.count).to.equal(ones.length)
        expect(quantilesOf(whole)).to.deep.equal(quantilesOf(sketchOf(ones)))
      }),
      { numRuns: 60 },
    )
  })

  it('holds few durations in little and any number in 4.2 kB', () => {
    expect(sketchOf([1, 2, 3]).bytes).to.be.below(100)
    const sketch = new LatencySketch()
    for (let at = 0; at < 100_000; at++) sketch.add(0.1 * (DAY_MS / 0.1) ** (at / 100_000))
    expect(sketch.count).to.equal(100_000)
    expect(sketch.bytes).to.be.below(4_200)
  })

  it('reaches from 0.1 ms to 24 h, and takes what is outside to the nearer end', () => {
    expect(sketchOf([0.1]).quantile(0.5)).to.be.closeTo(0.1, 0.001)
    expect(sketchOf([DAY_MS]).quantile(0.5)).to.be.closeTo(DAY_MS, DAY_MS / 100)
    for (const none of [0, 0.05, -3, Number.NaN]) expect(sketchOf([none]).quantile(0.5)).to.equal(0)
    for (const long of [10 * DAY_MS, Number.POSITIVE_INFINITY])
      expect(sketchOf([long]).quantile(0.5)).to.be.closeTo(DAY_MS, DAY_MS / 100)
  })

  it('is zero when empty', () => {
    expect(quantilesOf(new LatencySketch())).to.deep.equal(RANKS.map(() => 0))
  })
})
