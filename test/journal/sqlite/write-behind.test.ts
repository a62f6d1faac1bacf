import { expect } from 'chai'
import fc from 'fast-check'
import { WriteBehind } from '../../../src/journal/sqlite/write-behind.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'

type Fault = 'locked' | 'unwritable' | 'impossible'

class Refused extends Error {
  constructor(readonly fault: Fault) {
    super(fault)
  }
}

describe('entries on their way to the disk', () => {
  let clock: ManualClock
  let behind: WriteBehind<number>
  /** one list a transaction */
  let written: number[][]
  let tries: number
  let disk: Fault | 'fine'
  /** entries that can never be written */
  let wrong: Set<number>
  /** entries that cost forty times as much */
  let heavy: Set<number>
  let told: string[]
  /** at the end, in all */
  let pausedMs: number
  let onPause: () => void

  const make = (maxWaiting = 1_000): WriteBehind<number> =>
    new WriteBehind<number>({
      clock,
      maxWaiting,
      weight: (entry) => (heavy.has(entry) ? 40 : 1),
      write(entries) {
        tries += 1
        if (disk !== 'fine') throw new Refused(disk)
        if (entries.some((entry) => wrong.has(entry))) throw new Refused('impossible')
        written.push([...entries])
      },
      faultKind: (error) => (error instanceof Refused ? error.fault : 'impossible'),
      onTrouble: (error) => told.push(`trouble: ${error instanceof Error ? error.message : ''}`),
      onOver: () => told.push('over'),
      onImpossible: () => told.push('impossible'),
      async pause(ms) {
        pausedMs += ms
        onPause()
      },
    })
  const add = (from: number, to: number, rank = 1): void => {
    for (let entry = from; entry <= to; entry += 1) behind.add(entry, rank)
  }
  const range = (from: number, to: number): number[] =>
    Array.from({ length: to - from + 1 }, (_, index) => from + index)

  beforeEach(() => {
    clock = manualClock()
    written = []
    tries = 0
    disk = 'fine'
    wrong = new Set()
    heavy = new Set()
    told = []
    pausedMs = 0
    onPause = () => undefined
    behind = make()
  })

  it('are not written in the turn of whoever brings them, and then together', () => {
    add(1, 3)
    expect(tries).to.equal(0)
    clock.advance(10)
    expect(written).to.deep.equal([[1, 2, 3]])
    expect(clock.pending()).to.equal(0)
  })

  it('of the lowest rank wait for longer, but not where a dearer one comes', () => {
    add(1, 2, 0)
    clock.advance(99)
    expect(tries).to.equal(0)
    clock.advance(1)
    expect(written).to.deep.equal([[1, 2]])
    add(3, 3, 0)
    clock.advance(50)
    add(4, 4)
    clock.advance(10)
    expect(written).to.deep.equal([
      [1, 2],
      [3, 4],
    ])
    expect(clock.pending()).to.equal(0)
  })

  it('are not put off by those that come while they wait', () => {
    add(1, 1, 0)
    clock.advance(100)
    add(2, 2)
    clock.advance(9)
    add(3, 3)
    add(4, 4, 0)
    clock.advance(1)
    expect(written).to.deep.equal([[1], [2, 3, 4]])
    disk = 'locked'
    add(5, 5, 0)
    clock.advance(100)
    expect(tries).to.equal(3)
    add(6, 6)
    clock.advance(19)
    add(7, 7)
    clock.advance(1)
    expect(tries).to.equal(4)
  })

  it('go in short transactions, in order', () => {
    add(1, 250)
    clock.advance(10)
    expect(written.flat()).to.deep.equal(range(1, 100))
    clock.advance(20)
    expect(written.map(({ length }) => length)).to.deep.equal([100, 100, 50])
    expect(written.flat()).to.deep.equal(range(1, 250))
  })

  it('go fewer at a time where they are heavy', () => {
    heavy = new Set([1, 2, 3, 4, 60])
    add(1, 130)
    clock.advance(30)
    expect(written.map(({ length }) => length)).to.deep.equal([3, 57, 70])
    expect(written.flat()).to.deep.equal(range(1, 130))
  })

  it('wait while it is locked, tried less and less often, and nobody hears of a short time', () => {
    disk = 'locked'
    add(1, 3)
    clock.advance(1_900)
    expect(tries).to.be.within(6, 10)
    disk = 'fine'
    clock.advance(1_000)
    expect(written.flat()).to.deep.equal([1, 2, 3])
    expect(told).to.deep.equal([])
    add(4, 4)
    clock.advance(10)
    expect(written).to.have.length(2)
  })

  it('are told once when it is locked for long, and when that is over', () => {
    disk = 'locked'
    add(1, 1)
    clock.advance(60_000)
    expect(told).to.deep.equal(['trouble: locked'])
    expect(tries).to.be.within(50, 70)
    disk = 'fine'
    clock.advance(1_000)
    expect(told).to.deep.equal(['trouble: locked', 'over'])
    disk = 'unwritable'
    add(2, 2)
    clock.advance(10)
    expect(told.at(-1)).to.equal('trouble: unwritable')
  })

  it('are dropped and counted beyond the bound, the newest first', () => {
    behind = make(5)
    disk = 'unwritable'
    add(1, 8)
    expect(behind.dropped).to.equal(3)
    disk = 'fine'
    clock.advance(2_000)
    expect(written.flat()).to.deep.equal([1, 2, 3, 4, 5])
    expect(told).to.deep.equal(['trouble: too many entries wait', 'over'])
  })

  it('give their place to precious ones', () => {
    behind = make(4)
    disk = 'locked'
    add(1, 2, 0)
    add(3, 3, 1)
    add(4, 4, 0)
    add(5, 6, 1)
    add(7, 7, 0)
    add(8, 9, 1)
    clock.advance(10)
    disk = 'fine'
    clock.advance(2_000)
    expect(written.flat()).to.deep.equal([3, 5, 6, 8])
    expect(behind.dropped).to.equal(5)
  })

  it('of the lowest rank go first, whenever they came', () => {
    behind = make(3)
    add(1, 1, 0)
    add(2, 3, 1)
    add(4, 5, 2)
    add(6, 6, 1)
    add(7, 7, 2)
    clock.advance(10)
    expect(written.flat()).to.deep.equal([4, 5, 7])
    expect(behind.dropped).to.equal(4)
  })

  it('give up the newest of the others for them', () => {
    behind = make(3)
    add(1, 3, 0)
    add(4, 4, 1)
    clock.advance(10)
    expect(written.flat()).to.deep.equal([1, 2, 4])
  })

  it('are told to be over when the last of them is written', () => {
    disk = 'unwritable'
    add(1, 250)
    clock.advance(10)
    disk = 'fine'
    while (written.length < 2) clock.step()
    expect(told).to.deep.equal(['trouble: unwritable'])
    clock.step()
    expect(told).to.deep.equal(['trouble: unwritable', 'over'])
  })

  it('lose only the one that can never be written', () => {
    wrong = new Set([50, 120])
    add(1, 130)
    clock.advance(5_000)
    expect(written.flat()).to.deep.equal(range(1, 130).filter((entry) => !wrong.has(entry)))
    expect(behind.dropped).to.equal(2)
    expect(told).to.deep.equal(['impossible', 'impossible'])
    expect(clock.pending()).to.equal(0)
  })

  it('are written at once for whoever wants to read', async () => {
    add(1, 250)
    await behind.flush()
    expect(written.flat()).to.deep.equal(range(1, 250))
    disk = 'locked'
    add(251, 251)
    await behind.flush()
    const before = tries
    await behind.flush()
    expect(tries).to.equal(before)
    disk = 'fine'
    clock.advance(1_000)
    expect(written.flat()).to.deep.equal(range(1, 251))
  })

  describe('at the end', () => {
    it('are written', async () => {
      add(1, 250)
      await behind.close()
      expect(written.flat()).to.deep.equal(range(1, 250))
      expect(clock.pending()).to.equal(0)
      add(251, 252)
      expect(behind.dropped).to.equal(2)
      await behind.close()
    })

    it('are written when the lock goes within a second', async () => {
      disk = 'locked'
      add(1, 3)
      onPause = () => {
        if (pausedMs > 600) disk = 'fine'
      }
      await behind.close()
      expect(written.flat()).to.deep.equal([1, 2, 3])
      expect(pausedMs).to.be.lessThan(1_000)
      expect(behind.dropped).to.equal(0)
    })

    it('are dropped after about a second of trying', async () => {
      disk = 'locked'
      add(1, 3)
      await behind.close()
      expect(pausedMs).to.be.within(800, 1_000)
      expect(behind.dropped).to.equal(3)
      expect(clock.pending()).to.equal(0)
    })
  })

  it('are each written once, in order, or dropped and counted', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('add' as const), count: fc.nat(30), rank: fc.nat(2) }),
      fc.record({ kind: fc.constant('wrong' as const) }),
      fc.record({ kind: fc.constant('advance' as const), ms: fc.nat(3_000) }),
      fc.record({
        kind: fc.constant('disk' as const),
        to: fc.constantFrom('fine' as const, 'locked' as const, 'unwritable' as const),
      }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        clock = manualClock()
        disk = 'fine'
        wrong = new Set()
        written = []
        told = []
        behind = make(50)
        let last = 0
        for (const next of steps) {
          if (next.kind === 'add') {
            for (let count = 0; count < next.count; count += 1) behind.add(++last, next.rank)
          } else if (next.kind === 'wrong') {
            wrong.add(++last)
            behind.add(last, 0)
          } else if (next.kind === 'advance') clock.advance(next.ms)
          else disk = next.to
        }
        disk = 'fine'
        clock.advance(10_000)
        const all = written.flat()
        expect(all).to.deep.equal([...new Set(all)].sort((a, b) => a - b))
        expect(all.some((entry) => wrong.has(entry))).to.equal(false)
        expect(behind.dropped).to.equal(last - all.length)
        const troubles = told.filter((line) => line !== 'impossible').map((line) => line.split(':')[0])
        expect(troubles).to.deep.equal(troubles.map((_, index) => (index % 2 === 0 ? 'trouble' : 'over')))
        expect(troubles.length % 2).to.equal(0)
        expect(clock.pending()).to.equal(0)
      }),
      { numRuns: 200 },
    )
  })
})
