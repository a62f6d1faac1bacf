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
