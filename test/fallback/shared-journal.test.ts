import { expect } from 'chai'
import { createMemoryJournal } from '../../src/journal/memory/memory-journal.js'
import { manualClock } from '../support/manual-clock.js'
import { setUpLoop } from './loop-setup.js'

describe('replicas that share flag store and journal', () => {
  for (const order of ['the replica that did it first', 'the others first'] as const) {
    it(`keep each change once, told by ${order}`, async () => {
      const first = setUpLoop()
      const second = setUpLoop({ files: first.files, replica: 'replica-2' })
      const both = async (ms: number): Promise<void> => {
        for (let left = ms; left > 0; left -= 100) {
          await first.pass(100)
          await second.pass(100)
        }
      }
      await first.start()
      await second.start()
      void first.fallback.command({ kind: 'trigger', userId: 'ann', reason: 'drill' })
      await both(2_000)
      void second.fallback.command({ kind: 'reset', userId: 'bob' })
      await both(2_000)
      await first.fallback.stop()
      await second.fallback.stop()
      expect(first.kept.map(({ adopted }) => adopted === true)).to.deep.equal([false, true])
      expect(second.kept.map(({ adopted }) => adopted === true)).to.deep.equal([true, false])

      const journal = createMemoryJournal({ clock: manualClock() })
      const all = [...first.kept, ...second.kept].sort((a, b) => a.revision - b.revision)
      const ranked = (own: number) => all.toSorted((a, b) => own * (Number(!a.adopted) - Number(!b.adopted)))
      for (const transition of ranked(order === 'the others first' ? 1 : -1))
        journal.keepTransition(transition)
      const kept = await journal.transitions(10)
      expect(kept.map(({ kind, userId }) => [kind, userId])).to.have.deep.members([
        ['triggered', 'ann'],
        ['reset', 'bob'],
      ])
      await journal.close()
    })
  }
})
