import { expect } from 'chai'
import fc from 'fast-check'
import { TimeSummer } from '../../../src/journal/time-sums.js'
import { distributionsOf } from '../../../src/shadow/report/distributions.js'

interface Pair {
  readonly control: number
  readonly candidate: number
  readonly left: boolean
}

const point = (ms: number) => ({ ms, ln: Math.log(ms) })

function latencyOf(pairs: readonly Pair[]) {
  const latency = new TimeSummer()
  for (const { control, candidate, left } of pairs) latency.add(point(control), point(candidate), left)
  const [first, second] = distributionsOf({
    times: { latency: latency.sums(), firstContent: new TimeSummer().sums() },
  })
  expect(second).to.deep.equal({ dimension: 'first_content', bins: [], controlBeyond: 0 })
  if (first === undefined) throw new Error('there is no distribution')
  return first
}

const ms = fc.double({ min: 0.1, max: 600_000, noNaN: true })
const anyPairs = (left: fc.Arbitrary<boolean>) =>
  fc.array(fc.record({ control: ms, candidate: ms, left }), { minLength: 1, maxLength: 100 })
const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0)

describe('the distributions of times', () => {
  it('hold every pair once, in at most 40 bins without gaps', () => {
    fc.assert(
      fc.property(anyPairs(fc.boolean()), (pairs) => {
        const { bins, controlBeyond } = latencyOf(pairs)
        expect(bins.length).to.be.within(1, 40)
        expect(sum(bins.map(({ candidate }) => candidate))).to.be.closeTo(1, 1e-9)
        expect(sum(bins.map(({ control }) => control)) + controlBeyond).to.be.closeTo(1, 1e-9)
        for (const [at, bin] of bins.entries()) {
          expect(bin.control).to.be.at.least(0)
          expect(bin.toMs).to.be.above(bin.fromMs)
          if (at > 0) expect(bin.fromMs).to.equal(bins[at - 1]?.toMs)
        }
      }),
    )
  })

  it('are what somebody counts where nobody left', () => {
    const pairs = [100, 101, 102, 400].map((control) => ({ control, candidate: 1_000, left: false }))
    const { bins, controlBeyond } = latencyOf(pairs)
    const at = (time: number) => bins.find(({ fromMs, toMs }) => fromMs <= time && time < toMs)
    expect(at(101)?.control).to.equal(0.75)
    expect(at(400)?.control).to.be.closeTo(0.25, 1e-12)
    expect(at(1_000)?.candidate).to.equal(1)
    expect(controlBeyond).to.equal(0)
  })

  it('say how many controls outlasted all that was seen', () => {
    const ended = { control: 100, candidate: 100, left: false }
    const { bins, controlBeyond } = latencyOf([ended, { ...ended, control: 5_000, left: true }])
    expect(controlBeyond).to.equal(0.5)
    expect(sum(bins.map(({ control }) => control))).to.equal(0.5)
  })
})
