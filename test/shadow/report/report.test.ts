import { expect } from 'chai'
import fc from 'fast-check'
import type { Comparison } from '../../../src/journal/comparison.js'
import {
  type ShadowDimension,
  type ShadowReport,
  shadowReportSchema,
} from '../../../src/protocol/shadow-report.js'
import { type ReportSubject, shadowReport } from '../../../src/shadow/report/report.js'
import { naiveSums } from '../../journal/naive-sums.js'
import { sampleComparison, sampleSide } from '../../support/comparisons.js'
import { type SimulatedSides, seeded, simulate } from './simulated-sides.js'

const SUBJECT: ReportSubject = {
  from: Date.UTC(2026, 0, 1),
  to: Date.UTC(2026, 0, 8),
  control: 'direct_llm',
  dropped: { reasons: { busy: 3, pressure: 1 }, kinds: { ab: 0, aa: 0 } },
}

const reportOf = (sides: SimulatedSides, seed = 1): ShadowReport =>
  shadowReport(simulate(sides, seeded(seed)), SUBJECT)

const verdictsOf = (report: ShadowReport): Partial<Record<ShadowDimension, string>> =>
  Object.fromEntries(report.dimensions.map(({ dimension, verdict }) => [dimension, verdict]))

const dimensionOf = (report: ShadowReport, name: ShadowDimension) => {
  const found = report.dimensions.find(({ dimension }) => dimension === name)
  if (found === undefined) throw new Error(`no ${name}`)
  return found
}

/** Share of runs in which the report says this of a dimension. */
function shareOf(runs: number, sides: SimulatedSides, name: ShadowDimension, verdict: string): number {
  let found = 0
  for (let seed = 1; seed <= runs; seed += 1)
    if (dimensionOf(reportOf(sides, seed), name).verdict === verdict) found += 1
  return found / runs
}

describe('the report on sides that are known', () => {
  it('finds no difference where there is none, in at least 95% of 1,000 runs', () => {
    let quiet = 0
    for (let seed = 1; seed <= 1_000; seed += 1) {
      const random = seeded(seed)
      const sides: SimulatedSides = {
        ab: 40 + Math.floor(random() * 500),
        aa: 30 + Math.floor(random() * 90),
        spread: 0.2 + random() * 1.3,
        correlation: random() * 0.9,
        errorRate: 0.002 + random() ** 2 * 0.2,
        otherCalls: 0.01 + random() * 0.3,
        // What a second run does to everybody is no difference between backends.
        secondRun: 0.8 + random() * 0.4,
      }
      const verdicts = shadowReport(simulate(sides, random), SUBJECT).dimensions.map(({ verdict }) => verdict)
      if (verdicts.every((verdict) => verdict === 'same' || verdict === 'insufficient_data')) quiet += 1
    }
    expect(quiet).to.be.at.least(950)
  })

  it('finds no difference where there is none though users leave, in at least 95% of 400 runs', () => {
    let quiet = 0
    for (let seed = 1; seed <= 400; seed += 1) {
      const random = seeded(seed)
      const sides: SimulatedSides = {
        ab: 40 + Math.floor(random() * 500),
        aa: 30 + Math.floor(random() * 90),
        spread: 0.2 + random() * 1.3,
        correlation: random() * 0.9,
        secondRun: 0.8 + random() * 0.4,
        patience: Math.exp(7.5 + 2 * random()),
      }
      const verdicts = shadowReport(simulate(sides, random), SUBJECT).dimensions.map(({ verdict }) => verdict)
      if (verdicts.every((verdict) => verdict === 'same' || verdict === 'insufficient_data')) quiet += 1
    }
    expect(quiet).to.be.at.least(380)
  })

  it('finds a candidate that is slower, or faster, though a third of the users leave', () => {
    const sides = { ab: 1_500, aa: 500, spread: 0.5, correlation: 0.5, errorRate: 0, patience: 3_500 }
    const { left, pairs } = reportOf({ ...sides, slower: 1.3 })
    expect(left.ab / (left.ab + pairs.ab)).to.be.within(0.3, 0.5)
    expect(shareOf(50, { ...sides, slower: 1.3 }, 'latency', 'worse')).to.be.at.least(0.9)
    expect(shareOf(50, { ...sides, slower: 1 / 1.3 }, 'latency', 'better')).to.be.at.least(0.9)
  })

  it('is not fooled by users who leave the slow ones of the control: a candidate of 0.2 s is no worse', () => {
    const random = seeded(5)
    const around = (ms: number): number => ms * Math.exp(0.2 * (random() - 0.5))
    const pairs = Array.from({ length: 2_000 }, (_, at): Comparison => {
      const kind = at % 5 === 0 ? 'aa' : 'ab'
      // A hard turn is slow for the control whenever it runs it.
      const usual = random() < 0.35 ? 1_500 : 120
      const [first, second] = [around(usual), around(kind === 'aa' ? usual : 200)]
      const patience = around(700)
      return sampleComparison({
        kind,
        control: sampleSide(
          first > patience
            ? { result: 'aborted', latencyMs: patience }
            : { latencyMs: first, firstContentMs: first },
        ),
        candidate: sampleSide({ latencyMs: second, firstContentMs: second }),
      })
    })
    const query = { from: 0, to: Date.UTC(2100, 0), controlMode: 'direct_llm' } as const
    const report = shadowReport(naiveSums(pairs, query), SUBJECT)
    // Of those who stayed alone the control takes 120 ms.
    const stayed = pairs.filter((pair) => pair.control.result === 'ok')
    const blind = shadowReport(naiveSums(stayed, query), SUBJECT)
    expect([blind.verdict, verdictsOf(blind).latency]).to.deep.equal(['worse', 'worse'])
    for (const name of ['latency', 'first_content'] as const) {
      const { net, relative, p95, censored, verdict, control: mean } = dimensionOf(report, name)
      expect(verdict, name).to.equal('better')
      // the truth: 200 ms against exp(0.65 ln 120 + 0.35 ln 1500) = 291 ms
      expect(net?.value, name).to.be.closeTo(200 / 291 - 1, 0.06)
      expect(relative?.low, 'some took longer than their users waited').to.be.below(net?.low ?? 0)
      expect(p95?.control, name).to.equal(null)
      expect(p95?.candidate).to.be.within(200, 225)
      expect(censored.ab / 1_600).to.be.within(0.3, 0.4)
      expect(mean).to.be.within(300, 360)
    }
    expect(report.left.ab + report.pairs.ab).to.equal(1_600)
  })

  it('finds a candidate that is 20% slower in at least 90% of runs of 1,700 pairs, a tenth of them A/A', () => {
    // log ratios deviate by 0.5: docs/shadow.md
    const sides = { ab: 1_530, aa: 170, spread: 0.5, correlation: 0.5, errorRate: 0, slower: 1.2 }
    expect(shareOf(200, sides, 'latency', 'worse')).to.be.at.least(0.9)
    expect(shareOf(50, { ...sides, slower: 1 / 1.2 }, 'latency', 'better')).to.be.at.least(0.9)
  })

  it('... of 600 pairs, half of them A/A', () => {
    const sides = { ab: 300, aa: 300, spread: 0.5, correlation: 0.5, errorRate: 0, slower: 1.2 }
    expect(shareOf(200, sides, 'latency', 'worse')).to.be.at.least(0.9)
  })

  it('finds errors, tokens, texts and calls that changed', () => {
    const pairs = { ab: 1_440, aa: 160 }
    expect(
      shareOf(40, { ...pairs, candidateErrorRate: 0.1 }, 'error_rate', 'worse'),
      'errors',
    ).to.be.at.least(0.9)
    expect(
      shareOf(40, { ...pairs, errorRate: 0.16, candidateErrorRate: 0.01 }, 'success_rate', 'better'),
      'fewer errors',
    ).to.be.at.least(0.9)
    expect(shareOf(20, { ...pairs, longer: 1.6 }, 'tokens', 'worse'), 'tokens').to.be.at.least(0.9)
    expect(shareOf(20, { ...pairs, longer: 1 / 1.6 }, 'tokens', 'better'), 'fewer tokens').to.be.at.least(0.9)
    expect(shareOf(20, { ...pairs, longer: 1 / 1.6 }, 'length', 'worse'), 'shorter').to.be.at.least(0.9)
    expect(shareOf(20, { ...pairs, unlike: 0.12 }, 'text_similarity', 'worse'), 'text').to.be.at.least(0.9)
    expect(
      shareOf(20, { ...pairs, candidateOtherCalls: 0.5 }, 'call_set_similarity', 'worse'),
      'calls',
    ).to.be.at.least(0.9)
  })

  it('says `same` of all that is measured once there are pairs enough', () => {
    const { plan_similarity: plan, ...measured } = verdictsOf(reportOf({ ab: 12_000, aa: 4_000 }))
    expect(plan).to.equal('insufficient_data')
    expect(new Set(Object.values(measured))).to.deep.equal(new Set(['same']))
  })

  it('calls what nobody would notice the same, however surely it is there, but no failure', () => {
    const many = { ab: 150_000, aa: 30_000, spread: 0.3, correlation: 0.8, errorRate: 0 }
    const trifle = dimensionOf(reportOf({ ...many, slower: 1.008 }), 'latency')
    expect(trifle.net?.low).to.be.above(0)
    expect(trifle.verdict).to.equal('same')
    expect(dimensionOf(reportOf({ ...many, slower: 1.05 }), 'latency').verdict).to.equal('worse')
    const failing = dimensionOf(reportOf({ ...many, candidateErrorRate: 0.001 }), 'error_rate')
    expect(failing.net?.high).to.be.below(0.003)
    expect(failing.verdict).to.equal('worse')
  })

  it('reads a second run that is always faster against the control with itself', () => {
    const report = reportOf({ ab: 6_000, aa: 2_000, secondRun: 0.85 })
    const { relative, floorRelative, verdict } = dimensionOf(report, 'latency')
    expect(relative?.high).to.be.below(-0.1)
    expect(floorRelative?.high).to.be.below(-0.1)
    expect(verdict).to.equal('same')
  })
})

describe('the report', () => {
  it('has its public shape, whatever there is', () => {
    for (const sides of [
      { ab: 0, aa: 0 },
      { ab: 1, aa: 0 },
      { ab: 20, aa: 15 },
      { ab: 100, aa: 0 },
      { ab: 300, aa: 40, candidateErrorRate: 1 },
      { ab: 300, aa: 40, errorRate: 1 },
      { ab: 300, aa: 40, spread: 0 },
    ]) {
      const report = reportOf(sides)
      expect(() => shadowReportSchema.parse(JSON.parse(JSON.stringify(report)))).not.to.throw()
      expect(report.pairs).to.deep.equal({ ab: sides.ab, aa: sides.aa })
    }
  })

  it('keeps its shape and its words for any sides', () => {
    const share = fc.constantFrom(0, 0.001, 0.1, 1)
    const sides = fc.record({
      ab: fc.nat(120),
      aa: fc.nat(60),
      slower: fc.constantFrom(1e-6, 1, 1e6),
      spread: fc.constantFrom(0, 0.5, 5),
      correlation: fc.constantFrom(0, 1),
      errorRate: share,
      candidateErrorRate: share,
      longer: fc.constantFrom(0, 1, 1e4),
      unlike: share,
      otherCalls: share,
    })
    fc.assert(
      fc.property(sides, fc.nat(), (given, seed) => {
        const report = reportOf(given, seed)
        shadowReportSchema.parse(report)
        for (const { sentence, difference, floor, net } of [
          ...report.dimensions,
          { ...report, difference: null, floor: null, net: null },
        ]) {
          expect(`${sentence.en}${sentence['zh-CN']}`).not.to.match(/NaN|undefined|null|Infinity/)
          for (const estimate of [difference, floor, net])
            if (estimate !== null) expect(estimate.low).to.be.at.most(estimate.high)
        }
      }),
      { numRuns: 100 },
    )
  })

  it('gives no interval of a share or a likeness that reaches beyond what can be, however few pairs there are', () => {
    const sides = fc.record({
      ab: fc.integer({ min: 1, max: 40 }),
      aa: fc.integer({ min: 1, max: 40 }),
      errorRate: fc.constantFrom(0, 0.5, 1),
      candidateErrorRate: fc.constantFrom(0, 0.5, 1),
      unlike: fc.constantFrom(0, 1),
    })
    fc.assert(
      fc.property(sides, fc.nat(), (given, seed) => {
        for (const { unit, dimension, difference, floor, net } of reportOf(given, seed).dimensions)
          for (const estimate of unit === 'share' || unit === 'similarity' ? [difference, floor, net] : [])
            if (estimate !== null) {
              expect([estimate.value, estimate.low, estimate.high], dimension).to.satisfy((all: number[]) =>
                all.every((one) => one >= -1 && one <= 1),
              )
              expect(estimate.low).to.be.at.most(estimate.high)
            }
      }),
      { numRuns: 100 },
    )
  })

  it('tells what it is about, what failed and what was dropped', () => {
    const sums = simulate({ ab: 200, aa: 40, candidateErrorRate: 0.3 }, seeded(1))
    const coded = { ...sums.ab, codes: { control: {}, candidate: { runtime_error: 7 } }, fenceViolations: 2 }
    const report = shadowReport(
      { ...sums, ab: coded },
      { ...SUBJECT, orgId: 'org-1', control: 'runtime_orchestrator' },
    )
    expect(report).to.include({
      from: '2026-01-01T00:00:00.000Z',
      to: '2026-01-08T00:00:00.000Z',
      orgId: 'org-1',
      agentId: null,
      control: 'runtime_orchestrator',
      candidate: 'direct_llm',
      fenceViolations: 2,
    })
    const failed = (kind: 'ab' | 'aa') => sums[kind].candidate.error + sums[kind].candidate.timeout
    expect(report.shadows).to.deep.equal({
      failed: failed('ab') + failed('aa'),
      dropped: {
        busy: 3,
        pressure: 1,
        sick: 0,
        draining: 0,
        aborted: 0,
        flood: 0,
        fault: 0,
        rejected: 0,
        unfenced: 0,
      },
    })
    expect(report.outcomes.candidate).to.deep.equal({ ...sums.ab.candidate, codes: { runtime_error: 7 } })
    expect(report.confidence).to.deep.equal({ interval: 0.995, report: 0.95 })
    expect(report).not.to.have.property('samples')
    expect(report.sentence.en).to.contain('from the runtime to the direct LLM').and.to.contain('2 times')
    expect(report.sentence['zh-CN']).to.contain('从“Runtime”切换到“直连 LLM”：').and.to.contain('写操作')
  })

  it('gives the success rate as the error rate the other way round', () => {
    const report = reportOf({ ab: 900, aa: 100, candidateErrorRate: 0.2 })
    const [success, error] = [dimensionOf(report, 'success_rate'), dimensionOf(report, 'error_rate')]
    expect((success.control ?? 0) + (error.control ?? 0)).to.be.closeTo(1, 1e-9)
    expect(success.difference?.low).to.be.closeTo(-(error.difference?.high ?? 0), 1e-9)
    expect([success.verdict, error.verdict]).to.deep.equal(['worse', 'worse'])
  })

  it('needs thirty pairs of both kinds', () => {
    const changed = { slower: 5, spread: 0.2, errorRate: 0, otherCalls: 0 }
    expect(dimensionOf(reportOf({ ...changed, ab: 29, aa: 100 }), 'latency').verdict).to.equal(
      'insufficient_data',
    )
    const few = dimensionOf(reportOf({ ...changed, ab: 100, aa: 29 }), 'latency')
    expect(few.verdict).to.equal('insufficient_data')
    expect(few.sentence.en).to.contain('A/B 100, A/A 29').and.to.contain('at least 30')
    expect(dimensionOf(reportOf({ ...changed, ab: 30, aa: 30 }), 'latency').verdict).to.equal('worse')
  })

  it('is worse for users when anything they feel is, and better when something is and nothing worse', () => {
    const pairs = { ab: 1_440, aa: 160, spread: 0.4 }
    const mixed = reportOf({ ...pairs, slower: 0.5, candidateErrorRate: 0.3 })
    expect(mixed.verdict).to.equal('worse')
    expect(mixed.sentence.en)
      .to.contain('worse for users')
      .and.to.match(/worse or different: error rate.*; better: latency/)
    expect(mixed.sentence['zh-CN']).to.contain('总体更差').and.to.contain('更好：延迟')
    const quicker = reportOf({ ...pairs, slower: 0.5 })
    expect(quicker.verdict).to.equal('better')
    // Of the errors too little is known to promise anything.
    expect(quicker.sentence.en)
      .to.contain('better for users as far as is known')
      .and.to.contain('not known yet: error rate, timeout rate; ')
    expect(quicker.sentence['zh-CN'])
      .to.contain('就目前已知而言更好')
      .and.to.contain('尚不清楚：错误率、超时率；')
    const surely = reportOf({ ab: 12_000, aa: 4_000, slower: 0.5 })
    expect(surely.sentence.en).to.contain('better for users (').and.not.to.contain('not known yet')
    // What costs more, or reads otherwise, is for people to weigh.
    const wordy = reportOf({ ab: 12_000, aa: 4_000, longer: 1.6 })
    expect([dimensionOf(wordy, 'tokens').verdict, wordy.verdict]).to.deep.equal(['worse', 'same'])
    expect(reportOf({ ab: 100, aa: 30 }).verdict).to.equal('insufficient_data')
  })

  it('says each dimension in a sentence of both languages', () => {
    const report = reportOf({ ab: 1_440, aa: 160, slower: 1.5, candidateErrorRate: 0.05 })
    const latency = dimensionOf(report, 'latency').sentence
    expect(latency.en).to.match(
      /^Latency: \d+ms → \d+ms \(P95 \d+ms → \d+ms\), worse: \+[\d.]+% to \+[\d.]+% beyond the noise floor\.$/,
    )
    expect(latency['zh-CN']).to.match(
      /^延迟：\d+ms → \d+ms（P95 \d+ms → \d+ms），更差：扣除噪声基线后 \+[\d.]+% 至 \+[\d.]+%。$/,
    )
    expect(report.sentence.en).not.to.contain('left')
    const leaving = reportOf({ ab: 1_440, aa: 160, patience: 3_000 })
    const { en, 'zh-CN': zh } = leaving.sentence
    const share = (leaving.left.ab + leaving.left.aa) / 1_600
    expect(share).to.be.within(0.3, 0.6)
    expect(en)
      .to.contain(`In ${(share * 100).toFixed(1)}% of the turns (`)
      .and.to.contain('Kaplan–Meier')
    expect(zh).to.contain(`${(share * 100).toFixed(1)}% 的回合（1600 个中的 `)
    const unknown = dimensionOf(leaving, 'latency')
    if (unknown.p95?.control === null) expect(unknown.sentence.en).to.contain('(P95 unknown → ')
    expect(dimensionOf(report, 'plan_similarity').sentence.en).to.equal(
      'Plan similarity: nothing to compare (A/B 0, A/A 0).',
    )
    expect(dimensionOf(report, 'tokens').sentence.en).to.contain('within ±')
    for (const { sentence } of report.dimensions)
      expect(`${sentence.en}${sentence['zh-CN']}`).not.to.match(/NaN|undefined|null|Infinity/)
  })

  it('accuses nobody on the name of a call alone, counts one as one, and gives nothing no sign', () => {
    const sums = simulate({ ab: 1, aa: 0 }, seeded(1))
    const { sentence } = shadowReport({ ...sums, ab: { ...sums.ab, fenceViolations: 1 } }, SUBJECT)
    expect(sentence.en).to.contain('(not known yet: ').and.to.contain('1 pair, ')
    expect(sentence.en).to.contain('seem to have changed something 1 time: check that')
    expect(sentence['zh-CN']).to.contain('疑似出现 1 次写操作')
    const equal = reportOf({ ab: 50_000, aa: 50_000, spread: 0.0001, slower: 0.9999, errorRate: 0 })
    const said = equal.dimensions.map((dimension) => Object.values(dimension.sentence).join(' ')).join(' ')
    expect(said)
      .to.match(/[+]0\.0%/)
      .and.not.to.match(/-0\.0+(?!\d)/)
  })

  it('says first that it is not to be trusted, and decides nothing, where one kind of turns is lost more often', () => {
    const sums = simulate({ ab: 1_440, aa: 160, slower: 1.5 }, seeded(1))
    const good = shadowReport(sums, SUBJECT)
    expect([good.verdict, good.trust]).to.deep.equal(['worse', { trusted: true, checks: [] }])
    const even = shadowReport(sums, { ...SUBJECT, dropped: { reasons: {}, kinds: { ab: 720, aa: 80 } } })
    expect(even.verdict).to.equal('worse')
    expect(even.trust.trusted).to.equal(true)
    expect(even.trust.checks).to.have.length(1)
    const lost = shadowReport(sums, {
      ...SUBJECT,
      dropped: { reasons: { flood: 720 }, kinds: { ab: 720, aa: 0 } },
    })
    expect(lost.verdict).to.equal('insufficient_data')
    expect(lost.trust.trusted).to.equal(false)
    expect(lost.sentence.en).to.match(
      /^Do not trust this report: 33\.3% of the selected A\/B turns gave no comparison, and 0\.0% of the A\/A turns \(χ² [\d.]+ > 10\.8\), so what is left is no random sample\. Switching/,
    )
    expect(lost.sentence['zh-CN']).to.match(/^请勿采信本报告：选中的 A\/B 回合有 33\.3% 未能比较/)
    const assigned = { n: 1_600, aa: 160, percent: 1_600 * 20, variance: 1_600 * 20 * 80 }
    const few = shadowReport({ ...sums, assigned }, SUBJECT)
    expect(few.sentence.en).to.match(
      /^Do not trust this report: 10\.0% of the pairs are A\/A, and by the setting it should be 20\.0% \(χ² 100\.0 > 10\.8\)\. /,
    )
    expect(() => shadowReportSchema.parse(JSON.parse(JSON.stringify(few)))).not.to.throw()
  })

  it('shows samples only where it is given any', () => {
    const at = Date.UTC(2026, 0, 2)
    const content = { at, orgId: 'o', agentId: 'a', kind: 'ab', control: 'x', candidate: 'y' } as const
    const report = shadowReport(simulate({ ab: 1, aa: 0 }, seeded(1)), { ...SUBJECT, contents: [content] })
    expect(report.samples).to.deep.equal([
      { ...content, at: '2026-01-02T00:00:00.000Z', textSimilarity: null },
    ])
    expect(() => shadowReportSchema.parse(report)).not.to.throw()
  })
})
