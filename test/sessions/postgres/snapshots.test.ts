import { expect } from 'chai'
import fc from 'fast-check'
import { Snapshots } from '../../../src/sessions/postgres/snapshots.js'

const LONGEST_MS = 15_000

interface Step {
  readonly does: 'begin' | 'end' | 'snapshot'
  readonly which: number
  readonly ms: number
}

const step: fc.Arbitrary<Step> = fc.record({
  does: fc.constantFrom('begin', 'end', 'snapshot', 'snapshot'),
  which: fc.nat(100),
  ms: fc.integer({ min: 0, max: 4_000 }),
})

/** The first number is near one where the lower 32 bits, or their sign, begin anew. */
const first = fc
  .tuple(fc.nat(3), fc.constantFrom(0, 2 ** 31), fc.integer({ min: -10, max: 10 }))
  .map(([epoch, half, offset]) => Math.max(3, epoch * 2 ** 32 + half + offset))

describe('the age of a row by snapshots', () => {
  it('is the time since the first kept snapshot after the end of its transaction, in any order of transactions', () => {
    fc.assert(
      fc.property(first, fc.array(step, { maxLength: 60 }), (start, steps) => {
        const snapshots = new Snapshots(LONGEST_MS)
        const open: number[] = []
        const endedAt = new Map<number, number>()
        const taken: { readonly at: number; readonly after: number }[] = []
        let next = start
        let highest = start
        let now = 0
        steps.forEach(({ does, which, ms }, at) => {
          now += ms
          if (does === 'begin') open.push(next++)
          if (does === 'end') {
            const [id] = open.splice(which % Math.max(1, open.length), 1)
            if (id !== undefined) endedAt.set(id, at)
            highest = Math.max(highest, (id ?? 0) + 1)
          }
          if (does !== 'snapshot') return
          const running = open.filter((id) => id < highest)
          const text = `${Math.min(highest, ...open)}:${highest}:${running.join(',')}`
          snapshots.see(['a', text], now)
          taken.push({ at: now, after: at })
        })
        // As seen at the last snapshot, when old ones make room.
        const seenAt = taken.at(-1)?.at ?? now
        const old = taken.filter(({ at }, index) => index < taken.length - 1 && seenAt - at >= LONGEST_MS)
        const kept = taken.slice(Math.max(0, old.length - 1))
        for (const [id, step] of endedAt) {
          const proof = kept.find(({ after }) => after > step)
          const expected = proof === undefined ? 0 : now - proof.at
          expect(snapshots.unchangedMs({ server: 'a', transaction: id % 2 ** 32 }, now)).to.equal(expected)
        }
      }),
    )
  })

  it('is not told by snapshots of another server, nor by those of more than an hour ago', () => {
    const snapshots = new Snapshots(LONGEST_MS)
    snapshots.see(['a', '100:100:'], 0)
    expect(snapshots.unchangedMs({ server: 'a', transaction: 99 }, 20_000)).to.equal(20_000)
    expect(snapshots.unchangedMs({ server: 'b', transaction: 99 }, 20_000)).to.equal(0)
    expect(snapshots.unchangedMs({ server: 'a', transaction: 99 }, 3_600_000)).to.equal(0)
    expect(new Snapshots(1).unchangedMs({ server: 'a', transaction: 99 }, 20_000)).to.equal(0)
  })

  it('is 0 for a transaction that the snapshot does not know yet', () => {
    const snapshots = new Snapshots(LONGEST_MS)
    snapshots.see(['a', '100:105:101,103'], 0)
    const ages = [99, 100, 101, 102, 103, 104, 105, 106].map((transaction) =>
      snapshots.unchangedMs({ server: 'a', transaction }, 1),
    )
    expect(ages).to.deep.equal([1, 1, 0, 1, 0, 1, 0, 0])
  })

  it('keeps one snapshot that is old enough, and no more', () => {
    const snapshots = new Snapshots(LONGEST_MS)
    for (let at = 0; at <= 60; at += 1) snapshots.see(['a', `${100 + at}:${100 + at}:`], at * 1_000)
    expect(snapshots.unchangedMs({ server: 'a', transaction: 99 }, 60_000)).to.equal(LONGEST_MS)
  })
})
