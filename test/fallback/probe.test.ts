import { expect } from 'chai'
import fc from 'fast-check'
import { createHealthProbe, type ProbeResult, type ProbeSettings } from '../../src/fallback/probe.js'
import type { HealthAnswer } from '../../src/fallback/probe-request.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { manualClock } from '../support/manual-clock.js'
import { settled } from '../support/turn-runner.js'

const NUM_RUNS = 100
const GOOD: HealthAnswer = { good: true }
const REFUSED: HealthAnswer = { good: false, code: 'ECONNREFUSED' }

/** A probe on the test's clock whose requests the test answers. */
function setUp(overrides: Partial<ProbeSettings> = {}) {
  const time = manualClock()
  /** ms by which our process is behind the timers: they fire, and it is later than they think */
  let behindMs = 0
  const clock = { ...time, monotonic: () => time.monotonic() + behindMs }
  const { logger, lines } = capturingLogger()
  const settings = { intervalMs: 1000, timeoutMs: 2000, failures: 2, ...overrides }
  const results: ProbeResult[] = []
  const starts: number[] = []
  const signals: AbortSignal[] = []
  let open = 0
  let mostOpen = 0
  let answer: ((answer: HealthAnswer) => void) | undefined
  let onResult = (): void => {}
  const probe = createHealthProbe({
    url: 'http://runtime',
    clock,
    logger,
    settings: () => settings,
    request(signal) {
      starts.push(time.monotonic())
      signals.push(signal)
      open += 1
      mostOpen = Math.max(mostOpen, open)
      return new Promise((resolve) => {
        let over = false
        const settle = (given: HealthAnswer): void => {
          if (!over) open -= 1
          over = true
          resolve(given)
        }
        answer = settle
        signal.addEventListener('abort', () => settle({ good: false, code: 'aborted' }))
      })
    },
    onResult(result) {
      results.push(result)
      onResult()
    },
  })
  return {
    probe,
    time,
    lines,
    settings,
    results,
    starts,
    signals,
    mostOpen: () => mostOpen,
    behind: (ms: number) => {
      behindMs = ms
    },
    listen: (listener: () => void) => {
      onResult = listener
    },
    async answer(next: HealthAnswer) {
      answer?.(next)
      answer = undefined
      await settled()
    },
    async pass(ms: number) {
      time.advance(ms)
      await settled()
    },
  }
}

describe('the health probe', () => {
  it('probes at its start and then once an interval, from start to start', async () => {
    const { probe, starts, answer, pass } = setUp()
    expect(probe.state()).to.deep.equal({ failuresInARow: 0, goodInARow: 0, goodForMs: 0 })
    probe.start()
    probe.start()
    await pass(300)
    await answer(GOOD)
    await pass(700)
    await answer(GOOD)
    await pass(999)
    expect(starts).to.deep.equal([0, 1000])
    await pass(1)
    expect(starts).to.deep.equal([0, 1000, 2000])
  })

  it('tells what it knows', async () => {
    const { probe, time, answer, pass } = setUp()
    probe.start()
    await pass(300)
    await answer(GOOD)
    await pass(1000)
    const at = time.wall()
    await answer(GOOD)
    await pass(50)
    expect(probe.state()).to.deep.equal({
      failuresInARow: 0,
      goodInARow: 2,
      healthy: true,
      lastAt: at,
      goodForMs: 1050,
    })
  })

  it('has one probe under way at most, and begins the next at once when one took longer than the interval', async () => {
    const { probe, starts, answer, pass } = setUp()
    probe.start()
    await pass(1700)
    expect(starts).to.deep.equal([0])
    await answer(GOOD)
    expect(starts).to.deep.equal([0, 1700])
  })

  it('knows of a dead runtime 100 ms after the first failure', async () => {
    const { probe, starts, results, answer, pass } = setUp()
    const seen: number[] = []
    probe.start()
    await answer(GOOD)
    await pass(1000)
    await answer(REFUSED)
    expect(probe.state()).to.deep.include({ failuresInARow: 1, healthy: true, goodForMs: 0 })
    await pass(100)
    await answer(REFUSED)
    expect(probe.state()).to.deep.include({ failuresInARow: 2, healthy: false })
    seen.push(...starts)
    await pass(999)
    expect(starts).to.deep.equal([0, 1000, 1100])
    await pass(1)
    expect(starts).to.have.length(4)
    expect(results.map(({ good }) => good)).to.deep.equal([true, false, false])
  })

  it('gives up what is not answered in time, and tells it', async () => {
    const { probe, starts, results, signals, pass } = setUp()
    probe.start()
    await pass(1999)
    expect(results).to.have.length(0)
    await pass(1)
    expect(results).to.deep.equal([{ good: false, code: 'timeout', tookMs: 2000 }])
    expect(signals[0]?.aborted).to.equal(true)
    // The interval is over: the next one has begun.
    expect(starts).to.deep.equal([0, 2000])
  })

  it('waits for a whole interval after what was not answered in time', async () => {
    const { probe, starts, pass } = setUp({ timeoutMs: 300 })
    probe.start()
    await pass(999)
    expect(starts).to.deep.equal([0])
    await pass(1)
    expect(starts).to.deep.equal([0, 1000])
  })

  it('does not blame the runtime while our own process stood still', async () => {
    const { probe, results, behind, answer, pass } = setUp()
    probe.start()
    behind(5000)
    await pass(2000)
    expect(results).to.have.length(0)
    await answer(GOOD)
    expect(results.map(({ good }) => good)).to.deep.equal([true])
    await probe.stop()
  })

  it('... but once only', async () => {
    const { probe, results, behind, pass } = setUp()
    probe.start()
    behind(5000)
    await pass(2000)
    await pass(2000)
    expect(results).to.have.length(1)
    await probe.stop()
  })

  describe('in trouble', () => {
    it('probes at once, once, and 100 ms after the last start at the soonest', async () => {
      const { probe, starts, answer, pass } = setUp()
      probe.start()
      await answer(GOOD)
      await pass(40)
      for (let n = 0; n < 1000; n += 1) probe.trouble()
      await pass(59)
      expect(starts).to.deep.equal([0])
      await pass(1)
      expect(starts).to.deep.equal([0, 100])
      await answer(GOOD)
      await pass(500)
      probe.trouble()
      expect(starts).to.deep.equal([0, 100, 600])
      await answer(GOOD)
      await pass(999)
      expect(starts).to.have.length(3)
    })

    it('probes again after one that was under way: it may have been answered before', async () => {
      const { probe, starts, answer, pass } = setUp()
      probe.start()
      await pass(10)
      probe.trouble()
      await answer(GOOD)
      await pass(90)
      expect(starts).to.deep.equal([0, 100])
      await answer(GOOD)
      await pass(899)
      expect(starts).to.have.length(2)
    })

    it('does nothing before the start nor after the stop', async () => {
      const { probe, starts, pass } = setUp()
      probe.trouble()
      await pass(200)
      expect(starts).to.have.length(0)
      probe.start()
      await probe.stop()
      probe.trouble()
      probe.reset()
      probe.start()
      await pass(5000)
      expect(starts).to.deep.equal([200])
    })
  })

  describe('follows its guardrails', () => {
    it('with the next round, the counts kept', async () => {
      const { probe, settings, answer, pass } = setUp({ failures: 5 })
      probe.start()
      for (let n = 0; n < 3; n += 1) {
        await answer(REFUSED)
        await pass(100)
      }
      expect(probe.state()).to.deep.include({ failuresInARow: 3 })
      expect(probe.state()).not.to.have.property('healthy')
      settings.failures = 4
      await answer(REFUSED)
      expect(probe.state()).to.include({ failuresInARow: 4, healthy: false })
    })

    it('out of a long interval within a second', async () => {
      const { probe, settings, starts, answer, pass } = setUp({ intervalMs: 600_000 })
      probe.start()
      await answer(GOOD)
      await pass(30_500)
      settings.intervalMs = 1000
      await pass(500)
      expect(starts).to.deep.equal([0, 31_000])
    })

    it('with a deadline of their own', async () => {
      const { probe, settings, results, answer, pass } = setUp()
      probe.start()
      await answer(GOOD)
      settings.timeoutMs = 50
      await pass(1000)
      await pass(50)
      expect(results[1]).to.deep.equal({ good: false, code: 'timeout', tookMs: 50 })
    })
  })

  describe('reset', () => {
    it('forgets the counts and probes at once', async () => {
      const { probe, starts, answer, pass } = setUp()
      probe.start()
      await answer(REFUSED)
      await pass(100)
      await answer(REFUSED)
      await pass(300)
      probe.reset()
      expect(probe.state()).to.deep.include({ failuresInARow: 0, goodInARow: 0, goodForMs: 0 })
      expect(probe.state()).not.to.have.property('healthy')
      expect(starts).to.deep.equal([0, 100, 400])
      await answer(GOOD)
      expect(probe.state()).to.include({ goodInARow: 1, healthy: true })
    })

    it('does not count what was asked before it', async () => {
      const { probe, starts, signals, results, answer, pass } = setUp()
      probe.start()
      await pass(40)
      probe.reset()
      expect(signals[0]?.aborted).to.equal(true)
      await answer(REFUSED)
      expect(results).to.have.length(0)
      expect(probe.state()).to.include({ failuresInARow: 0 })
      await pass(60)
      expect(starts).to.deep.equal([0, 100])
      await answer(GOOD)
      expect(results).to.have.length(1)
    })

    it('may come from the listener itself', async () => {
      const { probe, listen, starts, answer, pass } = setUp()
      listen(() => probe.reset())
      probe.start()
      await answer(REFUSED)
      expect(probe.state()).to.include({ failuresInARow: 0 })
      await pass(100)
      expect(starts).to.deep.equal([0, 100])
    })
  })

  describe('stopped', () => {
    it('gives up what is under way, tells nothing of it, and leaves no timer', async () => {
      const { probe, time, signals, results, pass } = setUp()
      probe.start()
      await pass(10)
      await probe.stop()
      await probe.stop()
      expect(signals[0]?.aborted).to.equal(true)
      expect(results).to.have.length(0)
      expect(time.pending()).to.equal(0)
    })

    it('while it waits, leaves no timer', async () => {
      const { probe, time, starts, answer, pass } = setUp()
      probe.start()
      await answer(GOOD)
      await probe.stop()
      expect(time.pending()).to.equal(0)
      await pass(5000)
      expect(starts).to.have.length(1)
    })

    it('may be asked for by the listener', async () => {
      const { probe, time, listen, starts, answer, pass } = setUp()
      listen(() => void probe.stop())
      probe.start()
      await answer(GOOD)
      await pass(5000)
      expect(starts).to.have.length(1)
      expect(time.pending()).to.equal(0)
    })
  })

  it('tells the log when it begins to fail and when it is over, not each time', async () => {
    const { probe, lines, answer, pass } = setUp()
    probe.start()
    await answer(GOOD)
    await pass(1000)
    await answer({ good: false, code: 'http_status', status: 503 })
    for (let n = 0; n < 10; n += 1) {
      await pass(1000)
      await answer(REFUSED)
    }
    await pass(1000)
    await answer(GOOD)
    await pass(1000)
    await answer(GOOD)
    expect(lines.map(({ msg }) => msg)).to.deep.equal([
      '[RuntimeAdapter] 健康检查失败',
      '[RuntimeAdapter] 健康检查恢复',
    ])
    expect(lines[0]).to.include({ level: 40, failures: 1, code: 'http_status', status: 503 })
    expect(lines[1]).to.include({ level: 30 })
    expect(lines[1]?.badForMs).to.be.within(10_000, 12_000)
  })

  it('survives a listener that throws', async () => {
    const { probe, lines, listen, starts, answer, pass } = setUp()
    listen(() => {
      throw new Error('listener')
    })
    probe.start()
    await answer(GOOD)
    await pass(1000)
    expect(starts).to.have.length(2)
    expect(lines[0]).to.include({ level: 50, error: 'listener' })
  })

  it('never has two under way nor two starts within 100 ms, and never falls silent, whatever happens', async () => {
    const act = fc.oneof(
      fc.constantFrom('good', 'bad', 'trouble', 'reset' as const).map((kind) => ({ kind, ms: 0 })),
      fc.integer({ min: 1, max: 1500 }).map((ms) => ({ kind: 'pass' as const, ms })),
      fc.integer({ min: 100, max: 3000 }).map((ms) => ({ kind: 'interval' as const, ms })),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
        const under = setUp()
        under.probe.start()
        for (const { kind, ms } of acts) {
          if (kind === 'good') await under.answer(GOOD)
          else if (kind === 'bad') await under.answer(REFUSED)
          else if (kind === 'trouble') under.probe.trouble()
          else if (kind === 'reset') under.probe.reset()
          else if (kind === 'interval') under.settings.intervalMs = ms
          else if (kind === 'pass') await under.pass(ms)
        }
        expect(under.mostOpen()).to.equal(1)
        const before = under.starts.length
        for (let n = 0; n < 8; n += 1) await under.pass(1000)
        expect(under.starts.length).to.be.greaterThan(before)
        under.starts.forEach((at, n) => {
          if (n > 0) expect(at - (under.starts[n - 1] ?? 0)).to.be.at.least(100)
        })
        await under.probe.stop()
        expect(under.time.pending()).to.equal(0)
      }),
      { numRuns: NUM_RUNS },
    )
  })
})
