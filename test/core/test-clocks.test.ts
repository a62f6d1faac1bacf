import { expect } from 'chai'
import fc from 'fast-check'
import { EarliestFirst } from '../support/earliest-first.js'
import { manualClock } from '../support/manual-clock.js'
import { simulateLoop } from '../support/simulated-loop.js'

describe('the clocks of the tests', () => {
  it('take out what is planned in order of time, of equals the first added', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(9), fc.constant('take' as const))), (steps) => {
        const planned = new EarliestFirst<{ at: number; id: number }>()
        const list: { at: number; id: number }[] = []
        for (const [id, step] of steps.entries()) {
          if (step === 'take') {
            expect(planned.first).to.deep.equal(list[0])
            expect(planned.take()).to.deep.equal(list.shift())
            continue
          }
          planned.add({ at: step, id })
          const after = list.findIndex(({ at }) => at > step)
          list.splice(after < 0 ? list.length : after, 0, { at: step, id })
        }
        expect(planned.first).to.deep.equal(list[0])
      }),
    )
  })

  it('fire timers of one time in the order in which they were scheduled, and none that was cancelled', async () => {
    const manual = manualClock()
    const loop = simulateLoop()
    for (const [clock, pass] of [
      [manual, async () => manual.advance(30)],
      [loop.clock, () => loop.runUntil(30)],
    ] as const) {
      const fired: string[] = []
      const at = (ms: number, what: string) => clock.schedule(ms, () => fired.push(what))
      at(20, 'c')
      at(5, 'a')
      const cancelled = at(5, 'never')
      at(20, 'd')
      at(5, 'b')
      cancelled.cancel()
      await pass()
      expect(fired).to.deep.equal(['a', 'b', 'c', 'd'])
    }
  })
})
