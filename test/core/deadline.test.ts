import { stat } from 'node:fs/promises'
import { expect } from 'chai'
import { type Clock, systemClock } from '../../src/core/clock.js'
import { scheduleDeadline } from '../../src/core/deadline.js'
import { holdUp } from '../support/hold-up.js'
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

  it('goes round fifty times before it calls back, however long the first round took', () => {
    const clock = manualClock()
    let isOver = false
    scheduleDeadline(clock, 250, () => {
      isOver = true
    })
    clock.stall(10_000)
    for (let round = 0; round < 50; round += 1) {
      clock.step()
      expect(isOver, `round ${round}`).to.equal(false)
    }
    clock.step()
    expect(isOver).to.equal(true)
  })

  it('sets one timer for a call that ends in half its time', () => {
    const clock = manualClock()
    let set = 0
    const counting: Clock = {
      ...clock,
      schedule(ms, callback) {
        set += 1
        return clock.schedule(ms, callback)
      },
    }
    const timer = scheduleDeadline(counting, 250, () => undefined)
    clock.advance(124)
    timer.cancel()
    expect(set).to.equal(1)
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
