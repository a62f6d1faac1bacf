import { expect } from 'chai'
import fc from 'fast-check'
import type { Timer } from '../../src/core/clock.js'
import { createTimerWheel } from '../../src/core/timer-wheel.js'
import { manualClock } from '../support/manual-clock.js'

const TICK_MS = 50

describe('the timer wheel', () => {
  it('fires each timer once, never early, at most a tick late, in order, and none that was cancelled', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('schedule' as const), ms: fc.integer({ min: 0, max: 3000 }) }),
      fc.record({ do: fc.constant('cancel' as const), which: fc.nat(20) }),
      fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 700 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ max: 1000, min: 0 }), (steps, start) => {
        const clock = manualClock()
        clock.advance(start)
        const wheel = createTimerWheel(clock)
        const timers: { readonly due: number; readonly timer: Timer; cancelled: boolean; fired: number[] }[] =
          []
        for (const each of steps) {
          if (each.do === 'advance') clock.advance(each.ms)
          else if (each.do === 'schedule') {
            const fired: number[] = []
            const timer = wheel.schedule(each.ms, () => fired.push(clock.monotonic()))
            timers.push({ due: clock.monotonic() + each.ms, timer, cancelled: false, fired })
          } else {
            const found = timers[each.which]
            if (found === undefined) continue
            found.timer.cancel()
            found.cancelled ||= found.fired.length === 0
          }
        }
        clock.advance(4000)
        for (const { due, cancelled, fired } of timers) {
          expect(fired).to.have.length(cancelled ? 0 : 1)
          if (!cancelled) expect(fired[0]).to.be.within(due, due + TICK_MS)
        }
        expect(clock.pending()).to.equal(0)
      }),
      { numRuns: 300 },
    )
  })

  it('keeps one timer of the clock for all of its own, and none when all are cancelled', () => {
    const clock = manualClock()
    const wheel = createTimerWheel(clock)
    const timers = Array.from({ length: 1000 }, (_, n) => wheel.schedule(1000 + n, () => undefined))
    expect(clock.pending()).to.equal(1)
    for (const timer of timers) timer.cancel()
    expect(clock.pending()).to.equal(0)
  })

  it('leaves short delays exact', () => {
    const clock = manualClock()
    let firedAt = -1
    createTimerWheel(clock).schedule(199, () => {
      firedAt = clock.monotonic()
    })
    clock.advance(1000)
    expect(firedAt).to.equal(199)
  })

  it('lets a callback cancel another of the same tick, schedule more, and throw alone', () => {
    const clock = manualClock()
    const wheel = createTimerWheel(clock)
    const fired: string[] = []
    let cancelled: Timer | undefined
    wheel.schedule(1000, () => {
      fired.push('first')
      cancelled?.cancel()
      wheel.schedule(1000, () => fired.push('later'))
      throw new Error('broke')
    })
    cancelled = wheel.schedule(1000, () => fired.push('cancelled'))
    wheel.schedule(1000, () => fired.push('third'))
    // Thrown as from a timer of its own, after the others.
    expect(() => clock.advance(1000)).to.throw('broke')
    expect(fired).to.deep.equal(['first', 'third'])
    clock.advance(1100)
    expect(fired).to.deep.equal(['first', 'third', 'later'])
  })

  it('fires what became due while the process stood still', () => {
    const clock = manualClock()
    const wheel = createTimerWheel(clock)
    const fired: number[] = []
    for (const ms of [3000, 1000, 2000]) wheel.schedule(ms, () => fired.push(ms))
    clock.stall(10_000)
    clock.advance(0)
    expect(fired).to.deep.equal([1000, 2000, 3000])
  })

  it('tells when it begins to turn, and whether it does', () => {
    const clock = manualClock()
    let begun = 0
    const wheel = createTimerWheel(clock, () => {
      begun += 1
    })
    wheel.schedule(100, () => undefined)
    expect([begun, wheel.isBusy()]).to.deep.equal([0, false])
    const timers = [wheel.schedule(300, () => undefined), wheel.schedule(400, () => undefined)]
    expect([begun, wheel.isBusy()]).to.deep.equal([1, true])
    for (const timer of timers) timer.cancel()
    expect(wheel.isBusy()).to.equal(false)
    wheel.schedule(300, () => undefined)
    clock.advance(1_000)
    expect([begun, wheel.isBusy()]).to.deep.equal([2, false])
  })
})
