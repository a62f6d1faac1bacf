import { expect } from 'chai'
import fc from 'fast-check'
import { createStartRates, type Taken } from '../../src/limits/start-rates.js'
import { manualClock } from '../support/manual-clock.js'

/** Of one limit, at once as in memory: the seconds to wait, 0 where the start was taken. */
function wait(taken: Taken | Promise<Taken>): number {
  if (taken instanceof Promise) throw new Error('memory answers at once')
  return taken.refused?.waitSeconds ?? 0
}

describe('the starts in a minute', () => {
  it('come back evenly over the minute', () => {
    const clock = manualClock()
    const rates = createStartRates(clock)
    const take = () => wait(rates.take([{ key: 'a', limit: 6 }]))
    for (let turn = 0; turn < 6; turn += 1) expect(take()).to.equal(0)
    expect(take()).to.equal(10)
    clock.advance(9_000)
    expect(take()).to.equal(1)
    clock.advance(1_000)
    expect(take()).to.equal(0)
    expect(take()).to.equal(10)
  })

  it('never exceed the bucket and its refill, whatever the rhythm, and the told wait is enough', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 30_000 }), { maxLength: 60 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), steps, (limit, waits) => {
        const clock = manualClock()
        const rates = createStartRates(clock)
        const take = () => wait(rates.take([{ key: 'a', limit }]))
        let taken = 0
        for (const ms of waits) {
          clock.advance(ms)
          if (take() === 0) taken += 1
          expect(taken).to.be.at.most(limit + (clock.monotonic() / 60_000) * limit + 1e-6)
        }
        const seconds = take()
        clock.advance(seconds * 1000)
        if (seconds > 0) expect(take()).to.equal(0)
      }),
      { numRuns: 100 },
    )
  })

  it('are taken of every limit or of none, and tell which one refuses', () => {
    const rates = createStartRates(manualClock())
    const asks = (user: string) => [
      { key: user, limit: 5 },
      { key: 'org', limit: 2 },
    ]
    rates.take(asks('a'))
    rates.take(asks('b'))
    const refused = rates.take(asks('c'))
    expect(refused).to.deep.include({ refused: { by: 1, waitSeconds: 30 } })
    expect(refused).to.have.nested.property('quotas[0].remaining', 5)
    expect(refused).to.have.nested.property('quotas[1].remaining', 0)
  })

  it('are given back by a turn that did not begin', () => {
    const rates = createStartRates(manualClock())
    const asks = [{ key: 'a', limit: 1 }]
    expect(wait(rates.take(asks))).to.equal(0)
    rates.giveBack(asks)
    expect(wait(rates.take(asks))).to.equal(0)
    expect(wait(rates.take(asks))).to.be.greaterThan(0)
  })

  it('follow a limit that changes: what was used stays used', () => {
    const rates = createStartRates(manualClock())
    const take = (limit: number) => wait(rates.take([{ key: 'a', limit }]))
    for (let turn = 0; turn < 5; turn += 1) take(10)
    for (let turn = 0; turn < 10; turn += 1) expect(take(20)).to.equal(0)
    expect(take(20)).to.be.greaterThan(0)
    expect(take(1)).to.be.greaterThan(0)
  })

  it('do not fill the memory: the least recently seen keys are forgotten', () => {
    const rates = createStartRates(manualClock())
    const take = (user: number) => wait(rates.take([{ key: `user-${user}`, limit: 1 }]))
    for (let user = 0; user <= 20_000; user += 1) take(user)
    expect(take(20_000)).to.be.greaterThan(0)
    expect(take(0)).to.equal(0)
  })
})
