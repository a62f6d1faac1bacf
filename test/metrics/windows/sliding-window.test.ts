import { expect } from 'chai'
import fc from 'fast-check'
import { SlidingWindow } from '../../../src/metrics/windows/sliding-window.js'
import { manualClock } from '../../support/manual-clock.js'
import { sampleOutcome } from '../sample-outcome.js'
import { expectMetrics, NaiveWindows } from './naive-windows.js'

describe('the sliding window', () => {
  it('holds the window and at most one slice more', () => {
    const window = new SlidingWindow(60_000, 6)
    const totals: number[] = []
    for (let at = 0; at < 200_000; at += 100) {
      window.record(at, sampleOutcome())
      if (at > 100_000) totals.push(window.read(at).total)
    }
    expect(Math.min(...totals)).to.equal(600)
    expect(Math.max(...totals)).to.be.within(660, 701)
  })

  it('holds so many slices at most, also while it grows faster than they leave', () => {
    const window = new SlidingWindow(1_000, 6)
    const outcome = sampleOutcome({ firstContentMs: 100 })
    const fresh = window.bytes
    let now = 0
    let most = 0
    const times: number[] = []
    for (let seconds = 1; seconds < 86_400; seconds *= 1.2) {
      window.resize(now, seconds * 1000)
      for (let at = 0; at < 8; at++) {
        window.record(now, outcome)
        times.push(now)
        now += seconds * 20
        most = Math.max(most, window.bytes)
      }
    }
    expect(window.read(now).total, 'nothing has left').to.equal(times.length)
    // twice its six slices and three: each about 1 kB with few executions in it
    expect(most - fresh).to.be.below(15 * 1_100)

    // then it stays as long as it is, and what was joined leaves in time
    const lengthMs = 86_400_000
    window.resize(now, lengthMs)
    for (let at = 0; at < 200; at++) {
      now += lengthMs / 200
      const younger = (ms: number): number => times.filter((time) => now - time < ms).length
      expect(window.read(now).total).to.be.within(younger(lengthMs), younger(lengthMs + lengthMs / 6))
    }
    expect(window.isEmpty(now)).to.equal(true)
    expect(window.bytes, 'what was joined is given back').to.equal(fresh)
  })

  it('joins slices where there are too many, and none to more than one slice of its length', () => {
    // Aborted executions have no times: each slice takes the same memory.
    const outcome = sampleOutcome({ result: 'aborted' })
    const from = 1_000_000_000
    for (let rounds = 1; rounds < 45; rounds++) {
      const window = new SlidingWindow(1_000, 6)
      const fresh = window.bytes
      const times: number[] = []
      let now = from
      let lengthMs = 1_000
      let sliceBytes = 0
      for (let round = 0; round < rounds; round++, lengthMs *= 1.2) {
        window.resize(now, lengthMs)
        for (let at = 0; at < 8; at++) {
          window.record(now, outcome)
          sliceBytes ||= window.bytes - fresh
          expect(window.bytes).to.be.at.most(fresh + 15 * sliceBytes)
          times.push(now)
          now += lengthMs / 50
        }
      }
      window.resize(now, lengthMs)
      for (let at = 0; at < 30; at++, now += lengthMs / 30) {
        const younger = (ms: number): number => times.filter((time) => now - time < ms).length
        expect(window.read(now).aborted).to.be.within(younger(lengthMs), younger(lengthMs + lengthMs / 6))
      }
    }
  })

  it('takes what it took at first after all has left', () => {
    const window = new SlidingWindow(1_000, 3)
    const fresh = window.bytes
    for (let now = 0; now < 3_000; now++) {
      if (now % 300 === 0) window.resize(now, now % 600 === 0 ? 4_000 : 500)
      window.record(now, sampleOutcome({ firstContentMs: now }))
    }
    expect(window.bytes).to.be.above(fresh)
    expect(window.isEmpty(10_000)).to.equal(true)
    expect(window.bytes).to.equal(fresh)
  })

  it('agrees with a list of everything while its length changes all the time', () => {
    // Mostly it doubles, so that slices pile up before they leave; then it is a second again.
    const step = fc.record({
      parts: fc.constantFrom(0, 0.01, 0.5, 1.1, 1.1, 1.1),
      latencyMs: fc.integer({ min: 1, max: 10_000 }),
      longer: fc.constantFrom(1, 2, 2, 2, 0.3),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
        const clock = manualClock()
        const window = new SlidingWindow(10_000, 3)
        const naive = new NaiveWindows(clock, 10, 3)
        let seconds = 10
        for (const { parts, latencyMs, longer } of steps) {
          // whole ms: the two subtract in different orders, and fractions would differ in the last bit at an edge
          clock.advance(Math.round((parts * seconds * 1000) / 3))
          const outcome = sampleOutcome({ latencyMs, firstContentMs: latencyMs / 2 })
          naive.record(outcome)
          window.record(clock.monotonic(), outcome)
          seconds = seconds > 1_000_000 ? 1 : Math.ceil(seconds * longer)
          naive.resize(seconds)
          window.resize(clock.monotonic(), seconds * 1000)
          naive.age()
          expectMetrics(window.read(clock.monotonic()), naive.held)
        }
      }),
      { numRuns: 25 },
    )
  })
})
