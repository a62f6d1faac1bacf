import { expect } from 'chai'
import fc from 'fast-check'
import { attemptResult, pauseAfter } from '../../src/notifications/receipt.js'

const NOW = Date.UTC(2026, 0, 1)
const resultOf = (status: number, retryAfter?: string) =>
  attemptResult({ status, body: '', ...(retryAfter === undefined ? {} : { retryAfter }) }, 'json', NOW)
const patience = (retryAfter: string): number => {
  const result = resultOf(503, retryAfter)
  return result.kind === 'again' ? result.retryAfterMs : -1
}
const feishu = (body: string, status = 200) => attemptResult({ status, body }, 'feishu', NOW)

describe('the answer to a notification', () => {
  it('says delivered, try again or never', () => {
    for (const status of [200, 201, 204]) expect(resultOf(status).kind).to.equal('delivered')
    for (const status of [429, 500, 502, 503, 504]) {
      expect(resultOf(status)).to.deep.equal({ kind: 'again', why: `status ${status}`, retryAfterMs: 0 })
    }
    for (const status of [0, 301, 302, 307, 400, 401, 403, 404, 408, 410, 413]) {
      expect(resultOf(status)).to.deep.equal({ kind: 'refused', why: `status ${status}` })
    }
  })

  it('says when, in seconds or as a date, within a minute', () => {
    expect(patience('3')).to.equal(3_000)
    expect(patience('Thu, 01 Jan 2026 00:00:07 GMT')).to.equal(7_000)
    expect(patience('Wed, 31 Dec 2025 00:00:00 GMT')).to.equal(0)
    expect(patience('86400')).to.equal(60_000)
    expect(patience(`1${'0'.repeat(400)}`)).to.equal(60_000)
    for (const odd of ['', 'soon', '-5', '1e9', 'NaN']) expect(patience(odd)).to.be.within(0, 60_000)
  })

  it('of Feishu is in the body', () => {
    expect(feishu('{"StatusCode":0,"code":0,"msg":"success"}').kind).to.equal('delivered')
    expect(feishu('{"code":19021,"msg":"sign match fail"}')).to.deep.equal({
      kind: 'refused',
      why: 'code 19021',
    })
    for (const status of [200, 400]) expect(feishu('{"code":11232}', status).kind).to.equal('again')
    for (const odd of ['', 'ok', 'null', '[]', '{"code":"x"}', '{"code":']) {
      expect(feishu(odd).kind).to.equal('delivered')
      expect(feishu(odd, 404).kind).to.equal('refused')
    }
    expect(attemptResult({ status: 200, body: '{"code":1}' }, 'slack', NOW).kind).to.equal('delivered')
  })
})

describe('the pause between two attempts', () => {
  it('doubles from a second, half of it by chance', () => {
    for (const [attempt, least, most] of [
      [1, 500, 1_000],
      [2, 1_000, 2_000],
      [4, 4_000, 8_000],
    ] as const) {
      expect(pauseAfter(attempt, 0, 0)).to.equal(least)
      expect(pauseAfter(attempt, 0, 1)).to.equal(most)
    }
  })

  it('is never shorter than asked for, and never longer than a minute', () => {
    const random = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 0, max: 60_000 }),
        random,
        (n, asked, r) => {
          expect(pauseAfter(n, asked, r)).to.be.within(Math.max(asked, 500), 60_000)
        },
      ),
      { numRuns: 200 },
    )
  })
})
