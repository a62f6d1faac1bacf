import { expect } from 'chai'
import { type Beat, createPulse } from '../../../src/core/pulse/pulse.js'
import { manualClock } from '../../support/manual-clock.js'

describe('the pulse of the process', () => {
  function setUp() {
    const clock = manualClock()
    let isBusy = false
    const pulse = createPulse(clock, () => isBusy)
    const beats: Beat[] = []
    let woken = 0
    const forget = pulse.listen({
      beat: (beat) => beats.push(beat),
      onWake: () => {
        woken += 1
      },
    })
    const times = () => beats.splice(0).map(({ now }) => now)
    const work = (goesOn: boolean): void => {
      isBusy = goesOn
    }
    return { clock, pulse, beats, times, forget, work, woken: () => woken }
  }

  it('beats twice a second at rest, ten times for two seconds from a wish on', () => {
    const { clock, pulse, times, woken } = setUp()
    clock.advance(1_000)
    expect(times()).to.deep.equal([500, 1_000])
    clock.advance(250)
    pulse.wake()
    pulse.wake()
    expect([pulse.isAwake, woken()]).to.deep.equal([true, 1])
    clock.advance(200)
    expect(times()).to.deep.equal([1_350, 1_450])
    clock.advance(1_900)
    times()
    expect(pulse.isAwake).to.equal(false)
    clock.advance(1_000)
    expect(times()).to.deep.equal([3_750, 4_250])
  })

  it('tells how late a beat is, to the one who asks before it too, and beats at full pace from then on', () => {
    const { clock, pulse, beats, woken } = setUp()
    clock.stall(549)
    expect(pulse.stalledMs(clock.monotonic())).to.equal(0)
    clock.stall(100)
    expect(pulse.stalledMs(clock.monotonic())).to.equal(149)
    // What is late already is not put off.
    pulse.wake()
    clock.advance(0)
    expect(beats).to.deep.equal([{ now: 649, lateMs: 149, everyMs: 500 }])
    clock.advance(100)
    expect(beats.at(-1)).to.deep.equal({ now: 749, lateMs: 0, everyMs: 100 })
    clock.advance(3_000)
    clock.stall(600)
    clock.advance(0)
    expect([pulse.isAwake, woken()]).to.deep.equal([true, 2])
  })

  it('keeps its pace while the process is busy', () => {
    const { clock, pulse, times, work } = setUp()
    pulse.wake()
    work(true)
    clock.advance(10_000)
    expect(times()).to.have.length(100)
    work(false)
    clock.advance(2_100)
    times()
    expect(pulse.isAwake).to.equal(false)
    // Who begins something says so.
    work(true)
    clock.advance(5_000)
    expect(times()).to.have.length(10)
  })

  it('keeps its pace for two seconds from the last wish on', () => {
    const { clock, pulse, woken } = setUp()
    pulse.wake()
    clock.advance(1_500)
    pulse.wake()
    clock.advance(1_900)
    expect([pulse.isAwake, woken()]).to.deep.equal([true, 1])
    clock.advance(200)
    expect(pulse.isAwake).to.equal(false)
  })

  it('stops with its last listener, and starts with the next', () => {
    const { clock, pulse, beats, forget } = setUp()
    const forgetOther = pulse.listen({ beat: (beat) => beats.push(beat) })
    expect(clock.pending()).to.equal(1)
    forget()
    clock.advance(500)
    expect(beats).to.have.length(1)
    forgetOther()
    expect(clock.pending()).to.equal(0)
    pulse.wake()
    clock.advance(1_000)
    expect([clock.pending(), pulse.stalledMs(clock.monotonic())]).to.deep.equal([0, 0])
    pulse.listen({ beat: (beat) => beats.push(beat) })
    clock.advance(100)
    expect(beats).to.have.length(2)
  })
})
