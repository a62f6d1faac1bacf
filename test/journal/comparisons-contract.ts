import { expect } from 'chai'
import fc from 'fast-check'
import type {
  ComparisonQuery,
  ComparisonSums,
  ExecutedFor,
  JudgedExecution,
  KindSums,
  Span,
} from '../../src/journal/comparison.js'
import { type ExecutionFacts, JournalUnavailable } from '../../src/journal/journal.js'
import { anyComparison, sampleComparison, sampleExecution, sampleSide } from '../support/comparisons.js'
import { rejection } from '../support/rejection.js'
import { journalRig, type Open, RETENTION } from './journal-rig.js'
import { naiveSums } from './naive-sums.js'

const AT = Date.UTC(2026, 0, 1)
const ALL: ComparisonQuery = { from: 0, to: AT * 2, controlMode: 'direct_llm' }
const DAY_MS = 86_400_000

/** What a journal does with comparisons and executions. */
export function comparisonsContract(open: Open): void {
  const rig = journalRig(open)

  const executions = async (span: Span): Promise<ExecutionFacts[]> => {
    const all: ExecutionFacts[] = []
    for await (const page of rig.journal.executions(span)) all.push(...page)
    return all
  }

  describe('of comparisons', () => {
    it('begins with nothing', async () => {
      expect(await rig.journal.comparisonSums(ALL)).to.deep.equal(naiveSums([], ALL))
      expect(await rig.journal.comparisonContents(ALL, 10)).to.deep.equal([])
    })

    it('adds up a pair', async () => {
      rig.journal.keepComparison(
        sampleComparison({
          control: sampleSide({ latencyMs: 1_000, firstContentMs: 200, tokens: 50, characters: 100 }),
          candidate: sampleSide({
            mode: 'runtime_orchestrator',
            latencyMs: 1_500.5,
            firstContentMs: 100,
            tokens: 60,
            characters: 90,
          }),
          textSimilarity: 0.5,
          fenceViolations: 2,
        }),
      )
      const { ab, aa } = await rig.journal.comparisonSums(ALL)
      expect(aa.pairs).to.equal(0)
      expect(ab).to.deep.include({ pairs: 1, fenceViolations: 2 })
      const squares = { control: 1_000, candidate: 1_500.5, difference: 500.5, differenceSquares: 250_500.25 }
      expect(ab.paired.latency).to.deep.equal({ n: 1, ...squares })
      expect(ab.paired.tokens).to.include({ n: 1, difference: 10 })
      expect(ab.paired.lnFirstContent.difference).to.be.closeTo(-Math.LN2, 1e-12)
      expect(ab.similar.text).to.deep.equal({ n: 1, sum: 0.5, squares: 0.25 })
      expect(ab.similar.plan.n).to.equal(0)
    })

    it('counts ends and codes, and measures only where both sides are well', async () => {
      const failing = sampleSide({ result: 'error', code: 'runtime_error' })
      const late = sampleSide({ result: 'timeout', code: 'first_content_timeout' })
      rig.journal.keepComparison(sampleComparison())
      rig.journal.keepComparison(sampleComparison({ control: late, candidate: failing, textSimilarity: 1 }))
      rig.journal.keepComparison(sampleComparison({ control: late }))
      rig.journal.keepComparison(sampleComparison({ candidate: late }))
      const { ab } = await rig.journal.comparisonSums(ALL)
      expect(ab.control).to.deep.equal({ ok: 2, error: 0, timeout: 2 })
      expect(ab.candidate).to.deep.equal({ ok: 2, error: 1, timeout: 1 })
      expect(ab.failed).to.deep.equal({ neither: 1, controlOnly: 1, candidateOnly: 1, both: 1 })
      expect(ab.timedOut).to.deep.equal({ neither: 1, controlOnly: 2, candidateOnly: 1, both: 0 })
      expect(ab.paired.latency.n).to.equal(1)
      expect(ab.similar.text.n).to.equal(1)
      expect(ab.codes).to.deep.equal({
        control: { first_content_timeout: 2 },
        candidate: { runtime_error: 1, first_content_timeout: 1 },
      })
    })

    it('adds up whatever is kept as somebody would who goes through all of it', async () => {
      const query = fc.record(
        {
          from: fc.nat(3_600_000).map((after) => AT + after),
          to: fc.nat(3_700_000).map((after) => AT + after),
          controlMode: fc.constantFrom('direct_llm' as const, 'runtime_orchestrator' as const),
          orgId: fc.constantFrom('org-1', 'org-2', "'; DROP TABLE comparisons; --"),
          agentId: fc.constantFrom('agent-1', 'agent-2'),
        },
        { requiredKeys: ['from', 'to', 'controlMode'] },
      )
      await fc.assert(
        fc.asyncProperty(fc.array(anyComparison, { maxLength: 30 }), query, async (comparisons, asked) => {
          await rig.journal.close()
          await rig.fresh()
          // A span of its own for each run: the file stays.
          const shift = ++runs * 10_000_000
          for (const comparison of comparisons)
            rig.journal.keepComparison({ ...comparison, at: comparison.at + shift })
          const span = { ...asked, from: asked.from + shift, to: asked.to + shift }
          expectSums(await rig.journal.comparisonSums(span), naiveSums(comparisons, asked))
        }),
        { numRuns: 40 },
      )
    })
    let runs = 0

    it('adds up more than one page, whatever the order and the ties of their instants', async () => {
      const count = RETENTION.comparisons.count
      const kept = Array.from({ length: count }, (_, at) =>
        sampleComparison({ at: AT + ((at * 7) % 5), orgId: `org-${at % 3}` }),
      )
      for (const comparison of kept) rig.journal.keepComparison(comparison)
      const query = { ...ALL, from: AT + 1, to: AT + 4 }
      for (const asked of [ALL, query, { ...query, orgId: 'org-1' }])
        expectSums(await rig.journal.comparisonSums(asked), naiveSums(kept, asked))
    })

    it('drops and counts one with a number that is none', async () => {
      rig.journal.keepComparison(sampleComparison({ control: sampleSide({ latencyMs: Number.NaN }) }))
      rig.journal.keepComparison(sampleComparison({ textSimilarity: Number.NaN }))
      rig.journal.keepComparison(sampleComparison({ at: Number.POSITIVE_INFINITY }))
      expect(rig.journal.dropped).to.equal(3)
      expect((await rig.journal.comparisonSums(ALL)).ab.pairs).to.equal(0)
    })

    it('bounds absurd numbers', async () => {
      const absurd = { latencyMs: Number.POSITIVE_INFINITY, firstContentMs: -1, characters: 1e300 }
      rig.journal.keepComparison(sampleComparison({ control: sampleSide(absurd), textSimilarity: 7 }))
      const { ab } = await rig.journal.comparisonSums(ALL)
      expect(ab.paired.latency.control).to.equal(DAY_MS)
      expect(ab.paired.characters.control).to.equal(1_000_000_000)
      expect(ab.similar.text.sum).to.equal(1)
    })

    it('gives single pairs of both backends, oldest first, whose sides ended by themselves', async () => {
      const ids = { sessionId: 'session-1', messageId: 'message-1' }
      rig.journal.keepComparison(sampleComparison({ at: AT + 3 }))
      rig.journal.keepComparison(
        sampleComparison({
          at: AT + 1,
          ...ids,
          control: sampleSide({ latencyMs: 1_000.04, firstContentMs: 200, tokens: 50 }),
          candidate: sampleSide({ mode: 'runtime_orchestrator', result: 'error', code: 'runtime_error' }),
          textSimilarity: 0.25,
          planSimilarity: 0,
          callSetSimilarity: 0.5,
          callOrderSimilarity: 1,
        }),
      )
      rig.journal.keepComparison(sampleComparison({ at: AT + 2, kind: 'aa' }))
      rig.journal.keepComparison(sampleComparison({ at: AT + 2, control: sampleSide({ result: 'aborted' }) }))
      const pairs = async (more: Partial<ComparisonQuery> = {}) => {
        const all: unknown[] = []
        for await (const page of rig.journal.pairs({ ...ALL, ...more })) all.push(...page)
        return all
      }
      const plain = { orgId: 'org-1', agentId: 'agent-1', controlMode: 'direct_llm' }
      const older = {
        at: AT + 1,
        ...plain,
        ...ids,
        textSimilarity: 0.25,
        planSimilarity: 0,
        callSetSimilarity: 0.5,
        callOrderSimilarity: 1,
        control: { result: 'ok', latencyMs: 1_000, firstContentMs: 200, tokens: 50, characters: 100 },
        candidate: { result: 'error', code: 'runtime_error', latencyMs: 1_000, characters: 100 },
      }
      const newer = {
        at: AT + 3,
        ...plain,
        control: { result: 'ok', latencyMs: 1_000, characters: 100 },
        candidate: { result: 'ok', latencyMs: 1_500, characters: 100 },
      }
      expect(await pairs()).to.deep.equal([older, newer])
      expect(await pairs({ from: AT + 2 })).to.deep.equal([newer])
      expect(await pairs({ orgId: 'org-2' })).to.deep.equal([])
      expect(await pairs({ controlMode: 'runtime_orchestrator' })).to.deep.equal([])
    })

    it('gives the contents of those that have any, newest first', async () => {
      rig.journal.keepComparison(
        sampleComparison({ at: AT + 1, content: { control: '甲', candidate: 'a\0b' } }),
      )
      rig.journal.keepComparison(sampleComparison({ at: AT + 2 }))
      rig.journal.keepComparison(
        sampleComparison({
          at: AT + 3,
          kind: 'aa',
          orgId: 'org-2',
          textSimilarity: 0.25,
          content: { control: '', candidate: 'x'.repeat(100_000) },
        }),
      )
      const newest = { at: AT + 3, orgId: 'org-2', agentId: 'agent-1', kind: 'aa', textSimilarity: 0.25 }
      const older = { at: AT + 1, orgId: 'org-1', agentId: 'agent-1', kind: 'ab' }
      expect(await rig.journal.comparisonContents(ALL, 10)).to.deep.equal([
        { ...newest, control: '', candidate: 'x'.repeat(16_384) },
        { ...older, control: '甲', candidate: 'a\ufffdb' },
      ])
      const instants = async (more: Partial<ComparisonQuery>, limit = 10): Promise<number[]> =>
        (await rig.journal.comparisonContents({ ...ALL, ...more }, limit)).map(({ at }) => at - AT)
      expect(await instants({}, 1)).to.deep.equal([3])
      expect(await instants({ orgId: 'org-1' })).to.deep.equal([1])
      expect(await instants({ agentId: 'agent-2' })).to.deep.equal([])
      expect(await instants({ to: AT + 3 })).to.deep.equal([1])
      expect(await instants({ from: AT + 2 })).to.deep.equal([3])
      expect(await instants({ controlMode: 'runtime_orchestrator' })).to.deep.equal([])
    })

    it('keeps the newest, so many, and what they said for a shorter time', async () => {
      const { comparisons, contents } = RETENTION
      const content = { control: 'a', candidate: 'b' }
      for (let at = 0; at < comparisons.count + 100; at += 1)
        rig.journal.keepComparison(sampleComparison({ at: AT + at, content }))
      await rig.pass(0)
      const first = { ...ALL, to: AT + 100 }
      expect((await rig.journal.comparisonSums(first)).ab.pairs).to.equal(0)
      expect((await rig.journal.comparisonSums(ALL)).ab.pairs).to.equal(comparisons.count)
      expect(await rig.journal.comparisonContents(ALL, 100)).to.have.length(contents.count)
      await rig.pass(2)
      expect(await rig.journal.comparisonContents(ALL, 100)).to.deep.equal([])
      expect((await rig.journal.comparisonSums(ALL)).ab.pairs).to.equal(comparisons.count)
      await rig.pass(89)
      expect((await rig.journal.comparisonSums(ALL)).ab.pairs).to.equal(0)
    })
  })

  describe('of executions', () => {
    it('shows nothing that was said too long ago, though it may not be deleted while nothing new is kept', async () => {
      rig.journal.keepComparison(
        sampleComparison({ at: rig.wall(), content: { control: 'a', candidate: 'b' } }),
      )
      const all = { ...ALL, from: 0, to: Number.MAX_SAFE_INTEGER }
      await rig.idle(0.5)
      expect(await rig.journal.comparisonContents(all, 10)).to.have.length(1)
      await rig.idle(2)
      expect(await rig.journal.comparisonContents(all, 10)).to.deep.equal([])
      expect((await rig.journal.comparisonSums(all)).ab.pairs).to.equal(1)
    })

    it('tells whose they were; of older entries the org alone', async () => {
      rig.journal.keepExecution(sampleExecution({ at: AT + 2, sessionId: 's-2', agentId: 'a' }))
      rig.journal.keepExecution(sampleExecution({ at: AT + 1 }))
      rig.journal.keepExecution(sampleExecution({ at: AT + 3, orgId: 'other', sessionId: 's-3' }))
      const all: ExecutedFor[] = []
      for await (const page of rig.journal.executedFor({ from: AT, to: AT + 10 })) all.push(...page)
      expect(all).to.have.deep.members([
        { orgId: 'org-1', agentId: '' },
        { orgId: 'org-1', agentId: 'a', sessionId: 's-2' },
        { orgId: 'other', agentId: '', sessionId: 's-3' },
      ])
    })

    it('gives them back', async () => {
      const { at, orgId, ...facts } = sampleExecution({ firstContentMs: 250.26 })
      const late = sampleExecution({ mode: 'runtime_orchestrator', result: 'timeout', latencyMs: 0.04 })
      rig.journal.keepExecution({ at, orgId, ...facts })
      rig.journal.keepExecution(late)
      rig.journal.keepExecution(sampleExecution({ result: 'rejected', latencyMs: 7 }))
      expect(await executions(ALL)).to.deep.equal([
        { ...facts, firstContentMs: 250.3 },
        { mode: 'runtime_orchestrator', result: 'timeout', latencyMs: 0 },
        { mode: facts.mode, result: 'rejected', latencyMs: 7 },
      ])
    })

    it('with recovery shadows and what was abandoned for a replay alone', async () => {
      const one = { mode: 'runtime_orchestrator', orgId: 'org-1', agentId: 'a', sessionId: 's' } as const
      rig.journal.keepExecution(
        sampleExecution({ ...one, at: AT, result: 'ok', latencyMs: 10, firstContentMs: 2 }),
      )
      rig.journal.keepExecution(sampleExecution({ ...one, at: AT + 3, result: 'abandoned', latencyMs: 20 }))
      rig.journal.keepExecution(
        sampleExecution({ ...one, at: AT + 2, result: 'error', latencyMs: 30, shadow: true }),
      )
      rig.journal.keepExecution(sampleExecution({ ...one, at: AT + 4, result: 'rejected' }))
      rig.journal.keepExecution(sampleExecution({ ...one, at: AT + 5, result: 'rejected', shadow: true }))
      const judged: JudgedExecution[] = []
      for await (const page of rig.journal.judged({ from: AT, to: AT + 10 })) judged.push(...page)
      expect(judged).to.deep.equal([
        { ...one, at: AT, result: 'ok', shadow: false, latencyMs: 10, firstContentMs: 2 },
        { ...one, at: AT + 2, result: 'error', shadow: true, latencyMs: 30 },
        { ...one, at: AT + 3, result: 'timeout', shadow: false, latencyMs: 20 },
      ])
      expect((await executions(ALL)).map(({ result }) => result)).to.deep.equal(['ok', 'rejected'])
      const turns: ExecutedFor[] = []
      for await (const page of rig.journal.executedFor({ from: AT, to: AT + 10 })) turns.push(...page)
      expect(turns).to.have.length(2)
    })

    it('of a span and an org', async () => {
      for (let at = 0; at < 10; at += 1)
        rig.journal.keepExecution(sampleExecution({ at: AT + at, orgId: `org-${at % 2}`, latencyMs: at }))
      const latencies = async (span: Span): Promise<number[]> =>
        (await executions(span)).map(({ latencyMs }) => latencyMs)
      expect(await latencies({ from: AT + 2, to: AT + 5 })).to.deep.equal([2, 3, 4])
      expect(await latencies({ from: AT + 2, to: AT + 5, orgId: 'org-0' })).to.deep.equal([2, 4])
      expect(await latencies({ from: AT + 5, to: AT + 5 })).to.deep.equal([])
      expect(await latencies({ from: AT + 1.5, to: AT + 2.5 })).to.deep.equal([2])
    })

    it('drops and counts one with a number that is none', async () => {
      rig.journal.keepExecution(sampleExecution({ latencyMs: Number.NaN }))
      rig.journal.keepExecution(sampleExecution({ at: Number.NaN }))
      expect(rig.journal.dropped).to.equal(2)
      expect(await executions(ALL)).to.deep.equal([])
    })

    it('keeps the newest, so many, for a month', async () => {
      for (let at = 0; at < RETENTION.executions.count + 50; at += 1)
        rig.journal.keepExecution(sampleExecution({ at: AT + at, latencyMs: at }))
      await rig.pass(0)
      const kept = (await executions(ALL)).map(({ latencyMs }) => latencyMs)
      expect([kept.length, kept[0]]).to.deep.equal([RETENTION.executions.count, 50])
      await rig.pass(31)
      expect(await executions(ALL)).to.deep.equal([])
    })
  })

  it('says when it is closed, and drops what comes later', async () => {
    await rig.journal.close()
    rig.journal.keepComparison(sampleComparison({ content: { control: 'a', candidate: 'b' } }))
    rig.journal.keepExecution(sampleExecution())
    expect(rig.journal.dropped).to.equal(2)
    expect(await rejection(rig.journal.comparisonSums(ALL))).to.be.instanceOf(JournalUnavailable)
    expect(await rejection(rig.journal.comparisonContents(ALL, 1))).to.be.instanceOf(JournalUnavailable)
    expect(await rejection(executions(ALL))).to.be.instanceOf(JournalUnavailable)
  })
}

/** Equal but for the rounding of a long sum. */
function expectSums(sums: ComparisonSums, expected: ComparisonSums): void {
  for (const kind of ['ab', 'aa'] as const) {
    const rounded = ({ paired, similar, ...rest }: KindSums) => ({
      ...rest,
      paired: digits(paired),
      similar: digits(similar),
    })
    expect(rounded(sums[kind])).to.deep.equal(rounded(expected[kind]))
  }
}

const digits = (value: object): unknown =>
  JSON.parse(JSON.stringify(value), (_, item) =>
    typeof item === 'number' ? Number((item + 0).toPrecision(9)) : item,
  )
