import { expect } from 'chai'
import fc from 'fast-check'
import { RetryBudget } from '../../../src/llm/gate/retry-budget.js'

/** One thing that happens, `after` ms later. */
const steps = fc.array(
  fc.record({
    after: fc.oneof(fc.nat(30), fc.nat(12_000)),
    requests: fc.nat(200),
    retries: fc.nat(30),
  }),
  { maxLength: 60 },
)

describe('the budget of retries', () => {
  it('allows a fifth of the requests of the last 10 s, and 10 always', () => {
    fc.assert(
      fc.property(steps, (script) => {
        const budget = new RetryBudget()
        const requests: number[] = []
        const retries: number[] = []
        let now = 5
        const within = (times: number[], ms: number): number => times.filter((at) => at > now - ms).length
        for (const { after, requests: sent, retries: wanted } of script) {
          now += after
          for (let n = 0; n < sent; n++) {
            budget.request(now)
            requests.push(now)
          }
          for (let n = 0; n < wanted; n++) {
            const before = within(retries, 10_000)
            const surelyAllowed = Math.max(10, Math.floor(within(requests, 9900) * 0.2))
            const granted = budget.take(now)
            if (granted) {
              retries.push(now)
              expect(before + 1).to.be.at.most(Math.max(10, within(requests, 10_000) * 0.2))
            } else expect(within(retries, 10_100)).to.be.at.least(surelyAllowed)
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  it('forgets after 10 s', () => {
    const budget = new RetryBudget()
    for (let n = 0; n < 10; n++) expect(budget.take(1000)).to.equal(true)
    expect(budget.take(1000)).to.equal(false)
    expect(budget.take(10_900)).to.equal(false)
    expect(budget.take(11_200)).to.equal(true)
  })
})
