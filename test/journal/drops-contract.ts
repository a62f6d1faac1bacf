import { expect } from 'chai'
import fc from 'fast-check'
import type { ComparisonQuery, DroppedShadow } from '../../src/journal/comparison.js'
import { JournalUnavailable } from '../../src/journal/journal.js'
import { anyDrop, sampleDrop } from '../support/comparisons.js'
import { rejection } from '../support/rejection.js'
import { journalRig, type Open, RETENTION } from './journal-rig.js'

const AT = Date.UTC(2026, 0, 1)
const MINUTE_MS = 60_000
const ALL: ComparisonQuery = { from: 0, to: AT * 2, controlMode: 'direct_llm' }

/** What a journal does with dropped shadows. */
export function dropsContract(open: Open): void {
  const rig = journalRig(open)

  const keep = (times: number, more: Partial<DroppedShadow> = {}): void => {
    for (let time = 0; time < times; time += 1) rig.journal.keepDrop(sampleDrop(more))
  }
  const sums = (more: Partial<ComparisonQuery> = {}) => rig.journal.drops({ ...ALL, ...more })
  const counted = async (more: Partial<ComparisonQuery> = {}) => (await sums(more)).reasons

  describe('of dropped shadows', () => {
    it('begins with nothing', async () => {
      expect(await counted()).to.deep.equal({})
    })

    it('counts them by reason, those of the running minute too', async () => {
      keep(3)
      keep(2, { reason: 'sick' })
      expect(await counted()).to.deep.equal({ busy: 3, sick: 2 })
      rig.clock.advance(MINUTE_MS + 100)
      keep(1)
      expect(await counted()).to.deep.equal({ busy: 4, sick: 2 })
      expect(await counted()).to.deep.equal({ busy: 4, sick: 2 })
    })

    it('knows what they would have been compared as, where that was told', async () => {
      keep(3, { kind: 'ab' })
      keep(2, { kind: 'aa' })
      keep(1, { kind: 'aa', reason: 'sick' })
      keep(4)
      for (const wait of [0, MINUTE_MS]) {
        rig.clock.advance(wait)
        expect(await sums()).to.deep.equal({ reasons: { busy: 9, sick: 1 }, kinds: { ab: 3, aa: 3 } })
      }
      keep(1, { kind: 'ab' })
      expect((await sums()).kinds).to.deep.equal({ ab: 4, aa: 3 })
    })

    it('takes a span, an org, an agent and a control', async () => {
      keep(1, { at: AT - 1 })
      keep(2, { at: AT, orgId: 'org-2' })
      keep(4, { at: AT + MINUTE_MS - 1, agentId: 'agent-2' })
      keep(8, { at: AT + MINUTE_MS })
      keep(16, { controlMode: 'runtime_orchestrator' })
      const busy = async (more: Partial<ComparisonQuery>): Promise<number> => (await counted(more)).busy ?? 0
      const expectAll = async (): Promise<void> => {
        const minute = { from: AT, to: AT + MINUTE_MS }
        expect(await busy({})).to.equal(15)
        expect(await busy(minute)).to.equal(6)
        expect(await busy({ to: AT })).to.equal(1)
        expect(await busy({ from: AT + MINUTE_MS })).to.equal(8)
        expect(await busy({ ...minute, orgId: 'org-1' })).to.equal(4)
        expect(await busy({ orgId: 'org-2' })).to.equal(2)
        expect(await busy({ orgId: 'org-2', agentId: 'agent-2' })).to.equal(0)
        expect(await busy({ agentId: 'agent-2' })).to.equal(4)
        expect(await busy({ controlMode: 'runtime_orchestrator' })).to.equal(16)
        expect(await counted({ orgId: 'org-3' })).to.deep.equal({})
      }
      await expectAll()
      rig.clock.advance(2 * MINUTE_MS)
      await expectAll()
    })

    it('counts all of a minute in which a span begins or ends', async () => {
      keep(1, { at: AT + MINUTE_MS + 50_000 })
      const middle = AT + MINUTE_MS + 45_000
      for (const wait of [0, 2 * MINUTE_MS]) {
        rig.clock.advance(wait)
        expect(await counted({ to: middle })).to.deep.equal({ busy: 1 })
        expect(await counted({ from: middle })).to.deep.equal({ busy: 1 })
        expect(await counted({ from: AT + 2 * MINUTE_MS })).to.deep.equal({})
        expect(await counted({ to: AT + MINUTE_MS })).to.deep.equal({})
      }
    })

    it('counts whatever is kept as somebody would who goes through all of it', async () => {
      const query = fc.record(
        {
          from: fc.nat(60).map((minutes) => AT + minutes * MINUTE_MS),
          to: fc.nat(60).map((minutes) => AT + minutes * MINUTE_MS),
          controlMode: fc.constantFrom('direct_llm' as const, 'runtime_orchestrator' as const),
          orgId: fc.constantFrom('org-1', 'org-2', "'; DROP TABLE drops; --"),
          agentId: fc.constantFrom('agent-1', 'agent-2'),
        },
        { requiredKeys: ['from', 'to', 'controlMode'] },
      )
      const steps = fc.array(
        fc.oneof({ weight: 5, arbitrary: anyDrop }, fc.constant('asks' as const), fc.nat(100_000)),
        { maxLength: 60 },
      )
      let runs = 0
      await fc.assert(
        fc.asyncProperty(steps, query, async (all, asked) => {
          await rig.journal.close()
          await rig.fresh()
          // A span of its own for each run: the file stays.
          runs += 1
          const shift = runs * 10_000 * MINUTE_MS
          const span = { ...asked, from: asked.from + shift, to: asked.to + shift }
          for (const step of all) {
            if (step === 'asks') await rig.journal.drops(span)
            else if (typeof step === 'number') rig.clock.advance(step)
            else rig.journal.keepDrop({ ...step, at: step.at + shift })
          }
          const drops = all.filter((step) => typeof step === 'object')
          expect((await rig.journal.drops(span)).reasons).to.deep.equal(naive(drops, asked))
        }),
        { numRuns: 40 },
      )
    })

    it('tells a hundred orgs apart in a minute, and counts the rest together', async () => {
      for (let org = 0; org < 250; org += 1)
        keep(2, { orgId: `org-${org}`, reason: org % 2 ? 'sick' : 'busy' })
      const expectAll = async (): Promise<void> => {
        expect(await counted()).to.deep.equal({ busy: 250, sick: 250 })
        expect(await counted({ orgId: 'org-99' })).to.deep.equal({ sick: 2 })
        expect(await counted({ orgId: 'org-100' })).to.deep.equal({})
        expect(await counted({ agentId: 'agent-1' })).to.deep.equal({ busy: 100, sick: 100 })
      }
      await expectAll()
      keep(1, { orgId: 'org-100' })
      keep(1, { orgId: 'org-99' })
      expect(await counted({ orgId: 'org-100' })).to.deep.equal({})
      // another reason is another row
      expect(await counted({ orgId: 'org-99' })).to.deep.equal({ sick: 2 })
      rig.clock.advance(MINUTE_MS)
      keep(1, { orgId: 'org-100' })
      expect(await counted({ orgId: 'org-100' })).to.deep.equal({ busy: 1 })
      expect(rig.journal.dropped).to.equal(0)
    })

    it('drops and counts what has no instant, and what has too many', async () => {
      keep(1, { at: Number.NaN })
      keep(1, { at: Number.POSITIVE_INFINITY })
      expect(rig.journal.dropped).to.equal(2)
      for (let minute = 0; minute < 1_500; minute += 1) keep(1, { at: AT + minute * MINUTE_MS })
      expect(rig.journal.dropped).to.equal(502)
    })

    it('keeps any text that somebody writes', async () => {
      for (const orgId of ['', 'a\nb', '\u{1f9ef}', 'a\0b\ud800c', 'x'.repeat(5_000)]) keep(1, { orgId })
      expect(await counted()).to.deep.equal({ busy: 5 })
      expect(await counted({ orgId: '' })).to.deep.equal({ busy: 1 })
      expect(await counted({ orgId: 'a\nb' })).to.deep.equal({ busy: 1 })
    })

    it('keeps the newest, so many, for a quarter', async () => {
      const { count } = RETENTION.drops
      for (let minute = 0; minute < count + 100; minute += 1) keep(1, { at: AT + minute * MINUTE_MS })
      await rig.pass(0)
      expect(await counted()).to.deep.equal({ busy: count })
      expect(await counted({ to: AT + 100 * MINUTE_MS })).to.deep.equal({})
      await rig.pass(89)
      expect(await counted()).to.deep.equal({ busy: count })
      await rig.pass(2)
      expect(await counted()).to.deep.equal({})
    })

    it('says when it is closed, and drops what comes later', async () => {
      keep(1)
      await rig.journal.close()
      keep(1)
      expect(rig.journal.dropped).to.equal(1)
      expect(rig.clock.pending()).to.equal(0)
      expect(await rejection(counted())).to.be.instanceOf(JournalUnavailable)
    })
  })
}

function naive(drops: readonly DroppedShadow[], query: ComparisonQuery): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { at, controlMode, orgId, agentId, reason } of drops) {
    const minute = at - (at % MINUTE_MS)
    if (minute < query.from || minute >= query.to || controlMode !== query.controlMode) continue
    if (query.orgId !== undefined && query.orgId !== orgId) continue
    if (query.agentId !== undefined && query.agentId !== agentId) continue
    counts[reason] = (counts[reason] ?? 0) + 1
  }
  return counts
}
