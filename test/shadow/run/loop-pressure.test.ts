import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { createPulse } from '../../../src/core/pulse/pulse.js'
import { watchLoopPressure } from '../../../src/shadow/run/loop-pressure.js'
import { holdUp } from '../../support/hold-up.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'
import { until } from '../../support/until.js'

/** The clock as a blocked loop sees it: timers fire `lateMs` behind. */
function laggingClock(): ManualClock & { lateMs: number } {
  const clock = manualClock()
  const lagging = Object.assign(clock, { lateMs: 0 })
  const schedule = clock.schedule.bind(clock)
  return Object.assign(lagging, {
    schedule: (ms: number, callback: () => void) => schedule(ms + lagging.lateMs, callback),
  })
}

describe('the pressure on the event loop', () => {
  function watched() {
    const clock = laggingClock()
    const load = { utilization: 0.2 }
    const pulse = createPulse(clock)
    pulse.wake()
    const pressure = watchLoopPressure(clock, pulse, () => load.utilization)
    pressure.start()
    return { clock, load, pressure }
  }

  it('is none while the loop is in time and has time', () => {
    const { clock, load, pressure } = watched()
    load.utilization = 0.9
    clock.lateMs = 50
    clock.advance(5000)
    expect(pressure.now()).to.equal('none')
    pressure.stop()
    expect(clock.pending()).to.equal(0)
  })

  it('is some from a late look on, until a second was calm', () => {
    const { clock, pressure } = watched()
    clock.lateMs = 51
    clock.advance(452)
    expect(pressure.now()).to.equal('some')
    clock.lateMs = 0
    clock.advance(101 + 900)
    expect(pressure.now()).to.equal('some')
    clock.advance(200)
    expect(pressure.now()).to.equal('none')
    pressure.stop()
  })

  it('is some while the loop is at work nearly all the time', () => {
    const { clock, load, pressure } = watched()
    load.utilization = 0.95
    clock.advance(200)
    expect(pressure.now()).to.equal('some')
    clock.advance(5000)
    expect(pressure.now()).to.equal('some')
    load.utilization = 0.5
    clock.advance(1200)
    expect(pressure.now()).to.equal('none')
    pressure.stop()
  })

  it('looks more seldom while the process rests, and closely again from a loop on that is half busy', () => {
    const clock = manualClock()
    const pulse = createPulse(clock)
    const load = { utilization: 0.2, asked: 0 }
    const pressure = watchLoopPressure(clock, pulse, () => {
      load.asked += 1
      return load.utilization
    })
    pressure.start()
    load.asked = 0
    clock.advance(2000)
    expect(load.asked).to.equal(4)
    load.utilization = 0.6
    clock.advance(500)
    expect(pressure.now()).to.equal('none')
    clock.advance(2000)
    expect(load.asked).to.equal(4 + 1 + 10)
    load.utilization = 0.95
    clock.advance(200)
    expect(pressure.now()).to.equal('some')
    pressure.stop()
  })

  it('looks no more once it is stopped, and never without a start', () => {
    const { clock, load, pressure } = watched()
    pressure.stop()
    load.utilization = 1
    clock.advance(5000)
    expect(pressure.now()).to.equal('none')
    expect(watchLoopPressure(clock, createPulse(clock)).now()).to.equal('none')
    expect(clock.pending()).to.equal(0)
  })

  it('sees a loop that is really blocked', async () => {
    const pulse = createPulse(systemClock)
    const pressure = watchLoopPressure(systemClock, pulse)
    pulse.wake()
    pressure.start()
    try {
      holdUp(400)
      await until('the pressure', () => pressure.now() === 'some')
    } finally {
      pressure.stop()
    }
  })
})
