import { expect } from 'chai'
import fc from 'fast-check'
import { createHealthProbe, type ProbeResult, type ProbeSettings } from '../../../src/fallback/probe/probe.js'
import type { HealthAnswer } from '../../../src/fallback/probe/probe-request.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { manualClock } from '../../support/manual-clock.js'
import { settled } from '../../support/turn-runner.js'

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
  const localFaults: string[] = []
  const signals: AbortSignal[] = []
  let open = 0
  let mostOpen = 0
  /** of those under way, oldest first */
  const answers: ((answer: HealthAnswer) => void)[] = []
  /** answers each at once */
  let always: HealthAnswer | undefined
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
        answers.push(settle)
        if (always !== undefined) settle(always)
        signal.addEventListener('abort', () => settle({ good: false, code: 'aborted' }))
      })
    },
    onLocalFault: (code) => void localFaults.push(code),
    onResult(result) {
      results.push(result)
      onResult()
    },
  })
  return {
    probe,
    localFaults,
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
    /** The oldest that waits. */
    async answer(next: HealthAnswer) {
      answers.shift()?.(next)
      await settled()
    },
    /** From now on each at once. */
    always(next: HealthAnswer | undefined | undefined) {
      always = next
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
    await pass(30)
    await answer(GOOD)
    await pass(970)
    await answer(GOOD)
    await pass(999)
    expect(starts).to.deep.equal([0, 1000])
    await pass(1)
    expect(starts).to.deep.equal([0, 1000, 2000])
  })

  it('tells what it knows', async () => {
    const { probe, time, answer, pass } = setUp()
    probe.start()
    await pass(30)
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
      agoMs: 50,
      goodForMs: 1050,
    })
  })

  it('has one regular probe under way at most, and begins the next at once when one took longer than the interval', async () => {
    const { probe, starts, answer, pass } = setUp()
    probe.start()
    for (let n = 0; n < 17; n += 1) await pass(100)
    expect(starts).to.deep.equal([0, 100, 150])
    await answer(GOOD)
    expect(starts).to.deep.equal([0, 100, 150, 1700])
  })

  for (const code of ['EMFILE', 'own_dns'])
    it(`learns nothing from a fault of our own machine (${code})`, async () => {
      const { probe, results, starts, localFaults, answer, always, pass } = setUp({ failures: 2 })
      probe.start()
      await answer(GOOD)
      always({ good: false, code })
      await pass(1000)
      probe.trouble()
      for (let second = 0; second < 5; second += 1) await pass(1000)
      expect(probe.state()).to.deep.include({ failuresInARow: 0, healthy: true })
      expect(results).to.have.length(1)
      expect(new Set(localFaults)).to.deep.equal(new Set([code]))
      // It goes on asking, an interval apart.
      expect(starts.length).to.be.within(7, 9)
      always(REFUSED)
      for (let round = 0; round < 5; round += 1) await pass(500)
      expect(probe.state()).to.deep.include({ healthy: false })
    })

  describe('in a burst', () => {
    it('knows of a dead runtime a quarter of a second after the first failure', async () => {
      const { probe, starts, results, answer, always, pass } = setUp({ failures: 6 })
      probe.start()
      await answer(GOOD)
      always(REFUSED)
      await pass(1000)
      await pass(200)
      expect(probe.state()).to.deep.include({ failuresInARow: 6, healthy: true, goodForMs: 0 })
      await pass(50)
      expect(probe.state()).to.deep.include({ failuresInARow: 7, healthy: false })
      expect(starts).to.deep.equal([0, 1000, 1000, 1050, 1100, 1150, 1200, 1250])
      expect(results.map(({ good }) => good)).to.deep.equal([true, ...Array(7).fill(false)])
      // Condemned: regular probes go on, without bursts.
      await pass(750)
      await pass(1000)
      expect(starts.slice(8)).to.deep.equal([2000, 3000])
    })

    it('lets one good answer of the others speak for the runtime', async () => {
      const { probe, starts, answer, pass } = setUp({ failures: 6 })
      probe.start()
      await answer(GOOD)
      await pass(1000)
      await answer(REFUSED)
      await answer(REFUSED)
      await pass(50)
      await answer(GOOD)
      expect(probe.state()).to.deep.include({ failuresInARow: 0, healthy: true })
      await pass(900)
      expect(starts).to.deep.equal([0, 1000, 1000, 1050])
    })

    it('does not wait for one answer before it asks again', async () => {
      const { probe, starts, mostOpen, pass } = setUp({ failures: 6 })
      probe.start()
      await pass(99)
      expect(starts).to.deep.equal([0])
      for (let n = 0; n < 10; n += 1) await pass(50)
      expect(starts).to.deep.equal([0, 100, 150, 200, 250, 300, 350])
      expect(mostOpen()).to.equal(7)
    })

    it('knows of a runtime that hangs its deadline and 0.4 s after a probe began', async () => {
      const { probe, time, pass } = setUp({ failures: 6 })
      probe.start()
      while (probe.state().healthy !== false && time.monotonic() < 10_000) await pass(10)
      expect(time.monotonic()).to.be.within(2300, 2400)
    })

    it('begins a burst beside no probe that takes as long as always', async () => {
      const { probe, starts, answer, pass } = setUp({ failures: 6 })
      probe.start()
      const good = async (tookMs: number): Promise<number> => {
        const before = starts.length
        await pass(tookMs)
        const began = starts.length - before
        // The oldest one is the regular probe; the others were given up then.
        for (let n = 0; n <= began; n += 1) await answer(GOOD)
        await pass(1000 - tookMs)
        return began
      }
      // What the first three took is not usual yet, and the fourth tells it.
      for (let n = 0; n < 4; n += 1) expect(await good(150)).to.equal(2)
      for (let n = 0; n < 4; n += 1) expect(await good(299)).to.equal(0)
    })

    it('takes the next probe for late as before where some answers were slow', async () => {
      const { probe, starts, answer, pass } = setUp({ failures: 6 })
      probe.start()
      for (const tookMs of [95, 95, 95, 30, 30, 30, 95, 95]) {
        await pass(tookMs)
        await answer(GOOD)
        await pass(1000 - tookMs)
      }
      await pass(99)
      expect(starts.at(-1)).to.equal(8000)
      await pass(1)
      expect(starts.at(-1)).to.equal(8100)
    })

    it('knows within 2.5 s of a runtime that hangs under traffic, whenever it does, and after one that hung just before', async () => {
      for (let phase = 0; phase < 1000; phase += 90) {
        const { probe, time, answer, always, pass } = setUp({ failures: 6 })
        probe.start()
        // After a hang its answers are slow for a while.
        for (const tookMs of [90, 90, 90]) {
          await pass(tookMs)
          await answer(GOOD)
          await pass(1000 - tookMs)
        }
        always(GOOD)
        await answer(GOOD)
        await pass(phase)
        always(undefined)
        const hungAt = time.monotonic()
        while (probe.state().healthy !== false && time.monotonic() < hungAt + 5000) {
          probe.requestSent()
          await pass(10)
          await pass(10)
        }
        expect(time.monotonic() - hungAt, `hung ${phase} ms after a probe`).to.be.at.most(2500)
      }
    })

    it('does not take how long a runtime hung for what its answers usually take', async () => {
      const { probe, starts, answer, time, pass } = setUp({ failures: 6 })
      probe.start()
      while (probe.state().healthy !== false && time.monotonic() < 5000) await pass(10)
      expect(starts.at(-1)).to.equal(2000)
      await pass(3500 - time.monotonic())
      // All but the last one have missed their deadline: nobody listens to them any more.
      for (let n = starts.length; n > 0; n -= 1) await answer(GOOD)
      expect(probe.state().healthy).to.equal(true)
      await pass(0)
      expect(starts.at(-1)).to.equal(3500)
      await pass(100)
      expect(starts.at(-1)).to.equal(3600)
    })

    it('condemns nobody whose execution got its head meanwhile, and asks again', async () => {
      const { probe, always, pass } = setUp({ failures: 6 })
      probe.start()
      always(REFUSED)
      probe.headCame()
      await pass(0)
      for (let n = 0; n < 40; n += 1) {
        await pass(100)
        probe.headCame()
      }
      expect(probe.state().healthy).to.equal(undefined)
      for (let n = 0; n < 14; n += 1) await pass(100)
      expect(probe.state().healthy).to.equal(false)
    })

    it('begins anew at once where a head that was read late came into it, and trouble goes on', async () => {
      const { probe, time, always, pass } = setUp({ failures: 6 })
      probe.start()
      always(GOOD)
      await pass(500)
      always(REFUSED)
      probe.trouble()
      await pass(40)
      probe.trouble()
      probe.headCame()
      while (probe.state().healthy !== false && time.monotonic() < 5000) await pass(10)
      expect(time.monotonic()).to.be.within(850, 870)
    })

    it('has a bounded number under way, however many it has', async () => {
      const { probe, mostOpen, pass } = setUp({ failures: 1000, timeoutMs: 60_000 })
      probe.start()
      for (let n = 0; n < 200; n += 1) await pass(50)
      expect(mostOpen()).to.equal(50)
      await probe.stop()
    })
  })

  describe('where requests go out and no head comes', () => {
    it('asks at once, and only asks', async () => {
      const { probe, starts, answer, pass } = setUp()
      probe.start()
      await answer(GOOD)
      await pass(300)
      probe.requestSent()
      await pass(99)
      probe.requestSent()
      expect(starts).to.deep.equal([0])
      await pass(1)
      probe.requestSent()
      await pass(0)
      expect(starts).to.deep.equal([0, 400])
      await answer(GOOD)
      expect(probe.state()).to.include({ healthy: true })
      // Once for each silence.
      for (let n = 0; n < 9; n += 1) {
        await pass(100)
        probe.requestSent()
      }
      expect(starts).to.have.length(2)
    })

    it('does not while heads come', async () => {
      const { probe, starts, answer, pass } = setUp()
      probe.start()
      await answer(GOOD)
      for (let n = 0; n < 9; n += 1) {
        await pass(100)
        probe.requestSent()
        probe.headCame()
      }
      expect(starts).to.deep.equal([0])
    })
  })

  it('gives up what is not answered in time, and tells it', async () => {
    const { probe, starts, results, signals, pass } = setUp()
    probe.start()
    await pass(1999)
    expect(results).to.have.length(0)
    await pass(1)
    expect(results).to.deep.equal([{ good: false, code: 'timeout', tookMs: 2000 }])
    expect(signals[0]?.aborted).to.equal(true)
    // The interval is over: the next one has begun. Two of a burst went out beside the late one.
    expect(starts).to.deep.equal([0, 100, 150, 2000])
  })

  it('waits for a whole interval after what was not answered in time', async () => {
    const { probe, starts, pass } = setUp({ timeoutMs: 90 })
    probe.start()
    await pass(900)
    const before = starts.length
    await pass(99)
    expect(starts).to.have.length(before)
    await pass(1)
    expect(starts.at(-1)).to.equal(1000)
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
    expect(results[0]).to.include({ good: false, code: 'timeout' })
    await probe.stop()
  })

  describe('in trouble', () => {
    it('begins a burst at once, one at a time, and 100 ms after the last one at the soonest', async () => {
      const { probe, starts, answer, pass } = setUp({ failures: 6 })
      probe.start()
      await answer(GOOD)
      await pass(40)
      for (let n = 0; n < 1000; n += 1) probe.trouble()
      expect(starts).to.deep.equal([0, 40])
      await answer(GOOD)
      await pass(10)
      probe.trouble()
      await pass(89)
      expect(starts).to.deep.equal([0, 40])
      await pass(1)
      expect(starts).to.deep.equal([0, 40, 140])
    })

    it('asks again after a burst that was answered: that may have been before', async () => {
      const { probe, starts, always, pass } = setUp({ failures: 2 })
      probe.start()
      always(GOOD)
      await pass(10)
      probe.trouble()
      probe.trouble()
      await pass(0)
      await pass(100)
      expect(starts).to.deep.equal([0, 10, 110])
      await pass(800)
      expect(starts).to.have.length(3)
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
    it('with the next burst', async () => {
      const { probe, settings, always, pass } = setUp({ failures: 6 })
      probe.start()
      settings.failures = 2
      always(REFUSED)
      await pass(1000)
      await pass(50)
      expect(probe.state()).to.include({ healthy: false })
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
      await answer(REFUSED)
      await pass(50)
      await answer(REFUSED)
      expect(probe.state()).to.include({ healthy: false })
      await pass(350)
      probe.reset()
      expect(probe.state()).to.deep.include({ failuresInARow: 0, goodInARow: 0, goodForMs: 0 })
      expect(probe.state()).not.to.have.property('healthy')
      expect(starts).to.deep.equal([0, 0, 50, 400])
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

  it('never has more under way than a burst and one, and never falls silent, whatever happens', async () => {
    const act = fc.oneof(
      fc
        .constantFrom('good', 'bad', 'trouble', 'reset', 'sent', 'head' as const)
        .map((kind) => ({ kind, ms: 0 })),
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
          else if (kind === 'sent') under.probe.requestSent()
          else if (kind === 'head') under.probe.headCame()
          else if (kind === 'interval') under.settings.intervalMs = ms
          else if (kind === 'pass') await under.pass(ms)
        }
        expect(under.mostOpen()).to.be.at.most(3)
        const before = under.starts.length
        for (let n = 0; n < 8; n += 1) await under.pass(1000)
        expect(under.starts.length).to.be.greaterThan(before)
        await under.probe.stop()
        expect(under.time.pending()).to.equal(0)
      }),
      { numRuns: NUM_RUNS },
    )
  })
})
