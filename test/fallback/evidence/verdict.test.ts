import { expect } from 'chai'
import fc from 'fast-check'
import type { FallbackGuardrails } from '../../../src/fallback/evidence/evidence.js'
import {
  beginsLate,
  breachingRow,
  isDoubtful,
  isRecovered,
  judge,
  judgeRuntime,
  recoveryReach,
  standbyTrouble,
  unsettled,
  wilson,
} from '../../../src/fallback/evidence/verdict.js'
import type { Tally } from '../../../src/metrics/windows/windows.js'
import { CALM, GUARDRAILS, over, tally } from '../machine/driven.js'

const SURE: FallbackGuardrails = { ...GUARDRAILS, confidence: 0.95 }

describe('the verdict over some executions', () => {
  it('is a breach where more than the threshold failed', () => {
    expect(judge(tally(20, 11), GUARDRAILS)).to.deep.equal({
      kind: 'breach',
      trip: { cause: 'error_rate', value: 0.55, threshold: 0.5 },
    })
    expect(judge(tally(20, 10), GUARDRAILS).kind).to.equal('healthy')
  })

  it('is a breach where more than the threshold timed out, though few failed', () => {
    expect(judge(tally(20, 7, 7), GUARDRAILS)).to.deep.equal({
      kind: 'breach',
      trip: { cause: 'timeout_rate', value: 0.35, threshold: 0.3 },
    })
  })

  it('is a breach where the mean takes longer than its share of the whole time', () => {
    expect(judge(tally(20, 0, 0, 250_000), GUARDRAILS)).to.deep.equal({
      kind: 'breach',
      trip: { cause: 'latency', value: 250_000, threshold: 240_000 },
    })
    expect(judge(tally(20, 0, 0, 240_000), GUARDRAILS).kind).to.equal('healthy')
  })

  it('is open below the fewest samples, whatever they show', () => {
    expect(judge(tally(9, 9, 9, 299_000), GUARDRAILS).kind).to.equal('insufficient_data')
    expect(judge(tally(0), GUARDRAILS).kind).to.equal('insufficient_data')
    expect(judge(tally(10, 10), GUARDRAILS).kind).to.equal('breach')
  })

  it('is a breach in the newest executions alone, whatever the long window says', () => {
    const runtime = { slow: tally(3000, 30), fast: tally(20, 20), recent: tally(5, 5) }
    expect(judgeRuntime({ ...CALM, runtime }, GUARDRAILS)).to.deep.include({ kind: 'breach' })
    const old = { slow: tally(40, 30), fast: tally(20, 0), recent: tally(5, 0) }
    expect(judgeRuntime({ ...CALM, runtime: old }, GUARDRAILS).kind).to.equal('breach')
  })
})

describe('the verdict at its bounds', () => {
  const ASKED = { ...GUARDRAILS, firstContentP95Ms: 10_000 }
  const first = (samples: number, p95Ms: number) => ({ samples, p95Ms })

  it('takes as many first contents as samples, and none that is just in time', () => {
    const begun = (samples: number, p95Ms: number) => {
      const { slow, fast, recent } = {
        slow: first(samples, p95Ms),
        fast: first(0, 0),
        recent: first(samples, p95Ms),
      }
      return { ...over(tally(20)), firstContent: { slow, fast, recent } }
    }
    expect(judgeRuntime({ ...CALM, runtime: begun(10, 10_001) }, ASKED).kind).to.equal('breach')
    expect(beginsLate(begun(10, 10_000), ASKED)).to.equal(false)
    expect(beginsLate(begun(10, 10_001), ASKED)).to.equal(true)
    expect(beginsLate(over(tally(20)), ASKED)).to.equal(false)
  })

  it('is a breach since a change alone, whatever both windows say', () => {
    const runtime = { ...over(tally(20)), changed: tally(20, 15) }
    expect(judgeRuntime({ ...CALM, runtime }, GUARDRAILS)).to.deep.include({ kind: 'breach' })
  })

  it('names the breach of the long window where both are in breach', () => {
    const runtime = { slow: tally(40, 30), fast: tally(20, 20), recent: tally(5, 5) }
    expect(judgeRuntime({ ...CALM, runtime }, GUARDRAILS)).to.deep.equal({
      kind: 'breach',
      trip: { cause: 'error_rate', value: 0.75, threshold: 0.5 },
    })
  })

  it('is a breach by the mean of just as many executions as samples', () => {
    expect(judge(tally(10, 0, 0, 240_001), GUARDRAILS).kind).to.equal('breach')
    expect(judge(tally(9, 0, 0, 240_001), GUARDRAILS).kind).to.equal('insufficient_data')
  })

  it('excuses nothing where the usual share is the threshold itself', () => {
    // (500.5 + 0.5) / 1002 is 0.5.
    const known = { total: 1001, errors: 500.5, timeouts: 0 }
    expect(judge(tally(20, 11), GUARDRAILS, known).kind).to.equal('breach')
  })

  it('calls slow executions neither healthy nor a breach where they are too few for their mean', () => {
    expect(judge(tally(9, 0, 0, 240_001), SURE).kind).to.equal('insufficient_data')
    expect(judge(tally(9, 0, 0, 240_000), SURE).kind).to.equal('healthy')
    expect(judge(tally(0), SURE).kind).to.equal('insufficient_data')
  })

  it('lets recover at the mean that is still allowed', () => {
    expect(isRecovered(tally(20, 0, 0, 240_000), GUARDRAILS)).to.equal(true)
    expect(isDoubtful(tally(20, 0, 0, 240_001), GUARDRAILS)).to.equal(true)
  })

  it('asks for no number of executions by a threshold that allows no failure', () => {
    expect(recoveryReach({ ...SURE, errorRate: 0 })).to.equal(9)
    expect(isRecovered(tally(9), { ...SURE, errorRate: 0 })).to.equal(true)
    expect(recoveryReach({ ...SURE, errorRate: 0, timeoutRate: 0 })).to.equal(5)
  })

  it('keeps what may be the beginning of a breach out of what is usual', () => {
    expect(unsettled(GUARDRAILS)).to.deep.equal({ ms: 20_000, executions: 40 })
  })

  it('takes the row of failures as set where nothing is known', () => {
    expect(breachingRow(GUARDRAILS, undefined)).to.equal(GUARDRAILS.consecutiveFailures)
  })

  it('names why the direct LLM cannot be used, also where nobody told', () => {
    expect(standbyTrouble({ ...CALM, standby: { unusable: true } }, GUARDRAILS)).to.deep.equal({
      kind: 'unusable',
      why: '',
    })
  })
})

describe('the verdict over light traffic', () => {
  const light = (failures: number, sessions: number, slow = tally(6, 6)) => ({
    ...CALM,
    runtime: { ...over(slow), streak: { failures, sessions } },
  })

  it('is a breach where the last few all failed, in two sessions at least', () => {
    expect(judgeRuntime(light(5, 2), GUARDRAILS)).to.deep.equal({
      kind: 'breach',
      trip: { cause: 'error_rate', value: 1, threshold: 0.5 },
    })
    expect(judgeRuntime(light(4, 2), GUARDRAILS).kind).to.equal('insufficient_data')
    expect(judgeRuntime(light(5, 1), GUARDRAILS).kind).to.equal('insufficient_data')
  })

  it('is one also where they are older than the window', () => {
    expect(judgeRuntime(light(5, 5, tally(0)), GUARDRAILS).kind).to.equal('breach')
  })

  it('leaves it to the rates where there are enough executions for them', () => {
    expect(judgeRuntime(light(5, 5, tally(20, 5)), GUARDRAILS).kind).to.equal('healthy')
  })

  it('takes a threshold of 1 for the wish that errors trip nothing', () => {
    expect(judgeRuntime(light(5, 5), { ...GUARDRAILS, errorRate: 1 }).kind).to.equal('insufficient_data')
  })

  it('may be asked for with one failure', () => {
    expect(judgeRuntime(light(1, 1), { ...GUARDRAILS, consecutiveFailures: 1 }).kind).to.equal('breach')
  })

  it('is told nothing by evidence that was kept before there was a row in it', () => {
    expect(judgeRuntime({ ...CALM, runtime: over(tally(6, 6)) }, GUARDRAILS).kind).to.equal(
      'insufficient_data',
    )
  })
})

describe('the verdict over the first content', () => {
  const ASKED = { ...GUARDRAILS, firstContentP95Ms: 10_000 }
  const at = (p95Ms: number, samples = 20) => ({ samples, p95Ms })
  const begun = (slow: ReturnType<typeof at>, fast = slow, recent = fast) => ({
    ...CALM,
    runtime: { ...over(tally(20)), firstContent: { slow, fast, recent } },
  })

  it('is a breach where one in twenty begins too late, though all end well', () => {
    expect(judgeRuntime(begun(at(20_000)), ASKED)).to.deep.equal({
      kind: 'breach',
      trip: { cause: 'first_content', value: 20_000, threshold: 10_000 },
    })
    expect(judgeRuntime(begun(at(10_000)), ASKED).kind).to.equal('healthy')
  })

  it('is one in the newest alone, and none below the fewest samples', () => {
    expect(judgeRuntime(begun(at(100, 3000), at(20_000)), ASKED).kind).to.equal('breach')
    expect(judgeRuntime(begun(at(20_000, 9)), ASKED).kind).to.equal('healthy')
  })

  it('is not asked for as shipped', () => {
    expect(judgeRuntime(begun(at(20_000)), GUARDRAILS).kind).to.equal('healthy')
    expect(judgeRuntime({ ...CALM, runtime: over(tally(20)) }, ASKED).kind).to.equal('healthy')
  })

  it('keeps a recovery waiting, however few there are', () => {
    expect(beginsLate(begun(at(0), at(0), at(20_000, 5)).runtime, ASKED)).to.equal(true)
    expect(beginsLate(begun(at(0), at(0), at(9000, 5)).runtime, ASKED)).to.equal(false)
    expect(beginsLate(begun(at(0), at(0), at(20_000, 5)).runtime, GUARDRAILS)).to.equal(false)
  })
})

describe('the verdict with a confidence', () => {
  it('knows the Wilson interval', () => {
    const known = [
      [10, 20, 0.95, 0.2993, 0.7007],
      [0, 10, 0.95, 0, 0.2775],
      [1, 10, 0.95, 0.0179, 0.4042],
      [8, 10, 0.95, 0.4902, 0.9433],
      [50, 100, 0.99, 0.3753, 0.6247],
      [0, 10, 0.9999, 0, 0.6022],
    ] as const
    for (const [count, total, confidence, lower, upper] of known) {
      const bounds = wilson(count, total, confidence)
      expect(bounds.lower).to.be.closeTo(lower, 5e-5)
      expect(bounds.upper).to.be.closeTo(upper, 5e-5)
    }
  })

  it('trips on few executions where they leave no doubt', () => {
    expect(judge(tally(4, 4), SURE).kind).to.equal('breach')
    expect(judge(tally(3, 3), SURE).kind).to.equal('insufficient_data')
  })

  it('trips on no small excess, though there were samples enough without it', () => {
    expect(judge(tally(20, 11), GUARDRAILS).kind).to.equal('breach')
    expect(judge(tally(20, 11), SURE).kind).to.equal('insufficient_data')
  })

  it('is healthy only where the upper bounds are under the thresholds', () => {
    expect(judge(tally(9, 0), SURE).kind).to.equal('healthy')
    expect(judge(tally(8, 0), SURE).kind).to.equal('insufficient_data')
  })

  it('asks for as many good executions to recover as it takes, and no more', () => {
    expect(recoveryReach(GUARDRAILS)).to.equal(5)
    expect(recoveryReach(SURE)).to.equal(9)
    expect(isRecovered(tally(9), SURE)).to.equal(true)
    expect(isRecovered(tally(8), SURE)).to.equal(false)
  })
})

describe('the evidence of a recovery', () => {
  it('takes enough executions, rates of at most half the thresholds, and a mean under its own', () => {
    expect(isRecovered(tally(5), GUARDRAILS)).to.equal(true)
    expect(isRecovered(tally(4), GUARDRAILS)).to.equal(false)
    expect(isRecovered(tally(20, 5), GUARDRAILS)).to.equal(true)
    expect(isRecovered(tally(20, 6), GUARDRAILS)).to.equal(false)
    expect(isRecovered(tally(20, 3, 3), GUARDRAILS)).to.equal(true)
    expect(isRecovered(tally(20, 4, 4), GUARDRAILS)).to.equal(false)
    expect(isRecovered(tally(20, 0, 0, 241_000), GUARDRAILS)).to.equal(false)
  })

  it('is in doubt only where there are enough', () => {
    expect(isDoubtful(tally(4, 4), GUARDRAILS)).to.equal(false)
    expect(isDoubtful(tally(5, 4), GUARDRAILS)).to.equal(true)
    expect(isDoubtful(tally(5), GUARDRAILS)).to.equal(false)
  })
})

describe('trouble of the direct LLM', () => {
  it('is its own breach', () => {
    expect(standbyTrouble({ ...CALM, direct: tally(20, 12) }, GUARDRAILS)).to.deep.equal({
      kind: 'breach',
      trip: { cause: 'error_rate', value: 0.6, threshold: 0.5 },
    })
    expect(standbyTrouble({ ...CALM, direct: tally(20, 8) }, GUARDRAILS)).to.equal(undefined)
  })

  it('is none where too little is known of it', () => {
    expect(standbyTrouble({ ...CALM, direct: tally(9, 9) }, GUARDRAILS)).to.equal(undefined)
    expect(standbyTrouble({ ...CALM, standby: { unusable: false } }, GUARDRAILS)).to.equal(undefined)
  })

  it('is that it cannot be used, whatever its executions were', () => {
    const standby = { unusable: true, why: 'http_status 401' }
    expect(standbyTrouble({ ...CALM, standby, direct: tally(20) }, GUARDRAILS)).to.deep.equal({
      kind: 'unusable',
      why: 'http_status 401',
    })
  })
})

describe('verdicts over any executions', () => {
  const anyTally = fc
    .tuple(
      fc.nat(200),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
    )
    .map(([total, e, t]): Tally => {
      const errors = Math.round(total * e)
      return { total, errors, timeouts: Math.round(errors * t), latencySumMs: total * 1000 * e }
    })
  const anyGuardrails = fc.record({
    errorRate: fc.double({ min: 0, max: 1, noNaN: true }),
    timeoutRate: fc.double({ min: 0, max: 1, noNaN: true }),
    minSamples: fc.integer({ min: 1, max: 50 }),
    recoverySamples: fc.integer({ min: 1, max: 50 }),
    confidence: fc.constantFrom(0, 0.5, 0.9, 0.95, 0.999),
    totalMs: fc.integer({ min: 1, max: 2000 }),
  })
  const both = fc.tuple(anyTally, anyGuardrails)

  it('never call the same executions a breach and recovered', () => {
    fc.assert(
      fc.property(both, ([some, part]) => {
        const guardrails = { ...GUARDRAILS, ...part }
        expect(judge(some, guardrails).kind === 'breach' && isRecovered(some, guardrails)).to.equal(false)
      }),
      { numRuns: 500 },
    )
  })

  it('name a value over its threshold for each breach', () => {
    fc.assert(
      fc.property(both, ([some, part]) => {
        const verdict = judge(some, { ...GUARDRAILS, ...part })
        if (verdict.kind === 'breach') expect(verdict.trip.value).to.be.above(verdict.trip.threshold)
      }),
      { numRuns: 500 },
    )
  })

  it('never get better by one more failure', () => {
    const rank = { healthy: 0, insufficient_data: 1, breach: 2 } as const
    fc.assert(
      fc.property(both, ([some, part]) => {
        fc.pre(some.errors < some.total)
        const guardrails = { ...GUARDRAILS, ...part }
        const worse = { ...some, errors: some.errors + 1 }
        expect(rank[judge(worse, guardrails).kind]).to.be.at.least(rank[judge(some, guardrails).kind])
        if (isRecovered(worse, guardrails)) expect(isRecovered(some, guardrails)).to.equal(true)
      }),
      { numRuns: 500 },
    )
  })

  it('recover by as many good executions as the reach says, whatever the thresholds', () => {
    fc.assert(
      fc.property(anyGuardrails, (part) => {
        const { errorRate, timeoutRate } = part
        const least = { errorRate: Math.max(0.001, errorRate), timeoutRate: Math.max(0.001, timeoutRate) }
        const guardrails = { ...GUARDRAILS, ...part, ...least }
        const reach = recoveryReach(guardrails)
        expect(isRecovered(tally(reach, 0, 0, 0), guardrails)).to.equal(true)
        expect(reach).to.be.at.least(guardrails.recoverySamples)
      }),
      { numRuns: 500 },
    )
  })

  it('bound each share from both sides', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.integer({ min: 1, max: 300 }), (count, more) => {
        const total = count + more
        const { lower, upper } = wilson(count, total, 0.95)
        expect(lower).to.be.within(0, count / total)
        expect(upper).to.be.within(count / total, 1)
      }),
      { numRuns: 300 },
    )
  })
})
