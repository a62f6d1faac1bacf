import { createHistogram } from 'node:perf_hooks'
import { expect } from 'chai'
import { systemClock } from '../../src/core/clock.js'
import { createPulse } from '../../src/core/pulse/pulse.js'
import { watchLoopLag } from '../../src/metrics/loop-lag.js'
import { createServiceMetrics, type ServiceMetrics } from '../../src/metrics/prometheus.js'
import { holdUp } from '../support/hold-up.js'
import { manualClock } from '../support/manual-clock.js'

const VALUES = ['min', 'max', 'mean', 'p50', 'p99'] as const

/** In ms, rounded. */
async function lagOf(metrics: ServiceMetrics): Promise<Record<string, number>> {
  const { body } = await metrics.exposition()
  const ofMetric = (name: string): number =>
    Number(new RegExp(`^nodejs_eventloop_lag_${name}_seconds (\\S+)$`, 'm').exec(body)?.[1])
  return Object.fromEntries(VALUES.map((name) => [name, Math.round(ofMetric(name) * 1e3)]))
}

describe('the lag of the event loop in the metrics', () => {
  function setUp() {
    const clock = manualClock()
    const pulse = createPulse(clock)
    const histogram = createHistogram()
    const node = { isOn: false }
    const lag = watchLoopLag(pulse, () =>
      Object.assign(histogram, {
        enable: () => {
          node.isOn = true
          return true
        },
        disable: () => {
          node.isOn = false
          return true
        },
      }),
    )
    const metrics = createServiceMetrics({ replica: 'r', loopLag: lag })
    /** What Node measures while each round of the loop takes so long. */
    const measure = (times: number, roundMs: number): void => {
      for (let time = 0; time < times; time += 1) histogram.record(roundMs * 1e6)
    }
    return { clock, pulse, lag, node, measure, metrics, seen: () => lagOf(metrics) }
  }

  it('has the names and the words of prom-client', async () => {
    const wordsOf = async (metrics: ServiceMetrics): Promise<string[]> => {
      const { body } = await metrics.exposition()
      return body
        .split('\n')
        .filter((line) => line.startsWith('#'))
        .sort()
    }
    const { lag } = setUp()
    const own = await wordsOf(createServiceMetrics({ replica: 'r', loopLag: lag }))
    expect(own).to.deep.equal(await wordsOf(createServiceMetrics({ replica: 'r' })))
    expect(own.filter((line) => line.includes('eventloop_lag'))).to.have.length(16)
  })

  it('is what prom-client measures while the process is awake, since the last scrape', async () => {
    const { pulse, lag, measure, seen } = setUp()
    lag.start()
    pulse.wake()
    measure(98, 10)
    measure(2, 400)
    expect(await seen()).to.deep.equal({ min: 10, max: 400, mean: 18, p50: 10, p99: 400 })
    measure(100, 20)
    expect(await seen()).to.deep.equal({ min: 20, max: 20, mean: 20, p50: 20, p99: 20 })
  })

  it('is told by the beats while the process rests: a late one is one measurement of many', async () => {
    const { clock, pulse, lag, node, seen } = setUp()
    lag.start()
    clock.advance(15_000)
    expect(await seen()).to.deep.equal({ min: 10, max: 10, mean: 10, p50: 10, p99: 10 })
    clock.advance(14_000)
    clock.stall(1_200)
    clock.advance(0)
    expect(await seen()).to.deep.include({ min: 10, max: 710, p50: 10, p99: 10 })
    expect([pulse.isAwake, node.isOn]).to.deep.equal([true, true])
  })

  it('keeps what was measured when the process begins to rest', async () => {
    const { clock, pulse, lag, node, measure, seen } = setUp()
    lag.start()
    pulse.wake()
    expect(node.isOn).to.equal(true)
    measure(900, 30)
    measure(100, 300)
    clock.advance(3_000)
    expect(node.isOn).to.equal(false)
    const found = await seen()
    expect(found).to.deep.include({ min: 10, p99: 300 })
    expect(found.max).to.be.within(300, 301)
    expect(found.mean).to.be.within(40, 62)
  })

  it('counts no measurement twice when it rests, is asked, and wakes again', async () => {
    const { clock, pulse, lag, measure, seen } = setUp()
    lag.start()
    pulse.wake()
    measure(100, 300)
    clock.advance(12_000)
    pulse.wake()
    measure(1, 500)
    // Ten seconds at rest are a thousand of 10 ms.
    const found = await seen()
    expect(found).to.deep.include({ min: 10, p50: 10 })
    expect(found.max).to.be.within(500, 501)
    expect(found.mean).to.be.within(34, 38)
    clock.advance(1_000)
    measure(10, 20)
    expect(await seen()).to.deep.equal({ min: 20, max: 20, mean: 20, p50: 20, p99: 20 })
  })

  it('has each of its values under its own name, and how late the answer to the last scrape was', async () => {
    const { pulse, lag, measure, metrics } = setUp()
    lag.start()
    pulse.wake()
    measure(80, 10)
    measure(15, 50)
    measure(5, 400)
    const { body } = await metrics.exposition()
    const inSeconds = (text: string, name: string): number =>
      Number(new RegExp(`^nodejs_eventloop_lag_${name} (\\S+)$`, 'm').exec(text)?.[1])
    const found = ['p50', 'p90', 'p99', 'stddev'].map((name) => inSeconds(body, `${name}_seconds`))
    expect(found.map((seconds) => Math.round(seconds * 1e3))).to.deep.equal([10, 50, 400, 85])
    await new Promise((resolve) => setImmediate(resolve))
    expect(inSeconds((await metrics.exposition()).body, 'seconds')).to.be.greaterThan(0)
  })

  it('carries no more than ten thousand of them over', async () => {
    const { clock, pulse, lag, measure, seen } = setUp()
    lag.start()
    pulse.wake()
    measure(200_000, 30)
    clock.advance(13_000)
    // Eleven seconds at rest are 1,100 of 10 ms beside 10,000 of 30 ms.
    expect(await seen()).to.deep.include({ min: 10, mean: 28, p50: 30, p99: 30 })
  })

  it('leaves nothing behind', () => {
    const { clock, pulse, lag, node } = setUp()
    pulse.wake()
    lag.start()
    lag.start()
    expect([clock.pending(), node.isOn]).to.deep.equal([1, true])
    lag.stop()
    expect([clock.pending(), node.isOn]).to.deep.equal([0, false])
  })

  it('sees a loop that is really blocked', async () => {
    const pulse = createPulse(systemClock)
    const lag = watchLoopLag(pulse)
    const metrics = createServiceMetrics({ replica: 'r', loopLag: lag })
    lag.start()
    try {
      for (const isAwake of [false, true]) {
        if (isAwake) pulse.wake()
        // Node's first measurement begins after a round of the loop.
        await new Promise((resolve) => setTimeout(resolve, 50))
        holdUp(700)
        await new Promise((resolve) => setTimeout(resolve, 20))
        expect((await lagOf(metrics)).max).to.be.greaterThan(150)
      }
    } finally {
      lag.stop()
    }
  })
})
