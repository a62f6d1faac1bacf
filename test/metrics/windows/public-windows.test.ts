import { expect } from 'chai'
import type { Outcome } from '../../../src/execution/outcome.js'
import {
  createPublicWindows,
  type PublicWindowsOptions,
} from '../../../src/metrics/windows/public-windows.js'
import { windowMetricsSchema } from '../../../src/protocol/fallback.js'
import { EXECUTION_MODES } from '../../../src/protocol/modes.js'
import { NOTHING } from '../../support/fallback-fakes.js'
import { manualClock } from '../../support/manual-clock.js'
import { sampleOutcome } from '../sample-outcome.js'

const RUNTIME = 'runtime_orchestrator'
const DIRECT = 'direct_llm'

function make(options: Partial<PublicWindowsOptions> = {}) {
  const clock = manualClock()
  const windows = createPublicWindows(clock, { windowSeconds: 300, ...options })
  const record = (given: Parameters<typeof sampleOutcome>[0] = {}, times = 1): void => {
    for (let at = 0; at < times; at++) windows.record(sampleOutcome(given))
  }
  const totalOf = (orgId: string): number => windows.ofOrg(orgId, RUNTIME).total
  return { clock, windows, record, totalOf }
}

describe('the public windows', () => {
  it('are all zero while nothing was recorded, also of an org never seen', () => {
    const { windows, record } = make()
    record({ orgId: 'org-2', mode: DIRECT })
    expect(windows.overall(RUNTIME)).to.deep.equal(NOTHING)
    expect(windows.ofOrg('org-1', RUNTIME)).to.deep.equal(NOTHING)
    expect(windows.ofOrg('org-2', RUNTIME)).to.deep.equal(NOTHING)
  })

  it('give the numbers of the protocol: 50 executions, one failed, one timed out', () => {
    const { windows, record } = make()
    record({}, 48)
    record({ result: 'error' })
    record({ result: 'timeout' })
    const seen = windows.overall(RUNTIME)
    expect(seen).to.deep.include({
      total: 50,
      success: 48,
      error: 2,
      timeout: 1,
      errorRate: 0.04,
      timeoutRate: 0.02,
    })
    expect(windowMetricsSchema.safeParse(seen).success).to.equal(true)
    expect(windows.ofOrg('org-1', RUNTIME)).to.deep.include({
      total: 50,
      error: 2,
      timeout: 1,
      errorRate: 0.04,
    })
  })

  it('count an abandoned execution beside the aborted ones, in no rate and no time', () => {
    const { windows, clock } = make()
    const outcome = {
      ...sampleOutcome({ result: 'aborted', latencyMs: 4_000 }),
      abandoned: 'first_content',
    } as const
    const seen = { ...NOTHING, abandoned: 2 }
    for (let n = 0; n < 2; n++) windows.record(outcome)
    expect(windows.overall(RUNTIME)).to.deep.equal(seen)
    expect(windows.ofOrg('org-1', RUNTIME)).to.deep.equal(seen)
    for (let n = 0; n < 300; n++) windows.record(outcome)
    expect(windows.ofOrg('org-1', RUNTIME)).to.deep.equal({ ...NOTHING, abandoned: 302 })
    clock.advance(400_000)
    expect(windows.overall(RUNTIME)).to.deep.equal(NOTHING)
  })

  it('count a rejected execution beside the total, in no rate and no time', () => {
    const { windows, record } = make()
    record({ result: 'rejected', latencyMs: 9_000, firstContentMs: 8_000 }, 3)
    const seen = { ...NOTHING, rejected: 3 }
    expect(windows.overall(RUNTIME)).to.deep.equal(seen)
    expect(windows.ofOrg('org-1', RUNTIME)).to.deep.equal(seen)
    expect(windowMetricsSchema.safeParse(seen).success).to.equal(true)
    record({ result: 'rejected' }, 300)
    expect(windows.ofOrg('org-1', RUNTIME)).to.deep.equal({ ...NOTHING, rejected: 303 })
  })

  it('count an aborted execution as aborted and in nothing else', () => {
    const { windows, record } = make()
    record({ result: 'aborted', latencyMs: 9_000, firstContentMs: 8_000 }, 3)
    const seen = { ...NOTHING, aborted: 3 }
    expect(windows.overall(RUNTIME)).to.deep.equal(seen)
    expect(windows.ofOrg('org-1', RUNTIME)).to.deep.equal(seen)
  })

  it('time all that ended by itself, and the first content of those that had one', () => {
    const { windows, record } = make()
    for (let at = 1; at <= 100; at++) record({ latencyMs: at * 100, firstContentMs: at * 10 })
    record({ result: 'timeout', latencyMs: 60_000 })
    for (const seen of [windows.overall(RUNTIME), windows.ofOrg('org-1', RUNTIME)]) {
      expect(seen.avgLatencyMs).to.equal(Math.round((505_000 + 60_000) / 101))
      expect(seen.avgFirstContentMs).to.equal(505)
      expect(seen.p50LatencyMs).to.be.closeTo(5_100, 5_100 * 0.02)
      expect(seen.p95LatencyMs).to.be.closeTo(9_600, 9_600 * 0.02)
      expect(seen.p99LatencyMs).to.be.closeTo(10_000, 10_000 * 0.02)
      expect(seen.p95FirstContentMs).to.be.closeTo(950, 950 * 0.02)
    }
  })

  it('give whole ms from 100 ms on and three digits below', () => {
    const { windows, record } = make()
    for (const latencyMs of [1, 1, 2]) record({ latencyMs, firstContentMs: 1_000.4 })
    expect(windows.overall(RUNTIME)).to.deep.include({ avgLatencyMs: 1.33, avgFirstContentMs: 1_000 })
  })

  it('keep the modes and the orgs apart', () => {
    const { windows, record } = make()
    record({ orgId: 'org-1', mode: RUNTIME }, 2)
    record({ orgId: 'org-2', mode: RUNTIME }, 3)
    record({ orgId: 'org-2', mode: DIRECT }, 5)
    const totals = (orgId: string) => EXECUTION_MODES.map((mode) => windows.ofOrg(orgId, mode).total)
    expect(totals('org-1')).to.deep.equal([0, 2])
    expect(totals('org-2')).to.deep.equal([5, 3])
    expect(EXECUTION_MODES.map((mode) => windows.overall(mode).total)).to.deep.equal([5, 5])
  })

  it('forget by elapsed time alone: an hour later a burst is gone', () => {
    for (const times of [50, 5_000]) {
      const { clock, windows, record } = make()
      record({ result: 'error', firstContentMs: 20 }, times)
      clock.advance(299_999)
      expect(windows.overall(RUNTIME).total).to.equal(times)
      expect(windows.ofOrg('org-1', RUNTIME).total).to.equal(times)
      clock.advance(1)
      expect(windows.overall(RUNTIME).total, 'five minutes are over').to.equal(0)
      expect(windows.ofOrg('org-1', RUNTIME).total, 'five minutes are over').to.equal(0)
      clock.advance(3_300_000)
      expect(windows.overall(RUNTIME)).to.deep.equal(NOTHING)
      expect(windows.ofOrg('org-1', RUNTIME)).to.deep.equal(NOTHING)
    }
  })

  it('keep their records when the length changes, as far as it reaches', () => {
    for (const times of [40, 4_000]) {
      const { clock, windows, record, totalOf } = make()
      const totals = () => [windows.overall(RUNTIME).total, totalOf('org-1')]
      record({}, times)
      clock.advance(100_000)
      record({}, 7)
      windows.resize(3_600)
      clock.advance(3_000_000)
      expect(totals(), 'longer').to.deep.equal([times + 7, times + 7])
      record({}, 5)
      windows.resize(60)
      expect(totals(), 'shorter').to.deep.equal([5, 5])
      windows.resize(86_400)
      expect(totals(), 'what is gone stays gone').to.deep.equal([5, 5])
    }
  })

  it('do not bring back what had left when the window grows', () => {
    const { clock, windows, record, totalOf } = make()
    record({}, 3)
    clock.advance(400_000)
    windows.resize(3_600)
    expect([windows.overall(RUNTIME).total, totalOf('org-1')]).to.deep.equal([0, 0])
  })

  it('forget one mode of all orgs when it is cleared', () => {
    const { windows, record, totalOf } = make()
    record({ orgId: 'org-1' }, 500)
    record({ orgId: 'org-2' }, 3)
    record({ orgId: 'org-2', mode: DIRECT }, 4)
    windows.clear(RUNTIME)
    expect(windows.overall(RUNTIME)).to.deep.equal(NOTHING)
    expect([totalOf('org-1'), totalOf('org-2')]).to.deep.equal([0, 0])
    expect([windows.overall(DIRECT).total, windows.ofOrg('org-2', DIRECT).total]).to.deep.equal([4, 4])
    record({ orgId: 'org-1' })
    expect([windows.overall(RUNTIME).total, totalOf('org-1')]).to.deep.equal([1, 1])
  })
})

describe('the orgs of the public windows', () => {
  it('are dropped beyond the bound, the one that recorded nothing for longest first, and counted', () => {
    const { windows, record, totalOf } = make({ maxOrgs: 3 })
    for (const orgId of ['a', 'b', 'c', 'a', 'd']) record({ orgId })
    expect(windows.droppedOrgs).to.equal(1)
    expect(['a', 'b', 'c', 'd'].map(totalOf)).to.deep.equal([2, 0, 1, 1])
    expect(windows.overall(RUNTIME).total, 'all of them count overall').to.equal(5)
  })

  it('are not kept by being looked at', () => {
    const { record, totalOf } = make({ maxOrgs: 2 })
    for (const orgId of ['a', 'b']) record({ orgId })
    totalOf('a')
    record({ orgId: 'c' })
    expect(['a', 'b', 'c'].map(totalOf)).to.deep.equal([0, 1, 1])
  })

  it('take no place once their only mode is cleared', () => {
    const { windows, record, totalOf } = make({ maxOrgs: 2 })
    for (const orgId of ['a', 'b']) record({ orgId })
    windows.clear(RUNTIME)
    for (const orgId of ['c', 'd']) record({ orgId })
    expect(windows.droppedOrgs).to.equal(0)
    expect([totalOf('c'), totalOf('d')]).to.deep.equal([1, 1])
  })

  it('are forgotten uncounted once they have nothing in the window', () => {
    const { clock, windows, record, totalOf } = make({ maxOrgs: 2 })
    for (const orgId of ['a', 'b']) record({ orgId })
    clock.advance(300_000)
    for (const orgId of ['c', 'd']) record({ orgId })
    expect(windows.droppedOrgs).to.equal(0)
    expect(['a', 'b', 'c', 'd'].map(totalOf)).to.deep.equal([0, 0, 1, 1])
  })

  it('are dropped too when they take too much memory, the newest never', () => {
    const { clock, windows, record, totalOf } = make({ maxOrgBytes: 60_000 })
    for (let org = 0; org < 8; org++) {
      for (let at = 0; at < 1_000; at++) {
        record({ orgId: `org-${org}`, latencyMs: at, firstContentMs: at })
        clock.advance(10)
      }
    }
    expect(windows.droppedOrgs).to.be.within(3, 6)
    expect(totalOf('org-0')).to.equal(0)
    expect(totalOf('org-7')).to.equal(1_000)

    const tight = make({ maxOrgBytes: 1 })
    tight.record({}, 20)
    expect(tight.totalOf('org-1')).to.equal(20)
    expect(tight.windows.droppedOrgs).to.equal(0)
  })

  it('are dropped too where many of them hold next to nothing', () => {
    const { windows, record } = make({ maxOrgBytes: 10_000 })
    for (let org = 0; org < 100; org++) record({ orgId: `org-${org}` })
    expect(windows.droppedOrgs).to.be.within(70, 95)
  })

  /** What gives a burst's memory back without a word from the others. */
  const RELIEFS: Readonly<Record<string, (made: ReturnType<typeof make>) => void>> = {
    'time passes': ({ clock }) => clock.advance(400_000),
    'time passes while they are read': ({ clock, windows }) => {
      clock.advance(400_000)
      for (const orgId of ['a', 'b', 'c']) for (const mode of EXECUTION_MODES) windows.ofOrg(orgId, mode)
    },
    'the window gets short': ({ clock, windows }) => {
      clock.advance(100_000)
      windows.resize(60)
      windows.resize(300)
    },
    'they are cleared': ({ windows }) => {
      for (const mode of EXECUTION_MODES) windows.clear(mode)
    },
  }
  for (const [what, relieve] of Object.entries(RELIEFS)) {
    it(`give their memory back when ${what}`, () => {
      const made = make({ maxOrgBytes: 200_000 })
      for (let round = 0; round < 8; round++) {
        for (const orgId of ['a', 'b', 'c'])
          for (const mode of EXECUTION_MODES) made.record({ orgId, mode, firstContentMs: 5 }, 1_100)
        relieve(made)
      }
      expect(made.windows.droppedOrgs).to.equal(0)
    })
  }

  it('are the same few whether one by one or in slices', () => {
    const { clock, windows, record } = make()
    const results: Outcome['result'][] = ['ok', 'error', 'timeout', 'aborted']
    for (let at = 0; at < 1_000; at++) {
      record({ result: results[at % 4] ?? 'ok', latencyMs: 500 + at, firstContentMs: 100 + at })
      clock.advance(200)
    }
    const { p50LatencyMs, p95LatencyMs, p99LatencyMs, p95FirstContentMs, ...counts } =
      windows.overall(RUNTIME)
    expect(counts.total + counts.aborted).to.equal(1_000)
    expect(windows.ofOrg('org-1', RUNTIME)).to.deep.equal(windows.overall(RUNTIME))
    expect(windows.ofOrg('org-1', RUNTIME)).to.deep.include({ ...counts, p50LatencyMs, p95LatencyMs })
    expect(p99LatencyMs).to.be.at.least(p95LatencyMs)
    expect(p95FirstContentMs).to.be.below(p95LatencyMs)
  })
})
