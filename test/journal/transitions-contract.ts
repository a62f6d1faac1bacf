import { expect } from 'chai'
import fc from 'fast-check'
import type { Transition } from '../../src/journal/journal.js'
import { scopeOf } from '../../src/protocol/fallback-scope.js'
import { trip } from './journal-contract.js'
import { journalRig, type Open } from './journal-rig.js'

/** Changes that several replicas tell of, each known by its revision, replica and instant. */
export function transitionsContract(open: Open): void {
  describe('of a change that others adopted', () => {
    const rig = journalRig(open)

    const own = (revision: number, more: Partial<Transition> = {}) =>
      trip(revision, { kind: 'trip', evidence: { total: 9 }, ...more })
    const adopted = (revision: number, more: Partial<Transition> = {}) =>
      trip(revision, { adopted: true, ...more })
    const kept = async (): Promise<unknown[]> =>
      (await rig.journal.transitions(100)).map(({ id, revision, kind }) => [id, revision, kind ?? 'adopted'])

    it('keeps the word of the replica that did it, whoever tells first', async () => {
      rig.journal.keepTransition(own(1))
      rig.journal.keepTransition(adopted(1))
      rig.journal.keepTransition(adopted(2))
      rig.journal.keepTransition(own(2))
      expect(await kept()).to.deep.equal([
        [2, 2, 'trip'],
        [1, 1, 'trip'],
      ])
      expect(await rig.journal.transitions(1)).to.deep.equal([{ ...own(2), id: 2 }])
    })

    it('keeps what only others tell of, once', async () => {
      rig.journal.keepTransition(adopted(1))
      rig.journal.keepTransition(adopted(1))
      expect(await rig.journal.transitions(10)).to.deep.equal([{ ...adopted(1), id: 1 }])
    })

    it('keeps the scope, its ids as they are', async () => {
      const scope = scopeOf('agents', ['a,b', '%2C', '智能体', ''])
      rig.journal.keepTransition(own(1, { scope }))
      expect(await rig.journal.transitions(1)).to.deep.equal([{ ...own(1, { scope }), id: 1 }])
    })

    it('keeps the place of the one it replaces', async () => {
      rig.journal.keepTransition(adopted(1))
      rig.journal.keepTransition(own(2))
      rig.journal.keepTransition(own(1))
      rig.journal.keepTransition(own(3))
      expect(await kept()).to.deep.equal([
        [3, 3, 'trip'],
        [2, 2, 'trip'],
        [1, 1, 'trip'],
      ])
    })

    it('tells changes apart by revision, replica and instant', async () => {
      const base = adopted(5)
      rig.journal.keepTransition(base)
      rig.journal.keepTransition(adopted(6, { at: base.at }))
      rig.journal.keepTransition(adopted(5, { replica: 'b' }))
      rig.journal.keepTransition(adopted(5, { at: base.at + 1 }))
      rig.journal.keepTransition(own(5, { at: base.at + 2 }))
      expect(await kept()).to.have.length(5)
    })

    it('keeps all that a replica tells of its own', async () => {
      rig.journal.keepTransition(own(1))
      rig.journal.keepTransition(own(1))
      expect(await kept()).to.have.length(2)
    })

    it('tells each change once, in whatever order replicas tell of it', async () => {
      const told = fc.array(fc.record({ revision: fc.integer({ min: 1, max: 5 }), adopted: fc.boolean() }), {
        maxLength: 20,
      })
      let last = 0
      await fc.assert(
        fc.asyncProperty(told, async (changes) => {
          const base = last
          last += 5
          const mine = new Set<number>()
          for (const change of changes) {
            const revision = base + change.revision
            // A replica tells of each of its own changes once.
            if (!change.adopted && mine.has(revision)) continue
            if (!change.adopted) mine.add(revision)
            rig.journal.keepTransition(change.adopted ? adopted(revision) : own(revision))
          }
          const seen = (await rig.journal.transitions(5)).filter(({ revision }) => revision > base)
          const expected = new Set(changes.map(({ revision }) => base + revision))
          expect(seen.map(({ revision }) => revision).sort()).to.deep.equal([...expected].sort())
          for (const { revision, kind } of seen)
            expect(kind).to.equal(mine.has(revision) ? 'trip' : undefined)
        }),
        { numRuns: 30 },
      )
    })
  })
}
