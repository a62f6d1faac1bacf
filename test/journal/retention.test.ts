import { expect } from 'chai'
import { retentionFor, retentionInMemory } from '../../src/journal/retention.js'

const DAY_MS = 86_400_000

describe('what the journal keeps', () => {
  it('of comparisons and executions is a quarter and a month, of contents a week or as the environment says', () => {
    const { comparisons, contents, executions, drops } = retentionFor()
    expect(comparisons).to.deep.equal({ count: 200_000, maxAgeMs: 90 * DAY_MS })
    expect(executions).to.deep.equal({ count: 500_000, maxAgeMs: 30 * DAY_MS })
    expect(drops.maxAgeMs).to.equal(comparisons.maxAgeMs)
    expect(contents.maxAgeMs).to.equal(7 * DAY_MS)
    for (const retention of [retentionFor(2), retentionInMemory(2)])
      expect(retention.contents.maxAgeMs).to.equal(2 * DAY_MS)
  })

  it('in memory is less of each, for as long', () => {
    const kept = retentionInMemory()
    for (const [name, { count, maxAgeMs }] of Object.entries(retentionFor())) {
      const own = Object.entries(kept).find(([other]) => other === name)?.[1]
      expect(own?.count).to.be.within(1, count)
      expect(own?.maxAgeMs).to.equal(maxAgeMs)
    }
  })
})
