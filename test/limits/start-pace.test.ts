import { expect } from 'chai'
import { createFairPlaces } from '../../src/limits/fair-places.js'
import { createStartPace } from '../../src/limits/start-pace.js'
import { manualClock } from '../support/manual-clock.js'

/** Lets what was resolved go on. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('the pace at which turns begin', () => {
  function setUp(capacity = { places: 100, newPlaces: 100 }) {
    const clock = manualClock()
    const rounds: (() => void)[] = []
    const pace = createStartPace((callback) => void rounds.push(callback))
    const places = createFairPlaces({ clock, pace, capacity: () => capacity })
    const begun = { new: 0, next: 0, refused: 0 }
    const ask = (kind: 'new' | 'next', count: number): void => {
      for (let turn = 0; turn < count; turn += 1)
        void places
          .take({ orgId: 'a', weight: 1, kind })
          .then((giveBack) => (begun[giveBack === undefined ? 'refused' : kind] += 1))
    }
    const round = async (): Promise<void> => {
      for (const callback of rounds.splice(0)) callback()
      await settle()
    }
    return { clock, places, rounds, begun, ask, round }
  }

  it('lets eight new sessions begin in a round of the event loop, and the others in the next ones', async () => {
    const { places, rounds, begun, ask, round } = setUp()
    ask('new', 20)
    await settle()
    expect(begun.new).to.equal(8)
    await round()
    expect(begun.new).to.equal(16)
    await round()
    expect([begun.new, places.waiting]).to.deep.equal([20, 0])
    // The last round, after which nothing is left to be done.
    await round()
    expect(rounds).to.deep.equal([])
  })

  it('lets turns of sessions begin where new sessions wait already', async () => {
    const { begun, ask } = setUp()
    ask('new', 10)
    ask('next', 10)
    await settle()
    expect(begun).to.deep.equal({ new: 8, next: 8, refused: 0 })
  })

  it('refuses nobody of a burst for whom there is a place, unless new sessions are held back', async () => {
    const { begun, ask, round } = setUp()
    ask('new', 100)
    for (let rounds = 0; rounds < 13; rounds += 1) await round()
    expect(begun).to.deep.equal({ new: 100, next: 0, refused: 0 })
    const heldBack = setUp({ places: 100, newPlaces: 50 })
    heldBack.ask('new', 100)
    for (let rounds = 0; rounds < 13; rounds += 1) await heldBack.round()
    expect(heldBack.begun).to.deep.equal({ new: 18, next: 0, refused: 82 })
  })

  it('refuses who could not begin in 200 ms while as many come as begin', async () => {
    const { clock, places, begun, ask } = setUp()
    ask('new', 10)
    clock.advance(199)
    expect(begun.refused).to.equal(0)
    ask('new', 1)
    clock.advance(1)
    await settle()
    expect(begun).to.deep.equal({ new: 8, next: 0, refused: 2 })
    expect([places.waiting, clock.pending()]).to.deep.equal([1, 1])
  })

  it('lets the turns of a burst wait a second while more begin than come', async () => {
    const { clock, places, begun, ask, round } = setUp({ places: 200, newPlaces: 200 })
    ask('new', 100)
    for (let at = 0; at < 900; at += 100) {
      await round()
      clock.advance(100)
      await settle()
    }
    expect(begun).to.deep.equal({ new: 80, next: 0, refused: 0 })
    clock.advance(100)
    await settle()
    expect(begun).to.deep.equal({ new: 80, next: 0, refused: 20 })
    expect([places.waiting, clock.pending()]).to.deep.equal([0, 0])
  })

  it('lets the turns of a burst wait through a pause of the process', async () => {
    for (const pauseMs of [150, 250, 400]) {
      const { clock, places, begun, ask, round } = setUp({ places: 200, newPlaces: 200 })
      ask('new', 100)
      for (let rounds = 0; rounds < 13; rounds += 1) {
        if (rounds === 4) clock.stall(pauseMs)
        // The timers of a round come first.
        clock.advance(20)
        await round()
      }
      expect(begun, `${pauseMs} ms`).to.deep.equal({ new: 100, next: 0, refused: 0 })
      expect([places.waiting, clock.pending()]).to.deep.equal([0, 0])
    }
  })

  it('waits for no burst where places are taken, or new sessions held back', async () => {
    for (const capacity of [
      { places: 5, newPlaces: 5 },
      { places: 100, newPlaces: 5 },
    ]) {
      const { clock, begun, ask } = setUp(capacity)
      ask('new', 10)
      clock.advance(200)
      await settle()
      expect(begun).to.deep.equal({ new: 5, next: 0, refused: 5 })
    }
  })
})
