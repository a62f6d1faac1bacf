import { expect } from 'chai'
import fc from 'fast-check'
import { judgedExecution, RateChange } from '../../../src/fallback/evidence/rate-change.js'
import { judgeRuntime } from '../../../src/fallback/evidence/verdict.js'
import { CALM, GUARDRAILS, over, tally } from '../machine/driven.js'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
const USUAL = { total: 1000, errors: 200, timeouts: 0 }
const WELL = { total: 1000, errors: 0, timeouts: 0 }

/** One execution a minute, of two sessions in turn; after which of them it is found. */
function foundAfter(
  pattern: string,
  { usual = USUAL, most = 400, sessions = 2, everyMs = MINUTE_MS, guardrails = GUARDRAILS } = {},
): number | undefined {
  const change = new RateChange()
  for (let index = 0; index < most; index += 1) {
    const kind = pattern[index % pattern.length]
    const result = kind === 'f' ? 'error' : kind === 't' ? 'timeout' : 'ok'
    const execution = judgedExecution(result, String(index % sessions))
    change.record(index * everyMs, execution, usual, guardrails)
    const { found } = change
    if (found === undefined) continue
    const evidence = { ...CALM, runtime: { ...over(tally(3, 3)), usual, changed: found } }
    if (judgeRuntime(evidence, GUARDRAILS).kind === 'breach') return index + 1
  }
  return undefined
}

describe('a change of how often it fails', () => {
  it('is found after some thirty executions, however much time is between them', () => {
    expect(foundAfter('ffffo')).to.be.within(25, 35)
    expect(foundAfter('ffffo', { everyMs: 3_600_000 })).to.equal(foundAfter('ffffo'))
    expect(foundAfter('fffoo')).to.be.within(40, 80)
    expect(foundAfter('f')).to.be.within(13, 25)
  })

  it('is found in timeouts by their own threshold', () => {
    const usual = { total: 1000, errors: 200, timeouts: 100 }
    expect(foundAfter('ttfoo', { usual })).to.be.within(20, 120)
  })

  it('is none where it fails as usual, or below the threshold', () => {
    expect(foundAfter('foooo')).to.equal(undefined)
    expect(foundAfter('ffooo')).to.equal(undefined)
    expect(foundAfter('fofofofofo', { most: 2000 })).to.equal(undefined)
  })

  it('takes minSamples executions of more than one session where nothing usually fails', () => {
    expect(foundAfter('f', { usual: WELL })).to.equal(GUARDRAILS.minSamples)
    expect(foundAfter('f', { usual: WELL, sessions: 1 })).to.equal(undefined)
  })

  it('is not looked for while what is usual is not known, or is above the threshold', () => {
    expect(foundAfter('f', { usual: { total: 99, errors: 0, timeouts: 0 } })).to.equal(undefined)
    expect(foundAfter('f', { usual: { total: 1000, errors: 600, timeouts: 0 } })).to.equal(undefined)
    expect(foundAfter('f', { guardrails: { ...GUARDRAILS, errorRate: 1 } })).to.equal(undefined)
  })

  it('forgets what was more than a day before, and what a state that ended was judged by', () => {
    const change = new RateChange()
    const fails = (at: number) => change.record(at, judgedExecution('error', String(at)), USUAL, GUARDRAILS)
    for (let n = 0; n < 22; n += 1) fails(n)
    expect(change.found?.total).to.equal(22)
    fails(DAY_MS + 30)
    expect(change.found).to.equal(undefined)
    for (let n = 0; n < 21; n += 1) fails(DAY_MS + 31 + n)
    expect(change.found?.total).to.equal(22)
    change.restart()
    expect(change.found).to.equal(undefined)
  })

  it('counts from its first failure, with what failed and what timed out', () => {
    const change = new RateChange()
    const record = (result: 'ok' | 'error' | 'timeout', at: number, session = String(at)) =>
      change.record(at, judgedExecution(result, session), USUAL, GUARDRAILS)
    for (let n = 0; n < 10; n += 1) record('ok', n)
    for (let n = 10; n < 40; n += 1) record('error', n)
    expect(change.found).to.deep.equal({ total: 30, errors: 30, timeouts: 0, latencySumMs: 0 })
    record('ok', 40)
    expect(change.found).to.deep.equal({ total: 31, errors: 30, timeouts: 0, latencySumMs: 0 })
    record('timeout', 41)
    expect(change.found).to.deep.equal({ total: 32, errors: 31, timeouts: 1, latencySumMs: 0 })
  })

  it('forgets nothing after exactly a day, and starts anew where one session alone begins again', () => {
    const change = new RateChange()
    const fails = (at: number, session: string) =>
      change.record(at, judgedExecution('error', session), USUAL, GUARDRAILS)
    for (let n = 0; n < 30; n += 1) fails(n, String(n))
    fails(29 + DAY_MS, 'next')
    expect(change.found?.total).to.equal(31)
    change.restart()
    for (let n = 0; n < 30; n += 1) fails(2 * DAY_MS + n, 'one')
    expect(change.found).to.equal(undefined)
  })

  it('is not looked for where it usually fails as often as the threshold allows, its margin counted', () => {
    // 0.46 ± 2 standard errors of 1000 executions is 0.49; of 460 errors of 1000 with the threshold at 0.49 it is beyond.
    const often = { total: 1000, errors: 460, timeouts: 0 }
    expect(foundAfter('f', { usual: often, guardrails: { ...GUARDRAILS, errorRate: 0.49 } })).to.equal(
      undefined,
    )
    expect(foundAfter('f', { usual: often })).to.be.greaterThan(10)
  })

  it('ends after some good executions, however long it lasted', () => {
    const change = new RateChange()
    for (let n = 0; n < 5000; n += 1) change.record(n, judgedExecution('error', String(n)), USUAL, GUARDRAILS)
    for (let n = 0; n < 20; n += 1) change.record(n, judgedExecution('ok', String(n)), USUAL, GUARDRAILS)
    expect(change.found).to.equal(undefined)
  })

  it('tells a run with a share over the threshold, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('ok', 'error', 'timeout'), { maxLength: 200 }), (results) => {
        const change = new RateChange()
        for (const [at, result] of results.entries()) {
          change.record(at, judgedExecution(result, String(at)), USUAL, GUARDRAILS)
          const { found } = change
          if (found === undefined) continue
          expect(found.timeouts).to.be.at.most(found.errors)
          expect(
            found.errors / found.total > GUARDRAILS.errorRate ||
              found.timeouts / found.total > GUARDRAILS.timeoutRate,
          ).to.equal(true)
        }
      }),
    )
  })
})
