import { expect } from 'chai'
import type { Clock, Timer } from '../../../src/core/clock.js'
import { startBudget } from '../../../src/decision/daemon/answer-budget.js'

/** A clock whose timers fire only when the busy event loop lets them. */
function busyClock() {
  let now = 0
  let timers: { at: number; callback: () => void }[] = []
  const clock: Clock = {
    monotonic: () => now,
    wall: () => now,
    schedule(delayMs, callback): Timer {
      const timer = { at: now + delayMs, callback }
      timers.push(timer)
      return {
        cancel() {
          timers = timers.filter((one) => one !== timer)
        },
      }
    },
  }
  /** One round of the loop that ends only then. */
  const round = async (endsAt: number) => {
    now = endsAt
    const due = timers.filter(({ at }) => at <= now)
    timers = timers.filter(({ at }) => at > now)
    for (const { callback } of due) callback()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { clock, round, pending: () => timers.length }
}

async function stateOf(answer: Promise<unknown>): Promise<unknown> {
  return Promise.race([answer, new Promise((resolve) => setImmediate(() => resolve('waiting')))])
}

describe('the time for an answer', () => {
  it('is 50 ms on an idle event loop', async () => {
    const { clock, round } = busyClock()
    const answer = startBudget(clock).inTime(new Promise(() => {}))
    await round(49)
    expect(await stateOf(answer)).to.equal('waiting')
    await round(50)
    expect(await stateOf(answer)).to.equal(undefined)
  })

  it('goes on for some rounds while our own event loop is late, not for ever', async () => {
    const { clock, round, pending } = busyClock()
    const answer = startBudget(clock).inTime(new Promise(() => {}))
    let rounds = 0
    for (let at = 100; (await stateOf(answer)) === 'waiting'; at += 30) {
      await round(at)
      rounds += 1
    }
    expect(rounds).to.equal(6)
    expect(pending()).to.equal(0)
  })

  it('ends with one last look once rounds are in time again', async () => {
    const { clock, round } = busyClock()
    const answer = startBudget(clock).inTime(new Promise(() => {}))
    await round(100)
    expect(await stateOf(answer)).to.equal('waiting')
    await round(101)
    await round(102)
    expect(await stateOf(answer)).to.equal(undefined)
  })
})
