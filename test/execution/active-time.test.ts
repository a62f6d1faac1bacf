import { expect } from 'chai'
import { ActiveTime } from '../../src/execution/active-time.js'
import { manualClock } from '../support/manual-clock.js'

describe('the time of an execution', () => {
  it('is not negative where a stall of before its beginning is noticed after it', () => {
    const clock = manualClock()
    let stalledMs = 0
    const time = new ActiveTime({ ...clock, stalledMs: () => stalledMs })
    clock.advance(2)
    // The watcher of stalls has its turn only now.
    stalledMs = 180
    expect(time.ms).to.equal(0)
    clock.advance(500)
    expect(time.ms).to.equal(322)
  })
})
