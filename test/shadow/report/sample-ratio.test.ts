import { expect } from 'chai'
import type { Assigned } from '../../../src/journal/comparison.js'
import { CRITICAL, isMismatch, ratioChecks } from '../../../src/shadow/report/sample-ratio.js'
import { seeded } from './simulated-sides.js'

const NONE = { ab: 0, aa: 0 }

/** So many pairs drawn at a percentage, of which so many became A/A. */
type Drawn = readonly [percent: number, n: number, aa: number]

function assigned(...drawn: readonly Drawn[]): Assigned {
  const total = (of: (one: Drawn) => number): number => drawn.reduce((sum, one) => sum + of(one), 0)
  return {
    n: total(([, n]) => n),
    aa: total(([, , aa]) => aa),
    percent: total(([percent, n]) => n * percent),
    variance: total(([percent, n]) => n * percent * (100 - percent)),
  }
}

const shareCheck = (...drawn: readonly Drawn[]) => ratioChecks(assigned(...drawn), NONE, NONE)[0]
const lostCheck = (compared: typeof NONE, dropped: typeof NONE) =>
  ratioChecks(assigned(), compared, dropped)[0]

describe('the sample ratio', () => {
  it('has the critical value of the tables: χ² with one degree of freedom at 0.001', () => {
    expect(CRITICAL).to.be.closeTo(10.828, 0.001)
  })

  it('has the χ² of the textbooks', () => {
    // (130 − 100)² / (1000 × 0.1 × 0.9)
    expect(shareCheck([10, 1_000, 130])).to.deep.include({
      check: 'aa_share',
      chiSquare: 10,
      shares: [0.13, 0.1],
    })
    // chisq.test(matrix(c(10, 20, 30, 40), 2), correct = FALSE) of R
    const lost = lostCheck({ ab: 10, aa: 30 }, { ab: 20, aa: 40 })
    expect(lost?.chiSquare).to.be.closeTo(0.79365, 1e-5)
    expect(lost?.shares[0]).to.be.closeTo(2 / 3, 1e-12)
    expect(lost?.shares[1]).to.be.closeTo(4 / 7, 1e-12)
  })

  it('raises an alarm beyond it, and only then', () => {
    for (const [aa, isWrong] of [
      [100, false],
      [131, false],
      [132, true],
      [69, false],
      [68, true],
    ] as const)
      expect(shareCheck([10, 1_000, aa])?.chiSquare, `${aa}`).to.satisfy(
        (chiSquare: number) => chiSquare > CRITICAL === isWrong,
      )
  })

  it('holds each pair against the setting of its own moment', () => {
    const drawn = [
      [10, 1_000, 100],
      [50, 1_000, 500],
    ] as const
    expect(shareCheck(...drawn)?.chiSquare).to.equal(0)
    expect(shareCheck([10, 2_000, 600])?.chiSquare).to.be.above(CRITICAL)
  })

  it('says nothing of a few, nor where there is nothing to draw', () => {
    expect(shareCheck([10, 49, 30])).to.equal(undefined)
    expect(shareCheck([0, 1_000, 0])).to.equal(undefined)
    expect(shareCheck([100, 1_000, 1_000])).to.equal(undefined)
    expect(lostCheck({ ab: 1_000, aa: 100 }, { ab: 20, aa: 20 })).to.equal(undefined)
    expect(lostCheck({ ab: 1_000, aa: 100 }, NONE)).to.equal(undefined)
    expect(lostCheck(NONE, NONE)).to.equal(undefined)
  })

  it('raises no alarm in far more than 99% of samples that are drawn well', () => {
    const random = seeded(7)
    let alarms = 0
    for (let run = 0; run < 2_000; run += 1) {
      const counts = { compared: { ab: 0, aa: 0 }, dropped: { ab: 0, aa: 0 } }
      for (let turn = 0; turn < 400; turn += 1)
        counts[random() < 0.3 ? 'dropped' : 'compared'][random() < 0.2 ? 'aa' : 'ab'] += 1
      const { compared, dropped } = counts
      const drawn = assigned([20, compared.ab + compared.aa, compared.aa])
      alarms += ratioChecks(drawn, compared, dropped).filter(isMismatch).length
    }
    expect(alarms).to.be.at.most(16)
  })
})
