import { expect } from 'chai'
import fc from 'fast-check'
import {
  isUnusual,
  joined,
  NOTHING_USUAL,
  UsualFailures,
  unusualRow,
  usualShare,
} from '../../../src/fallback/evidence/usual-failures.js'
import { judge, judgeRuntime } from '../../../src/fallback/evidence/verdict.js'
import {
  burstSize,
  NO_COUNTS,
  type ProbeCounts,
  withRegular,
} from '../../../src/fallback/probe/probe-counts.js'
import { CALM, GUARDRAILS, over, tally } from '../machine/driven.js'

const WITHIN = { ms: 20_000, executions: 40 }
const usual = (total: number, errors: number, timeouts = 0) => ({ total, errors, timeouts })
const streak = (failures: number) => ({ failures, sessions: 2 })

function fill(
  record: UsualFailures,
  from: number,
  count: number,
  everyMs: number,
  failsEvery: number,
): number {
  for (let index = 0; index < count; index += 1)
    record.record(from + index * everyMs, WITHIN, index % failsEvery === 0 ? 1 : 0, 0)
  return from + count * everyMs
}

describe('what usually fails', () => {
  it('is not known before a hundred executions', () => {
    expect(usualShare(undefined, 'errors')).to.equal(undefined)
    expect(usualShare(usual(99, 20), 'errors')).to.equal(undefined)
    expect(usualShare(usual(100, 20), 'errors')).to.be.closeTo(0.2, 0.01)
    expect(usualShare(usual(100, 20, 10), 'timeouts')).to.be.closeTo(0.1, 0.01)
  })

  it('is never all or nothing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 2000 }), fc.nat(2000), (total, some) => {
        const share = usualShare(usual(total, Math.min(some, total)), 'errors')
        expect(share).to.be.within(Number.MIN_VALUE, 1 - Number.EPSILON)
      }),
    )
  })

  it('leaves out the newest executions, in time and in number', () => {
    const record = new UsualFailures()
    const end = fill(record, 0, 200, 1000, 5)
    expect(record.known.total).to.be.within(155, 160)
    expect(record.known.errors).to.be.within(31, 32)
    // an outage begins
    for (let index = 0; index < 40; index += 1) record.record(end + index * 10, WITHIN, 1, 0)
    expect(usualShare(record.known, 'errors')).to.be.closeTo(0.2, 0.01)
    record.restart()
    fill(record, end + 1000, 10, 1000, 100)
    expect(usualShare(record.known, 'errors')).to.be.closeTo(0.2, 0.01)
    record.clear()
    expect(record.known).to.deep.equal(NOTHING_USUAL)
  })

  it('joins what was before, the older half of much', () => {
    expect(joined(usual(999, 100, 50), usual(1, 1, 1))).to.deep.equal(usual(1000, 101, 51))
    expect(joined(usual(1000, 100, 50), usual(10, 2, 1))).to.deep.equal(usual(510, 52, 26))
  })

  it('settles an execution once it is old enough and enough have followed, neither sooner nor later', () => {
    const settledOf = (count: number, everyMs: number): number => {
      const record = new UsualFailures()
      for (let n = 0; n < count; n += 1) record.record(n * everyMs, { ms: 3200, executions: 4 }, 1, 1)
      return record.known.total
    }
    // Slices of 100 ms, one execution each: the first one is 3.2 s old at the 33rd.
    expect(settledOf(32, 100)).to.equal(0)
    expect(settledOf(33, 100)).to.equal(1)
    expect(settledOf(34, 100)).to.equal(2)
    // Far apart, the number decides: four must have followed.
    expect(settledOf(5, 10_000)).to.equal(0)
    expect(settledOf(6, 10_000)).to.equal(1)
  })

  it('counts what failed and what timed out of a slice', () => {
    const record = new UsualFailures()
    const results = [
      [0, 0],
      [1, 1],
      [1, 1],
      [1, 0],
    ] as const
    for (const [error, timeout] of results) record.record(0, { ms: 3200, executions: 1 }, error, timeout)
    record.record(5000, { ms: 3200, executions: 1 }, 0, 0)
    record.record(6000, { ms: 3200, executions: 1 }, 0, 0)
    expect(record.known).to.deep.equal(usual(4, 3, 2))
  })

  it('begins with what an earlier process knew, before what it saw itself, and not after it was cleared', () => {
    const record = new UsualFailures()
    fill(record, 0, 200, 1000, 5)
    const own = record.known
    record.seed(usual(100, 50, 10))
    expect(record.known).to.deep.equal(joined(usual(100, 50, 10), own))
    record.clear()
    record.seed(usual(100, 50, 10))
    expect(record.known).to.deep.equal(NOTHING_USUAL)
  })

  it('forgets the newest at the end of a state, and how many had followed', () => {
    const record = new UsualFailures()
    for (let n = 0; n < 30; n += 1) record.record(n * 100, { ms: 3200, executions: 4 }, 1, 0)
    record.restart()
    for (let n = 0; n < 3; n += 1) record.record(10_000 + n * 10_000, { ms: 3200, executions: 4 }, 0, 0)
    expect(record.known).to.deep.equal(NOTHING_USUAL)
    for (let n = 3; n < 7; n += 1) record.record(10_000 + n * 10_000, { ms: 3200, executions: 4 }, 0, 0)
    expect(record.known).to.deep.equal(usual(2, 0))
  })

  it('follows a runtime that becomes another', () => {
    const record = new UsualFailures()
    const end = fill(record, 0, 5000, 100, 5)
    fill(record, end, 5000, 100, 1000)
    expect(usualShare(record.known, 'errors')).to.be.below(0.03)
  })

  it('is all the same at any speed: the memory is bounded', () => {
    const record = new UsualFailures()
    fill(record, 0, 100_000, 1, 5)
    expect(usualShare(record.known, 'errors')).to.be.closeTo(0.2, 0.01)
    expect(record.known.total).to.be.below(3000)
  })

  it('makes only what is not chance unusual', () => {
    expect(isUnusual(6, 10, undefined)).to.equal(true)
    expect(isUnusual(6, 10, 0.0025)).to.equal(true)
    expect(isUnusual(6, 10, 0.2)).to.equal(false)
    expect(isUnusual(17, 20, 0.2)).to.equal(false)
    expect(isUnusual(18, 20, 0.2)).to.equal(true)
    expect(isUnusual(51, 100, 0.2)).to.equal(true)
    expect(isUnusual(1, 10, 0.2)).to.equal(false)
    expect(isUnusual(2, 10, 0.2)).to.equal(false)
    expect(isUnusual(0, 1000, 0.2)).to.equal(false)
    expect(isUnusual(1, 1000, 0.2)).to.equal(false)
    expect(isUnusual(12, 12, 0.2)).to.equal(false)
    expect(isUnusual(13, 13, 0.2)).to.equal(true)
    expect(isUnusual(0, 0, 0.2)).to.equal(true)
    expect(unusualRow(5, undefined)).to.equal(5)
    expect(unusualRow(5, 0.005)).to.equal(5)
    expect(unusualRow(5, 0.2)).to.equal(13)
  })

  it('more failures of as many never become usual again', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.nat(499),
        fc.double({ min: 0.001, max: 0.9, noNaN: true }),
        (total, some, share) => {
          const count = Math.min(some, total - 1)
          if (isUnusual(count, total, share)) expect(isUnusual(count + 1, total, share)).to.equal(true)
        },
      ),
    )
  })

  it('changes no verdict about a runtime that was well, or of which nothing is known', () => {
    for (const known of [undefined, usual(200, 0), usual(1000, 2), usual(99, 50)])
      expect(judge(tally(10, 6), GUARDRAILS, known).kind).to.equal('breach')
  })

  it('takes more than bad luck for a breach where a share fails every day', () => {
    const known = usual(1000, 200)
    expect(judge(tally(10, 6), GUARDRAILS, known).kind).to.equal('healthy')
    expect(judge(tally(20, 18), GUARDRAILS, known).kind).to.equal('breach')
    expect(judge(tally(100, 51), GUARDRAILS, known).kind).to.equal('breach')
    const slow = usual(1000, 200, 200)
    expect(judge(tally(20, 8, 8), GUARDRAILS, slow).kind).to.equal('healthy')
    expect(judge(tally(20, 16, 16), GUARDRAILS, usual(1000, 30, 30)).kind).to.equal('breach')
  })

  it('excuses nothing where it is above the threshold itself', () => {
    expect(judge(tally(10, 6), GUARDRAILS, usual(1000, 550)).kind).to.equal('breach')
  })

  it('asks for a longer row of failures under light traffic', () => {
    const judged = (failures: number, known = usual(1000, 200)) =>
      judgeRuntime(
        { ...CALM, runtime: { ...over(tally(5, 5)), streak: streak(failures), usual: known } },
        GUARDRAILS,
      ).kind
    expect(judged(5, usual(1000, 2))).to.equal('breach')
    expect(judged(5)).to.equal('insufficient_data')
    expect(judged(12)).to.equal('insufficient_data')
    expect(judged(13)).to.equal('breach')
  })

  it('makes a burst of probes longer, up to a bound', () => {
    const countsOf = (bad: number, of: number, from: ProbeCounts = NO_COUNTS): ProbeCounts => {
      let counts = from
      for (let index = 0; index < of; index += 1) counts = withRegular(counts, index >= bad)
      return counts
    }
    expect(burstSize(NO_COUNTS, 6)).to.equal(6)
    expect(burstSize(countsOf(0, 500), 6)).to.equal(6)
    expect(burstSize(countsOf(100, 500), 6)).to.equal(13)
    expect(burstSize(countsOf(500, 500), 6)).to.equal(18)
    const dead: ProbeCounts = { ...countsOf(0, 500), healthy: false }
    expect(burstSize(countsOf(500, 500, dead), 6)).to.equal(6)
  })
})
