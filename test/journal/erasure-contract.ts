import { expect } from 'chai'
import type { ComparisonQuery } from '../../src/journal/comparison.js'
import { JournalUnavailable } from '../../src/journal/journal.js'
import { sampleComparison, sampleDrop, sampleExecution } from '../support/comparisons.js'
import { rejection } from '../support/rejection.js'
import { journalRig, type Open } from './journal-rig.js'

const ALL: ComparisonQuery = { from: 0, to: Number.MAX_SAFE_INTEGER, controlMode: 'direct_llm' }

/** What a journal erases, and what it leaves. */
export function erasureContract(open: Open): void {
  const rig = journalRig(open)

  /** For each user one comparison with content, one execution and one dropped shadow. */
  const keepFor = (orgId: string, userId: string | undefined): void => {
    const at = rig.wall()
    const content = { control: `asked by ${userId}`, candidate: 'same' }
    const user = userId === undefined ? {} : { userId }
    rig.journal.keepComparison(sampleComparison({ at, orgId, ...user, content }))
    rig.journal.keepExecution(sampleExecution({ at, orgId, agentId: 'a', sessionId: `${orgId}-${userId}` }))
    rig.journal.keepDrop(sampleDrop({ at, orgId }))
  }
  const left = async (orgId: string) => {
    const query = { ...ALL, orgId }
    const contents = await rig.journal.comparisonContents(query, 100)
    const sessions: (string | undefined)[] = []
    for await (const page of rig.journal.executedFor(query))
      sessions.push(...page.map(({ sessionId }) => sessionId))
    return {
      pairs: (await rig.journal.comparisonSums(query)).ab.pairs,
      contents: contents.map(({ control }) => control).sort(),
      sessions: sessions.sort(),
      drops: Object.keys(await rig.journal.drops(query)).length,
    }
  }

  describe('erases', () => {
    beforeEach(() => {
      for (const orgId of ['acme', 'globex']) for (const userId of ['u1', 'u2']) keepFor(orgId, userId)
    })

    it('what is kept of a user in one org', async () => {
      const before = await left('globex')
      const who = { orgId: 'acme', userId: 'u1', sessionIds: ['acme-u1', 'globex-u1'] }
      expect(await rig.journal.erase(who)).to.deep.equal({ comparisons: 1, contents: 1, executions: 1 })
      expect(await left('acme')).to.deep.include({
        pairs: 1,
        contents: ['asked by u2'],
        sessions: ['acme-u2'],
      })
      expect(await left('globex')).to.deep.equal(before)
      expect(await rig.journal.erase(who)).to.deep.equal({ comparisons: 0, contents: 0, executions: 0 })
    })

    it('what is kept of a user in whatever org', async () => {
      const who = { userId: 'u2', sessionIds: ['acme-u2', 'globex-u2'] }
      expect(await rig.journal.erase(who)).to.deep.equal({ comparisons: 2, contents: 2, executions: 2 })
      expect(await left('globex')).to.deep.include({
        pairs: 1,
        contents: ['asked by u1'],
        sessions: ['globex-u1'],
      })
    })

    it('what is kept of an org, its dropped shadows too', async () => {
      const untouched = await left('globex')
      expect(await rig.journal.erase({ orgId: 'acme', sessionIds: [] })).to.deep.equal({
        comparisons: 2,
        contents: 2,
        executions: 2,
      })
      const nothing = await left('nobody')
      expect(await left('acme')).to.deep.equal(nothing)
      expect(await left('globex')).to.deep.equal(untouched)
    })

    it('contents of nobody known with those of a user of the org, and comparisons without a user not', async () => {
      keepFor('acme', undefined)
      const erased = await rig.journal.erase({ orgId: 'acme', userId: 'u1', sessionIds: [] })
      expect(erased).to.deep.equal({ comparisons: 1, contents: 2, executions: 0 })
      expect(await left('acme')).to.deep.include({ pairs: 2, contents: ['asked by u2'] })
    })

    it('nothing for nobody', async () => {
      expect(await rig.journal.erase({ sessionIds: [] })).to.deep.equal({
        comparisons: 0,
        contents: 0,
        executions: 0,
      })
      expect(await left('acme')).to.deep.include({ pairs: 2 })
    })

    it('nothing once it is closed', async () => {
      await rig.journal.close()
      const failure = await rejection(rig.journal.erase({ orgId: 'acme', sessionIds: [] }))
      expect(failure).to.be.instanceOf(JournalUnavailable)
    })
  })
}
