import { expect } from 'chai'
import { createFairPlaces, type FairPlaces } from '../../src/limits/fair-places.js'
import { type ManualClock, manualClock } from '../support/manual-clock.js'

const TURN_MS = 500

/** Lets what was resolved go on. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('the places', () => {
  function setUp(places: number) {
    const clock = manualClock()
    const capacity = { places, newPlaces: places }
    return { clock, capacity, places: createFairPlaces({ clock, capacity: () => capacity }) }
  }
  const ask = (places: FairPlaces, orgId = 'a') => places.take({ orgId, weight: 1, kind: 'new' })

  it('that are all taken are waited for, at most 200 ms', async () => {
    const { clock, places } = setUp(1)
    const giveBack = await ask(places)
    const [first, second] = [ask(places), undefined]
    expect(places.waiting).to.equal(1)
    clock.advance(199)
    expect(places.waiting).to.equal(1)
    giveBack?.()
    expect(await first).to.be.a('function')
    const late = ask(places)
    clock.advance(200)
    expect(await late).to.equal(second)
    expect([places.waiting, clock.pending()]).to.deep.equal([0, 0])
  })

  it('are waited for up to a second by an org that asks for less than another one that waits', async () => {
    const { clock, places } = setUp(2)
    await ask(places, 'greedy')
    const giveBack = await ask(places, 'greedy')
    const less = ask(places, 'modest')
    clock.advance(100)
    const more = ask(places, 'greedy')
    clock.advance(200)
    expect(await more).to.equal(undefined)
    clock.advance(699)
    expect(places.waiting).to.equal(1)
    giveBack?.()
    expect(await less).to.be.a('function')
    const late = ask(places, 'other')
    void ask(places, 'greedy')
    clock.advance(1_000)
    expect([await late, places.waiting, clock.pending()]).to.deep.equal([undefined, 0, 0])
  })

  it('are given back once, however often that is said', async () => {
    const { places } = setUp(1)
    const giveBack = await ask(places)
    giveBack?.()
    giveBack?.()
    expect(places.takeNow('a', 1)).to.be.a('function')
    expect(places.takeNow('a', 1)).to.equal(undefined)
  })

  it('refuse at once what the line has no room for', async () => {
    const { places } = setUp(2)
    for (let turn = 0; turn < 2; turn += 1) await ask(places)
    void ask(places)
    void ask(places)
    expect(await ask(places)).to.equal(undefined)
  })

  it('that are added serve those who wait', async () => {
    const { places, capacity } = setUp(1)
    await ask(places)
    const waiting = ask(places)
    capacity.places = 2
    capacity.newPlaces = 2
    places.fill()
    expect(await waiting).to.be.a('function')
  })

  describe('of which enough are free, but whose turns begin slowly', () => {
    /** 160 turns of one org wait; for 110 ms so many of them begin every 10 ms */
    function line(every10Ms: number, kind: 'new' | 'next' = 'new') {
      const clock = manualClock()
      let left = 0
      let endRound: () => void = () => undefined
      const pace = {
        mayStart: () => left > 0,
        started: () => {
          left -= 1
        },
        onRound: (listener: () => void) => {
          endRound = listener
        },
      }
      const capacity = { places: 1_000, newPlaces: 1_000 }
      const places = createFairPlaces({ clock, capacity: () => capacity, pace })
      for (let turn = 0; turn < 160; turn += 1) void places.take({ orgId: 'a', weight: 1, kind })
      for (let round = 0; round < 11; round += 1) {
        clock.advance(10)
        left = every10Ms
        endRound()
      }
      left = 0
      return places
    }
    const newOf = (orgId: string) => ({ orgId, weight: 1, kind: 'new' }) as const

    it('refuse at once who would not begin within 200 ms', async () => {
      const slow = line(1)
      expect([slow.waiting, slow.holdsBack, slow.wouldRefuse(newOf('a'))]).to.deep.equal([149, true, true])
      expect(await ask(slow)).to.equal(undefined)
      const fast = line(8)
      expect([fast.waiting, fast.holdsBack, fast.wouldRefuse(newOf('a'))]).to.deep.equal([72, true, false])
    })

    it('let others into the line: another org, and turns of sessions', () => {
      const slow = line(1)
      expect(slow.wouldRefuse(newOf('b'))).to.equal(false)
      expect(slow.wouldRefuse({ ...newOf('a'), kind: 'next' })).to.equal(false)
    })

    it('refuse a turn of a session where those that wait are turns of sessions as well', () => {
      const next = { ...newOf('a'), kind: 'next' } as const
      expect(line(1, 'next').wouldRefuse(next)).to.equal(true)
      expect(line(8, 'next').wouldRefuse(next)).to.equal(false)
    })

    it('hold nobody back where none is free', async () => {
      const { places } = setUp(1)
      await ask(places)
      void ask(places)
      expect([places.waiting, places.holdsBack]).to.deep.equal([1, false])
    })
  })

  it('serve nine modest orgs nearly in full beside one that asks for three times everything', async () => {
    const { clock, places } = setUp(40)
    // 40 places and turns of half a second: 80 turns a second, 8 for each of ten orgs.
    const orgs = [
      { org: 'greedy', everyMs: 1000 / 240 },
      ...Array.from({ length: 9 }, (_, at) => ({ org: `modest ${at}`, everyMs: 1000 / 7.2 })),
    ]
    const seen = await simulate(clock, places, orgs, 20_000)
    for (const { org } of orgs.slice(1)) {
      const { asked, served, longestWaitMs } = seen.get(org) ?? { asked: 0, served: 0, longestWaitMs: 0 }
      expect(served / asked, org).to.be.at.least(0.95)
      // The greedy org filled all places at once, so they end together: still nobody waits for as long as a turn takes.
      expect(longestWaitMs, org).to.be.below(TURN_MS)
    }
    const all = [...seen.values()].reduce((sum, { served }) => sum + served, 0)
    expect(all / 20).to.be.closeTo(80, 2)
    expect((seen.get('greedy')?.served ?? 0) / 20).to.be.closeTo(80 - 9 * 7.2, 2)
  })
})

interface Seen {
  asked: number
  served: number
  longestWaitMs: number
}

/** Turns of half a second by a clock of its own. */
async function simulate(
  clock: ManualClock,
  places: FairPlaces,
  orgs: readonly { readonly org: string; readonly everyMs: number }[],
  ms: number,
): Promise<Map<string, Seen>> {
  const seen = new Map(orgs.map(({ org }) => [org, { asked: 0, served: 0, longestWaitMs: 0 } as Seen]))
  const due = orgs.map(({ org, everyMs }, at) => ({ org, everyMs, next: (at * everyMs) / orgs.length }))
  while (clock.monotonic() < ms) {
    for (const one of due)
      for (; one.next <= clock.monotonic(); one.next += one.everyMs) {
        const counts = seen.get(one.org)
        if (counts === undefined) continue
        counts.asked += 1
        const askedAt = clock.monotonic()
        void places.take({ orgId: one.org, weight: 1, kind: 'new' }).then((giveBack) => {
          if (giveBack === undefined) return
          counts.served += 1
          counts.longestWaitMs = Math.max(counts.longestWaitMs, clock.monotonic() - askedAt)
          clock.schedule(TURN_MS, giveBack)
        })
      }
    await settle()
    clock.advance(2)
  }
  return seen
}
