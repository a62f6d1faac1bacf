import { expect } from 'chai'
import fc from 'fast-check'
import { type FailedRequest, nextStep, type Situation } from '../../../src/llm/gate/next-step.js'
import { EXECUTION_ERROR_CODES } from '../../../src/protocol/execution-codes.js'

const situation = (given: Partial<Situation> = {}): Situation => ({
  shown: false,
  retried: false,
  hasNext: true,
  leftMs: 10_000,
  random: 0,
  takeRetry: () => true,
  ...given,
})

const http = (httpStatus: number, retryAfterMs?: number): FailedRequest => ({
  code: httpStatus === 429 ? 'llm_rate_limited' : 'llm_http_error',
  httpStatus,
  ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
})

describe('what comes after a failed request', () => {
  const retried: readonly [string, FailedRequest][] = [
    ['no connection', { code: 'llm_unreachable' }],
    ['no connection in time', { code: 'connect_timeout' }],
    ['a reset after the head', { code: 'llm_disconnected' }],
    ['408', http(408)],
    ['500', http(500)],
    ['503', http(503)],
    ['529', http(529)],
  ]
  for (const [what, failed] of retried)
    it(`${what}: once more on the same endpoint after 100 to 400 ms, then the next one`, () => {
      expect(nextStep(failed, situation())).to.deep.equal({ kind: 'retry', afterMs: 100 })
      expect(nextStep(failed, situation({ random: 0.999 }))).to.deep.include({
        kind: 'retry',
        afterMs: 399.7,
      })
      expect(nextStep(failed, situation({ retried: true }))).to.deep.equal({ kind: 'next' })
      expect(nextStep(failed, situation({ retried: true, hasNext: false }))).to.deep.equal({ kind: 'end' })
    })

  it('429: after its Retry-After up to 2 s, else the next one at once', () => {
    expect(nextStep(http(429, 2000), situation())).to.deep.equal({ kind: 'retry', afterMs: 2010 })
    expect(nextStep(http(429, 2001), situation())).to.deep.equal({ kind: 'next' })
    expect(nextStep(http(429), situation())).to.deep.equal({ kind: 'next' })
    expect(nextStep(http(429), situation({ hasNext: false }))).to.deep.equal({ kind: 'end' })
  })

  it('without budget: the next one at once', () => {
    expect(nextStep(http(503), situation({ takeRetry: () => false }))).to.deep.equal({ kind: 'next' })
  })

  const ended: readonly [string, FailedRequest][] = [
    ['a wrong key', { code: 'llm_unauthorized', httpStatus: 401 }],
    ['a bad request', { code: 'llm_bad_request', httpStatus: 400 }],
    ['what the user sent', { code: 'llm_http_error', httpStatus: 503, rejected: true }],
    ['the filter', { code: 'llm_content_filtered', httpStatus: 500 }],
    ['no head in time', { code: 'headers_timeout' }],
    ['an error in the stream', { code: 'llm_error' }],
    ['what is not HTTP', { code: 'llm_protocol_error' }],
  ]
  for (const [what, failed] of ended)
    it(`${what} ends the execution`, () => {
      expect(nextStep(failed, situation())).to.deep.equal({ kind: 'end' })
    })

  it('never anything once something was shown or the time is over, and no retry beyond the deadline or unpaid', () => {
    const failure = fc.record(
      {
        code: fc.constantFrom(...EXECUTION_ERROR_CODES),
        httpStatus: fc.integer({ min: 100, max: 599 }),
        retryAfterMs: fc.nat(10_000),
        rejected: fc.boolean(),
      },
      { requiredKeys: ['code'] },
    )
    const around = fc.record({
      shown: fc.boolean(),
      retried: fc.boolean(),
      hasNext: fc.boolean(),
      leftMs: fc.integer({ min: -100, max: 5000 }),
      random: fc.double({ min: 0, max: 0.999, noNaN: true }),
      budget: fc.boolean(),
    })
    fc.assert(
      fc.property(failure, around, (failed, { budget, ...given }) => {
        let taken = 0
        const takeRetry = (): boolean => {
          taken += 1
          return budget
        }
        const step = nextStep(failed, { ...given, takeRetry })
        if (given.shown || given.leftMs <= 0) expect(step.kind).to.equal('end')
        if (step.kind === 'retry') {
          expect(taken).to.equal(1)
          expect(budget && !given.retried).to.equal(true)
          expect(step.afterMs).to.be.within(100, 2100)
          expect(step.afterMs).to.be.below(given.leftMs)
        }
        if (step.kind === 'next') expect(given.hasNext).to.equal(true)
      }),
    )
  })
})
