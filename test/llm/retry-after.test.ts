import { expect } from 'chai'
import { retryAfterMs } from '../../src/llm/retry-after.js'

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0)

describe('Retry-After', () => {
  const rows: readonly [string | undefined, number | undefined][] = [
    ['1', 1000],
    [' 20 ', 20_000],
    ['0.5', 500],
    ['0', 0],
    ['Thu, 01 Jan 2026 12:00:07 GMT', 7000],
    ['Thu, 01 Jan 2026 11:59:00 GMT', 0],
    [undefined, undefined],
    ['', undefined],
    ['-3', undefined],
    ['soon', undefined],
    ['2026', 2_026_000],
  ]
  for (const [header, ms] of rows)
    it(`${JSON.stringify(header)} is ${ms} ms`, () => {
      expect(retryAfterMs(header, NOW)).to.equal(ms)
    })
})
