import { expect } from 'chai'
import { CountedExecutions } from '../../../src/metrics/windows/counted-executions.js'
import { FailureStreak } from '../../../src/metrics/windows/failure-streak.js'
import { FirstContents } from '../../../src/metrics/windows/first-contents.js'
import { LatencySketch } from '../../../src/metrics/windows/latency-sketch.js'
import { RecentOutcomes } from '../../../src/metrics/windows/recent-outcomes.js'
import { TallyRing, TallySum } from '../../../src/metrics/windows/tally-ring.js'
import { roundMs, WindowCounts } from '../../../src/metrics/windows/window-counts.js'

const RESULTS = ['ok', 'error', 'timeout', 'aborted', 'rejected', 'abandoned'] as const
const DAY = 86_400_000

describe('executions that are counted', () => {
  const facts = (result: (typeof RESULTS)[number], latencyMs: number, firstContentMs?: number) =>
    ({
      mode: 'direct_llm',
      result,
      orgId: 'o',
      agentId: 'a',
      at: 0,
      latencyMs,
      ...(firstContentMs === undefined ? {} : { firstContentMs }),
    }) as unknown as Parameters<CountedExecutions['add']>[0]
  const counted = (...all: ReturnType<typeof facts>[]) => {
    const sums = new CountedExecutions()
    for (const one of all) sums.add(one)
    return sums
  }

  it('are summed by result, with times of those that are judged', () => {
    const sums = counted(
      facts('ok', 1000, 100),
      facts('error', 2000),
      facts('timeout', 3000),
      facts('rejected', 9e6, 9e6),
    )
    const metrics = sums.metrics()
    expect(metrics).to.deep.include({
      total: 3,
      success: 1,
      error: 2,
      timeout: 1,
      rejected: 1,
      avgLatencyMs: 2000,
      avgFirstContentMs: 100,
      errorRate: 2 / 3,
    })
    expect(metrics.p50LatencyMs).to.be.closeTo(2000, 20)
    expect(metrics.p99LatencyMs).to.be.closeTo(3000, 30)
    expect(metrics.p95FirstContentMs).to.be.closeTo(100, 1)
    expect(counted(facts('ok', 1)).metrics().p95FirstContentMs).to.equal(0)
    // Those without a first content have no time to it, rather than none.
    const most = Array.from({ length: 30 }, () => facts('ok', 1000))
    expect(counted(facts('ok', 1000, 100), ...most).metrics().p95FirstContentMs).to.be.closeTo(100, 1)
  })

  it('are taken in, and out again', () => {
    const [one, other] = [
      counted(facts('ok', 1000, 100)),
      counted(facts('error', 5000, 500), facts('ok', 5000, 500)),
    ]
    const before = one.metrics()
    one.merge(other)
    expect(one.metrics()).to.deep.include({ total: 3, error: 1, avgLatencyMs: 3667, avgFirstContentMs: 367 })
    expect(one.metrics().p99LatencyMs).to.be.closeTo(5000, 50)
    expect(one.metrics().p95FirstContentMs).to.be.closeTo(500, 5)
    one.subtract(other)
    expect(one.metrics()).to.deep.equal(before)
  })
})

describe('the counts of a window', () => {
  it('hold each result once, and times of those that are judged alone', () => {
    const counts = new WindowCounts()
    for (const result of RESULTS) counts.add({ result, latencyMs: 1.5, firstContentMs: 0.5 })
    counts.add({ result: 'ok', latencyMs: 1 })
    expect({ ...counts }).to.deep.equal({
      success: 2,
      errors: 2,
      timeouts: 1,
      aborted: 1,
      rejected: 1,
      abandoned: 1,
      latencyMicros: 5500,
      firstContents: 3,
      firstContentMicros: 1500,
    })
    const sum = new WindowCounts()
    sum.plus(counts)
    sum.plus(counts)
    sum.plus(counts, -1)
    expect({ ...sum }).to.deep.equal({ ...counts })
  })

  it('show times in whole ms from 100 ms on, in three digits below', () => {
    expect([99.96, 99.94, 100.4, 1.2345, 0].map(roundMs)).to.deep.equal([100, 99.9, 100, 1.23, 0])
  })
})

describe('a row of failures', () => {
  it('is as long as all failed, of those that are judged', () => {
    const row = new FailureStreak()
    for (const [at, result] of [...RESULTS, 'error' as const].entries()) row.record(at, result, `s${at % 2}`)
    expect(row.read(10, 100)).to.deep.equal({ failures: 3, sessions: 2 })
    expect(row.read(10, 1)).to.deep.equal({ failures: 1, sessions: 1 })
    row.record(11, 'ok', 's')
    expect(row.read(11, 100)).to.deep.equal({ failures: 0, sessions: 0 })
    row.record(12, 'error', 's')
    row.clear()
    expect(row.read(12, 100).failures).to.equal(0)
  })

  it('is a thousand long at most, and a day old', () => {
    const row = new FailureStreak()
    for (let at = 0; at < 1001; at += 1) row.record(at, 'error', `s${at}`)
    expect(row.read(1001, 5000)).to.deep.equal({ failures: 1000, sessions: 1000 })
    expect(row.read(DAY + 500, 5000).failures).to.equal(500)
    expect(row.read(DAY + 499, 5000).failures).to.equal(501)
  })
})

describe('the times to the first content', () => {
  const times = (...entries: readonly (readonly [at: number, ms: number])[]) => {
    const made = new FirstContents()
    for (const [at, ms] of entries) made.record(at, ms)
    return made
  }

  it('are of the newest ms, and reach back for as many as are asked for', () => {
    const made = times([0, 500], [10, 300], [20, 100], [30, 200])
    expect(made.read(30, 10, 1, 100)).to.deep.equal({ samples: 1, p95Ms: 200 })
    expect(made.read(30, 11, 1, 100)).to.deep.equal({ samples: 2, p95Ms: 200 })
    expect(made.read(30, 10, 3, 100)).to.deep.equal({ samples: 3, p95Ms: 300 })
    expect(made.read(30, 10, 100, 30)).to.deep.equal({ samples: 3, p95Ms: 300 })
    expect(made.read(30, 10, 100, 31)).to.deep.equal({ samples: 4, p95Ms: 500 })
    expect(made.read(500, 10, 1, 100)).to.deep.equal({ samples: 0, p95Ms: 0 })
    made.clear()
    expect(made.read(30, 10, 1, 100)).to.deep.equal({ samples: 0, p95Ms: 0 })
  })

  it('are by rank, of the newest 2,048', () => {
    const made = new FirstContents()
    for (let ms = 1; ms <= 2100; ms += 1) made.record(0, ms)
    expect(made.read(0, 10, 1, 100)).to.deep.equal({ samples: 2048, p95Ms: 52 + Math.ceil(0.95 * 2048) })
  })
})

describe('a latency sketch', () => {
  it('of nothing has no quantile, and keeps what was taken out apart', () => {
    const [sketch, other] = [new LatencySketch(), new LatencySketch()]
    expect(sketch.quantile(0.5)).to.equal(0)
    other.add(5000)
    sketch.add(10)
    sketch.merge(other)
    sketch.subtract(other)
    expect(sketch.count).to.equal(1)
    expect(sketch.quantile(1)).to.be.closeTo(10, 0.1)
    sketch.add(0)
    expect(sketch.quantile(0)).to.equal(0)
  })
})

describe('the recent outcomes of an org', () => {
  const WINDOW = 1000

  it('are each result with its times, oldest first, through any growth of the ring', () => {
    const recent = new RecentOutcomes(WINDOW)
    for (let at = 0; at < 30; at += 1)
      recent.record(at * 100, {
        result: RESULTS[at % RESULTS.length] ?? 'ok',
        latencyMs: at,
        ...(at % 2 === 0 ? { firstContentMs: at / 2 } : {}),
      })
    const seen: unknown[] = []
    recent.replay((at, { result, latencyMs, firstContentMs }) =>
      seen.push([at, result, latencyMs, firstContentMs]),
    )
    expect(seen).to.deep.equal(
      Array.from({ length: 10 }, (_, index) => {
        const at = index + 20
        return [at * 100, RESULTS[at % RESULTS.length], at, at % 2 === 0 ? at / 2 : undefined]
      }),
    )
  })

  it('leave when they are as old as the window, which may be made shorter', () => {
    const recent = new RecentOutcomes(WINDOW)
    for (const at of [0, 400, 999]) recent.record(at, { result: 'ok', latencyMs: at })
    expect(recent.read(999).total).to.equal(3)
    expect(recent.read(1000).total).to.equal(2)
    recent.resize(1000, 100)
    expect(recent.read(1000).total).to.equal(1)
    expect(recent.read(1000).p50LatencyMs).to.equal(999)
    expect(recent.read(1099).total).to.equal(0)
  })

  it('are exact far from their beginning', () => {
    const recent = new RecentOutcomes(WINDOW)
    // Single precision would make it 64 ms more.
    const from = 1_000_000_001
    const timesAfter = (...times: readonly number[]): number[] => {
      for (const at of times) recent.record(at, { result: 'ok', latencyMs: 1 })
      const seen: number[] = []
      recent.replay((at) => seen.push(at))
      return seen
    }
    expect(timesAfter(from)).to.deep.equal([from])
    expect(timesAfter(from + 1.5)).to.deep.equal([from, from + 1.5])
    expect(timesAfter(from + 2001.25, from + 2002.75)).to.deep.equal([from + 2001.25, from + 2002.75])
    // They never all leave, and are told from another time while the ring is full.
    const [base, ...later] = [10_000, 10_900, 11_800, 11_850, 11_900, 11_950, 12_001].map((ms) => from + ms)
    expect(timesAfter(base ?? 0, ...later)).to.deep.equal(later.slice(1))
  })

  it('are 256 at most, in memory that grows with them', () => {
    const recent = new RecentOutcomes(WINDOW)
    expect(recent.bytes).to.equal(350)
    for (let at = 0; at < 255; at += 1) recent.record(0, { result: 'ok', latencyMs: at })
    expect(recent.isFull(0)).to.equal(false)
    recent.record(0, { result: 'ok', latencyMs: 255 })
    expect(recent.isFull(0)).to.equal(true)
    expect(recent.bytes).to.equal(350 + 256 * 16)
    expect(recent.isFull(WINDOW)).to.equal(false)
  })

  it('have quantiles by rank, and none of what is not judged', () => {
    const recent = new RecentOutcomes(WINDOW)
    for (const ms of [300, 100, 200]) recent.record(0, { result: 'ok', latencyMs: ms, firstContentMs: ms })
    recent.record(0, { result: 'aborted', latencyMs: 9000, firstContentMs: 9000 })
    expect(recent.read(0)).to.deep.include({
      total: 3,
      aborted: 1,
      p50LatencyMs: 200,
      p99LatencyMs: 300,
      avgLatencyMs: 200,
      p95FirstContentMs: 300,
    })
  })
})

describe('a ring of tallies', () => {
  it('is whole as far back as it says, at any moment', () => {
    const ring = new TallyRing(10)
    for (let now = 0; now < 5000; now += 5) {
      ring.add(now, 0, 0, 1)
      const from = ring.sliceOf(Math.max(0, now - ring.reachMs))
      const sum = new TallySum()
      for (let slice = from; slice <= ring.sliceOf(now); slice += 1) ring.sumUp(slice, sum)
      expect(sum.total, `at ${now}`).to.equal((now - from * 10) / 5 + 1)
    }
  })
})
