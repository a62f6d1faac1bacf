import { expect } from 'chai'
import fc from 'fast-check'
import { afterLook, type Look, NO_OVERLOAD, type Overload } from '../../src/limits/overload-state.js'

const LIMIT_MS = 100

/** Looks 200 ms apart, from a state and a time on. */
function looks(from: Overload, of: readonly Partial<Look>[], startAt = 0): Overload[] {
  const states: Overload[] = []
  let state = from
  for (const [index, look] of of.entries()) {
    const at = startAt + index * 200
    state = afterLook(state, {
      at,
      delayMs: 0,
      open: 100,
      maxStreams: 1000,
      turnedAway: 0,
      limitMs: LIMIT_MS,
      ...look,
    })
    states.push(state)
  }
  return states
}

const times = (count: number, look: Partial<Look>): Partial<Look>[] =>
  Array.from({ length: count }, () => look)
const levels = (states: readonly Overload[]): number[] => states.map(({ level }) => level)
const shedding = (): Overload => looks(NO_OVERLOAD, times(2, { delayMs: 150 })).at(-1) ?? NO_OVERLOAD

describe('the overload', () => {
  it('rises by how late the event loop is: shadows, recovery shadows, new sessions, all new turns', () => {
    for (const [delayMs, level] of [
      [49, 0],
      [50, 1],
      [75, 2],
      [100, 3],
      [400, 4],
    ] as const)
      expect(levels(looks(NO_OVERLOAD, times(2, { delayMs })))).to.deep.equal([0, level])
  })

  it('holds new sessions back at a loop in time where turns were turned away twice, with room beyond what is open', () => {
    const away = { delayMs: 10, turnedAway: 10 }
    expect(levels(looks(NO_OVERLOAD, times(5, { turnedAway: 9 }))).at(-1)).to.equal(0)
    const states = looks(NO_OVERLOAD, times(2, away))
    expect(levels(states)).to.deep.equal([0, 3])
    expect(states.at(-1)).to.include({ places: 110 })
    // It stays so while turns are turned away.
    expect(
      levels(looks(states.at(-1) ?? NO_OVERLOAD, times(20, { ...away, open: 10 }), 400)).at(-1),
    ).to.equal(3)
    expect(levels(looks(NO_OVERLOAD, times(5, { ...away, limitMs: 0 }))).at(-1)).to.equal(0)
  })

  it('begins with the places of a moment ago where a long round left few streams open', () => {
    const states = looks(NO_OVERLOAD, [
      { open: 500 },
      { delayMs: 50, open: 300, turnedAway: 300 },
      { delayMs: 40, open: 90, turnedAway: 400 },
    ])
    expect(states.at(-1)).to.include({ level: 3, places: 495 })
    // What was open long ago says nothing.
    const later = looks(NO_OVERLOAD, [{ open: 500 }, ...times(30, { open: 90, turnedAway: 0 })]).at(-1)
    const begun = looks(later ?? NO_OVERLOAD, times(2, { open: 90, turnedAway: 10 }), 6_200)
    expect(begun.at(-1)).to.include({ places: 99 })
  })

  it('does not rise by one look: a collection of garbage looks the same', () => {
    expect(levels(looks(NO_OVERLOAD, [{ delayMs: 900 }, {}, { delayMs: 900 }, {}]))).to.deep.equal([
      0, 0, 0, 0,
    ])
    expect(levels(looks(NO_OVERLOAD, [{ delayMs: 900 }, { delayMs: 60 }]))).to.deep.equal([0, 1])
  })

  it('leaves shadows out by open streams, but refuses nobody for them', () => {
    for (const [open, level] of [
      [799, 0],
      [800, 1],
      [900, 2],
      [1000, 2],
    ] as const)
      expect(levels(looks(NO_OVERLOAD, times(2, { open }))).at(-1)).to.equal(level)
    expect(levels(looks(NO_OVERLOAD, times(5, { open: 10, maxStreams: 10 }))).at(-1)).to.equal(0)
  })

  it('falls a level after two calm seconds, from the highest after five', () => {
    const top = looks(NO_OVERLOAD, times(2, { delayMs: 500, open: 0 })).at(-1) ?? NO_OVERLOAD
    const fall = levels(looks(top, times(60, { open: 0 })))
    expect(fall.indexOf(3)).to.equal(25)
    expect(fall.indexOf(2)).to.equal(36)
    expect(fall.indexOf(1)).to.equal(47)
    expect(fall.indexOf(0)).to.equal(58)
  })

  it('does not fall while the delay stays near what began it, or turns are held back', () => {
    expect(new Set(levels(looks(shedding(), times(100, { delayMs: 71, open: 0 }))))).to.deep.equal(
      new Set([3]),
    )
    const held = looks(shedding(), times(10, { delayMs: 10, open: 1000 }))
    expect(new Set(levels(held))).to.deep.equal(new Set([3]))
  })

  it('allows fewer streams while the loop is late, and more while it is not', () => {
    const [begun] = [shedding()]
    expect(begun).to.include({ places: 90 })
    const [late] = looks(begun, [{ delayMs: 150, open: 90 }])
    expect(late).to.include({ places: 85 })
    const [good] = looks(begun, [{ delayMs: 40, open: 90 }])
    expect(good).to.include({ places: 92 })
    const [inTime] = looks(begun, [{ delayMs: 20, open: 90 }])
    expect(inTime).to.include({ places: 99 })
    const [between] = looks(begun, [{ delayMs: 80, open: 90 }])
    expect(between).to.include({ places: 90 })
  })

  it('keeps the places of a moment ago through a pause in which nearly all streams ended', () => {
    const before = looks(shedding(), times(3, { delayMs: 10, open: 100 })).at(-1) ?? NO_OVERLOAD
    expect(before).to.include({ places: 109 })
    const [paused, after] = looks(before, [{ delayMs: 340, open: 20 }, { open: 20 }], 1_000)
    expect(paused).to.include({ places: 95 })
    expect(after).to.include({ places: 95 })
    // A loop that stays late with few streams open leaves few places.
    const late = looks(before, times(30, { delayMs: 340, open: 20 }), 1_000).at(-1)
    expect(late).to.include({ places: 16 })
  })

  it('keeps at least ten places, at most those there are, and stays near what is open', () => {
    const look = fc.record({ delayMs: fc.integer({ min: 0, max: 1000 }), open: fc.nat(1200) })
    fc.assert(
      fc.property(fc.array(look, { maxLength: 100 }), (seen) => {
        for (const state of looks(NO_OVERLOAD, seen))
          if (state.kind === 'sheds') expect(state.places).to.be.within(10, 1000)
      }),
    )
    // Streams that run on cannot be hurried: ten seconds of delay must not leave nothing for the time after.
    const last = looks(shedding(), times(50, { delayMs: 150, open: 100 })).at(-1)
    expect(last).to.include({ places: 80 })
  })

  it('is not watched by delay with the limit 0', () => {
    expect(levels(looks(NO_OVERLOAD, times(5, { delayMs: 5000, limitMs: 0 }))).at(-1)).to.equal(0)
  })
})
