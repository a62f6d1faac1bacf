import { expect } from 'chai'
import { systemClock } from '../../src/core/clock.js'
import { createPulse } from '../../src/core/pulse/pulse.js'
import { chatLimitsSchema } from '../../src/limits/chat-limits.js'
import { watchOverload } from '../../src/limits/overload.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { holdUp } from '../support/hold-up.js'
import { manualClock } from '../support/manual-clock.js'

describe('the watch over an overload', () => {
  function setUp(limits: object = {}) {
    const clock = manualClock()
    const pulse = createPulse(clock)
    pulse.wake()
    const { logger, lines } = capturingLogger()
    const seen: {
      delayMs: number | undefined
      open: number
      looks: number
      taken: number
      measuring: boolean
    } = {
      delayMs: 0,
      open: 100,
      looks: 0,
      taken: 0,
      measuring: false,
    }
    const watch = watchOverload({
      pulse,
      logger,
      environment: { maxStreams: 1000, turnsPerMinute: 0 },
      limits: async () => chatLimitsSchema.parse(limits),
      open: () => seen.open,
      delay: {
        start: () => {
          seen.measuring = true
        },
        take: () => {
          seen.taken += 1
          return seen.delayMs
        },
        stop: () => {
          seen.measuring = false
        },
      },
    })
    watch.onLook(() => {
      seen.looks += 1
    })
    const look = async (times: number): Promise<void> => {
      for (let time = 0; time < times; time += 1) {
        clock.advance(200)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    return { clock, pulse, lines, seen, watch, look }
  }

  it('sees an event loop whose every round takes longer than the time between two looks', async () => {
    const watch = watchOverload({
      pulse: createPulse(systemClock),
      logger: capturingLogger().logger,
      environment: { maxStreams: 1000, turnsPerMinute: 0 },
      limits: async () => chatLimitsSchema.parse({ overloadDelayMs: 100 }),
      open: () => 100,
    })
    watch.start()
    try {
      for (let round = 0; round < 8; round += 1) {
        holdUp(250)
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(watch.level).to.be.at.least(3)
    } finally {
      watch.stop()
    }
  })

  it('tells the level and the places, tells who listens, and logs each change once', async () => {
    const { lines, seen, watch, look } = setUp()
    watch.start()
    await look(1)
    seen.delayMs = 150
    await look(5)
    expect(watch.level).to.equal(3)
    expect(watch.places).to.be.within(80, 90)
    expect(seen.looks).to.equal(6)
    expect(lines.map(({ msg, level }) => [msg, level])).to.deep.equal([['[Limits] overload rises', 3]])
    watch.stop()
  })

  it('counts who was turned away from one look to the next', async () => {
    const { watch, look } = setUp()
    watch.start()
    await look(1)
    const turnAway = (): void => {
      for (let turn = 0; turn < 10; turn += 1) watch.turnedAway()
    }
    turnAway()
    await look(2)
    expect(watch.level).to.equal(0)
    for (let time = 0; time < 2; time += 1) {
      turnAway()
      await look(1)
    }
    expect(watch.level).to.equal(3)
    watch.stop()
  })

  it('takes the limits of the flag, 0 for none', async () => {
    const { seen, watch, look } = setUp({ overloadDelayMs: 0, maxStreams: 110 })
    watch.start()
    await look(1)
    seen.delayMs = 5_000
    await look(3)
    expect(watch.level).to.equal(2)
    watch.stop()
  })

  it('measures nothing while the process rests, and at once when a turn begins or the loop is late', async () => {
    const { clock, pulse, seen, watch } = setUp()
    seen.open = 0
    watch.start()
    clock.advance(3_000)
    expect([pulse.isAwake, seen.measuring]).to.deep.equal([false, false])
    const { looks, taken } = seen
    clock.advance(5_000)
    expect([seen.looks, seen.taken]).to.deep.equal([looks + 10, taken])
    pulse.wake()
    expect(seen.measuring).to.equal(true)
    clock.advance(3_000)
    expect(seen.measuring).to.equal(false)
    clock.stall(600)
    clock.advance(0)
    expect(seen.measuring).to.equal(true)
    clock.advance(3_000)
    seen.open = 1
    clock.advance(120_000)
    expect(seen.measuring).to.equal(true)
    watch.stop()
  })

  it('looks closely from the first turn on that is turned away', async () => {
    const { clock, pulse, seen, watch, look } = setUp()
    seen.open = 0
    watch.start()
    await look(1)
    clock.advance(3_000)
    expect(pulse.isAwake).to.equal(false)
    for (let time = 0; time < 2; time += 1) {
      for (let turn = 0; turn < 10; turn += 1) watch.turnedAway()
      expect(seen.measuring).to.equal(true)
      await look(1)
    }
    expect(watch.level).to.equal(3)
    watch.stop()
  })

  it('looks closely as long as there is an overload, also without a stream', async () => {
    const { clock, pulse, seen, watch, look } = setUp()
    seen.open = 0
    watch.start()
    await look(1)
    seen.delayMs = 150
    await look(3)
    expect(watch.level).to.equal(3)
    clock.advance(60_000)
    expect([watch.level, pulse.isAwake]).to.deep.equal([3, true])
    seen.delayMs = 0
    clock.advance(20_000)
    expect([watch.level, pulse.isAwake]).to.deep.equal([0, false])
    watch.stop()
  })

  it('goes by how late its own look is where nothing was measured', async () => {
    const { clock, pulse, seen, watch } = setUp()
    seen.delayMs = undefined
    watch.start()
    await new Promise((resolve) => setImmediate(resolve))
    for (let time = 0; time < 4; time += 1) {
      clock.stall(350)
      clock.advance(0)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(pulse.isAwake).to.equal(true)
    expect(watch.level).to.equal(3)
    watch.stop()
  })

  it('goes by how late its own look is where Node has measured nothing yet', async () => {
    const clock = manualClock()
    const pulse = createPulse(clock)
    const watch = watchOverload({
      pulse,
      logger: capturingLogger().logger,
      environment: { maxStreams: 1000, turnsPerMinute: 0 },
      limits: async () => chatLimitsSchema.parse({ overloadDelayMs: 100 }),
      open: () => 100,
    })
    pulse.wake()
    watch.start()
    clock.advance(200)
    await new Promise((resolve) => setImmediate(resolve))
    // The loop does not go round meanwhile, so nothing is measured from the first of these looks on.
    for (let time = 0; time < 3; time += 1) {
      clock.stall(350)
      clock.advance(0)
    }
    expect(watch.level).to.equal(3)
    watch.stop()
  })

  it('leaves no timer and no measurement behind', async () => {
    const { clock, seen, watch, look } = setUp()
    watch.start()
    watch.start()
    await look(2)
    expect([clock.pending(), seen.measuring]).to.deep.equal([1, true])
    watch.stop()
    expect([clock.pending(), seen.measuring]).to.deep.equal([0, false])
  })
})
