import { stat } from 'node:fs/promises'
import { expect } from 'chai'
import { systemClock } from '../../src/core/clock.js'
import { scheduleDeadline } from '../../src/core/deadline.js'
import { manualClock } from '../support/manual-clock.js'

describe('a deadline', () => {
  it('calls back once, after its time', () => {
    const clock = manualClock()
    let calls = 0
    scheduleDeadline(clock, 250, () => {
      calls += 1
    })
    clock.advance(249)
    expect(calls).to.equal(0)
    clock.advance(2)
    expect(calls).to.equal(1)
    clock.advance(10_000)
    expect(calls).to.equal(1)
    expect(clock.pending()).to.equal(0)
  })

  it('leaves nothing behind when it is cancelled, at any moment', () => {
    for (const after of [0, 1, 100, 249]) {
      const clock = manualClock()
      const timer = scheduleDeadline(clock, 250, () => expect.fail('it was cancelled'))
      clock.advance(after)
      timer.cancel()
      timer.cancel()
      expect(clock.pending()).to.equal(0)
    }
  })

  it('waits for a call of several steps while the process itself is held up', async () => {
    const busy = setInterval(() => holdUp(30), 0)
    let isLate = false
    const timer = scheduleDeadline(systemClock, 60, () => {
      isLate = true
    })
    for (let step = 0; step < 6; step += 1) await stat('.')
    clearInterval(busy)
    timer.cancel()
    expect(isLate).to.equal(false)
  })
})

function holdUp(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}
