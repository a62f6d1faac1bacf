import { expect } from 'chai'
import { AgeReference } from '../../src/journal/age-reference.js'

const DAY_MS = 86_400_000
const NOW = Date.UTC(2026, 0, 10)

describe('the instant from which ages count', () => {
  let wall: number
  let monotonic: number
  const clock = {
    wall: () => wall,
    monotonic: () => monotonic,
    schedule: () => ({ cancel: () => undefined }),
  }
  const pass = (ms: number): void => {
    wall += ms
    monotonic += ms
  }
  beforeEach(() => {
    wall = NOW
    monotonic = 0
  })

  it('is the wall clock, where the newest entry is younger than a day', () => {
    const age = new AgeReference(clock, NOW - DAY_MS)
    expect(age.now(NOW - DAY_MS)).to.equal(NOW)
    expect(age.now(undefined)).to.equal(NOW)
    expect(age.now(NOW - DAY_MS - 1)).to.equal(undefined)
  })

  it('is none for a day after a start a day and more beyond the newest entry', () => {
    const age = new AgeReference(clock, NOW - 2 * DAY_MS)
    // The first entries of this start have the time that is not believed.
    expect(age.now(NOW)).to.equal(undefined)
    pass(DAY_MS - 1)
    expect(age.now(wall)).to.equal(undefined)
    pass(1)
    expect(age.now(wall)).to.equal(wall)
  })

  it('is the wall clock while that is behind, which deletes less, and after it came back', () => {
    const age = new AgeReference(clock, NOW)
    wall -= 3 * DAY_MS
    expect(age.now(NOW)).to.equal(NOW - 3 * DAY_MS)
    pass(1000)
    wall += 3 * DAY_MS
    expect(age.now(NOW)).to.equal(wall)
  })

  it('is none for a day after a jump ahead, though the clock was behind before', () => {
    const age = new AgeReference(clock, NOW)
    wall -= 3 * DAY_MS
    expect(age.now(wall)).to.equal(wall)
    pass(DAY_MS - 1)
    wall += 400 * DAY_MS
    expect(age.now(wall)).to.equal(undefined)
    pass(DAY_MS - 1)
    expect(age.now(wall)).to.equal(undefined)
    pass(1)
    expect(age.now(wall)).to.equal(wall)
  })

  it('follows the small steps of a clock that is set', () => {
    const age = new AgeReference(clock, NOW)
    for (let step = 0; step < 100; step += 1) {
      wall += DAY_MS / 2
      expect(age.now(wall)).to.equal(wall)
    }
  })
})
