import { expect } from 'chai'
import { sampleEdit } from '../support/flag-edits.js'
import { journalRig, type Open, RETENTION } from './journal-rig.js'

/** Edits of the operators' file by the API. */
export function editsContract(open: Open): void {
  describe("of edits of the operators' file", () => {
    const rig = journalRig(open)
    const users = async (limit: number, before?: number) =>
      (await rig.journal.flagEdits(limit, before)).map(({ userId }) => userId)

    it('gives them as they were, newest first, page by page', async () => {
      const edits = ['u1', 'u2', 'u3'].map((userId) => sampleEdit({ userId, at: Math.round(rig.wall()) }))
      for (const edit of edits) rig.journal.keepFlagEdit(edit)
      const kept = await rig.journal.flagEdits(2)
      expect(kept).to.deep.equal([
        { ...edits[2], id: 3 },
        { ...edits[1], id: 2 },
      ])
      expect(await users(2, kept.at(-1)?.id)).to.deep.equal(['u1'])
    })

    it('leaves out values that are too much, never the edit', async () => {
      const changes = Array.from({ length: 60 }, (_, at) => ({ path: `p${at}`, after: 'x'.repeat(1_900) }))
      rig.journal.keepFlagEdit(sampleEdit({ changes }))
      const [kept] = await rig.journal.flagEdits(1)
      expect(kept?.changes).to.deep.equal(changes.map(({ path }) => ({ path, long: true })))
    })

    it('keeps the newest within its bound', async () => {
      const more = RETENTION.edits.count + 20
      for (let at = 1; at <= more; at += 1)
        rig.journal.keepFlagEdit(sampleEdit({ userId: `u${at}`, at: Math.round(rig.wall()) }))
      await rig.journal.flagEdits(1)
      await rig.pass(1)
      const kept = await users(1_000)
      expect([kept.length, kept[0], kept.at(-1)]).to.deep.equal([RETENTION.edits.count, `u${more}`, 'u21'])
    })
  })
}
