import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import type { RedisLink } from '../../../src/core/redis/redis-link.js'
import { createFleetEvidence, type FleetEvidence } from '../../../src/fallback/fleet/fleet-evidence.js'
import { renderEvidence } from '../../../src/fallback/fleet/tally-of-all.js'
import { createMemoryFiles } from '../../../src/store/file/memory-flag-store.js'
import { NEUTRAL } from '../../../src/store/override/override.js'
import { renderOverride } from '../../../src/store/override/override-rendering.js'
import { redisLink } from '../../support/fleet.js'
import { manualClock } from '../../support/manual-clock.js'
import { startRedis, type TestRedis } from '../../support/redis.js'
import { until } from '../../support/until.js'
import { SUBJECT, setUpLoop } from '../loop-setup.js'
import { memoryLink } from './memory-link.js'

const MODE = { mode: 'runtime_orchestrator' } as const
const FAILED = { result: 'error', code: 'runtime_error', phase: 'headers' } as const

/** So many replicas on one override; their clocks go on together. */
function replicas(count: number) {
  const redis = memoryLink()
  const files = createMemoryFiles(renderOverride(NEUTRAL))
  const all = Array.from({ length: count }, (_, at) =>
    setUpLoop({
      files,
      replica: `r${at}`,
      fleet: (clock) => createFleetEvidence({ link: redis.link, clock, replica: `r${at}#n` }),
    }),
  )
  return {
    all,
    redis,
    files,
    start: () => Promise.all(all.map((one) => one.start())),
    stop: () => Promise.all(all.map(({ fallback }) => fallback.stop())),
    async pass(ms: number) {
      for (let left = ms; left > 0; left -= 100) {
        redis.state.now += 100
        for (const one of all) await one.pass(100)
      }
    },
    trips: () =>
      all.flatMap(({ kept }) => kept.filter((told) => told.kind === 'trip' && told.adopted !== true)),
    states: () => all.map(({ fallback }) => fallback.snapshot().override.auto.state),
  }
}

type Fleet = ReturnType<typeof replicas>

function turns({ all }: Fleet, each: number, failing: number): void {
  for (const { fallback, clock, useRuntime } of all)
    for (let at = 0; at < each; at += 1) {
      useRuntime()
      fallback.record({
        ...(at < failing ? FAILED : { result: 'ok' }),
        ...MODE,
        ...SUBJECT,
        sessionId: `session-${at}`,
        startedAt: clock.monotonic(),
        latencyMs: 100,
      })
    }
}

describe('evidence of all replicas', () => {
  let fleet: Fleet | undefined
  afterEach(async () => {
    await fleet?.stop()
    fleet = undefined
  })
  async function started(count: number): Promise<Fleet> {
    const own = replicas(count)
    fleet = own
    await own.start()
    await own.pass(2_000)
    return own
  }

  it('trips once by a breach of which each of 20 replicas sees five turns', async () => {
    const own = await started(20)
    turns(own, 5, 4)
    await own.pass(3_000)
    expect(own.states()).to.deep.equal(Array.from({ length: 20 }, () => 'fallback'))
    expect(own.trips()).to.have.length(1)
    expect(own.trips()[0]).to.deep.include({ to: 'fallback' })
  })

  it('does not where Redis is away: each judges its own five', async () => {
    const own = await started(20)
    own.redis.state.isUp = false
    turns(own, 5, 4)
    await own.pass(3_000)
    expect(own.trips()).to.deep.equal([])
  })

  it('isolates the one of three that alone sees the runtime dead, and trips with the second', async () => {
    const own = await started(3)
    turns(own, 2, 0)
    const [first, second] = own.all
    if (first === undefined || second === undefined) throw new Error('no replicas')
    first.knobs.healthy = false
    await own.pass(5_000)
    expect(own.all.map(({ fallback }) => fallback.snapshot().isolated)).to.deep.equal([true, false, false])
    expect(own.trips()).to.deep.equal([])
    expect(own.states()).to.deep.equal(['normal', 'normal', 'normal'])
    expect(first.fallback.overrideFor(SUBJECT, { on: false })).to.deep.include({
      on: true,
      whose: 'isolated',
    })
    second.knobs.healthy = false
    await own.pass(5_000)
    expect(own.states()).to.deep.equal(['fallback', 'fallback', 'fallback'])
    expect(own.trips()).to.have.length(1)
    expect(first.fallback.snapshot().isolated).to.equal(false)
  })

  it('keeps it isolated through answers of Redis that are late', async () => {
    const own = await started(3)
    turns(own, 2, 0)
    const [first] = own.all
    if (first === undefined) throw new Error('no replicas')
    first.knobs.healthy = false
    await own.pass(5_000)
    // It reads what the others have told last.
    for (let at = 0; at < 12; at += 1) await first.pass(100)
    let answer: () => void = () => undefined
    own.redis.state.held = new Promise((resolve) => {
      answer = resolve
    })
    // The others pause meanwhile, as on a busy machine.
    for (let at = 0; at < 12; at += 1) await first.pass(100)
    expect(first.fallback.snapshot().isolated).to.equal(true)
    own.redis.state.held = undefined
    answer()
    for (let at = 0; at < 25; at += 1) await first.pass(100)
    expect(first.fallback.snapshot().isolated).to.equal(true)
    expect(own.trips()).to.deep.equal([])
  })

  it('lets the isolated one come back by what the others see, once its own probes are good', async () => {
    const own = await started(3)
    turns(own, 2, 0)
    const [first] = own.all
    if (first === undefined) throw new Error('no replicas')
    first.knobs.healthy = false
    await own.pass(5_000)
    expect(first.fallback.snapshot().isolated).to.equal(true)
    first.knobs.healthy = true
    turns(own, 4, 0)
    await own.pass(5_000)
    expect(first.fallback.snapshot().isolated).to.equal(false)
    expect(own.trips()).to.deep.equal([])
  })
})

describe('evidence of all replicas that comes late', () => {
  const VIEW = { sawTurn: true, bad: false }
  const settled = () => new Promise((resolve) => setImmediate(resolve))

  /** A replica whose exchange took too long, and brought one execution of another one after it. */
  async function late() {
    const { link, state } = memoryLink()
    const clock = manualClock()
    const [a, b] = ['a', 'b'].map((replica) => createFleetEvidence({ link, clock, replica }))
    if (a === undefined || b === undefined) throw new Error('no replicas')
    await b.exchange(VIEW)
    a.add({ ...FAILED, ...MODE, ...SUBJECT, startedAt: 0, latencyMs: 7 })
    await a.exchange(VIEW)
    clock.advance(1_000)
    let answer: () => void = () => undefined
    state.held = new Promise((resolve) => {
      answer = resolve
    })
    const exchange = b.exchange(VIEW)
    clock.advance(200)
    expect(await exchange).to.deep.equal({ outcomes: [], peers: { saw: 1, bad: 0 } })
    state.held = undefined
    answer()
    await settled()
    clock.advance(1_000)
    return { a, b, clock, state }
  }

  it('is asked for less often the more replicas there are, and what they told holds meanwhile', async () => {
    const { link } = memoryLink()
    const clock = manualClock()
    const b = createFleetEvidence({ link, clock, replica: 'b' })
    await b.exchange(VIEW)
    for (let at = 0; at < 500; at += 1)
      await link.call('', 'XADD', 'k', '*', 'm', renderEvidence(`r${at}`, { sawTurn: true, bad: true }, []))
    let asked = 0
    const call = link.call.bind(link)
    link.call = (key, ...args) => {
      if (args[0] === 'XRANGE') asked += 1
      return call(key, ...args)
    }
    for (let second = 0; second < 9; second += 1) {
      clock.advance(1_000)
      expect((await b.exchange(VIEW)).peers, `${second}`).to.deep.equal({ saw: 501, bad: 500 })
    }
    // Every 2 s in place of every one.
    expect(asked).to.equal(5)
  })

  it('is judged at the next tick', async () => {
    const { b } = await late()
    expect((await b.exchange(VIEW)).outcomes.map(({ result }) => result)).to.deep.equal(['error'])
  })

  it('is judged once an answer is in time, of several that were late', async () => {
    const { a, b, clock, state } = await late()
    a.add({ ...FAILED, ...MODE, ...SUBJECT, startedAt: 0, latencyMs: 7 })
    await a.exchange(VIEW)
    let answer: () => void = () => undefined
    state.held = new Promise((resolve) => {
      answer = resolve
    })
    const second = b.exchange(VIEW)
    clock.advance(200)
    expect((await second).outcomes).to.deep.equal([])
    state.held = undefined
    answer()
    await settled()
    clock.advance(1_000)
    expect((await b.exchange(VIEW)).outcomes).to.have.length(2)
  })

  it('leaves what the others see of the health in force where ticks are 5 s apart', async () => {
    const { b, clock, state } = await late()
    await b.exchange(VIEW)
    state.held = new Promise(() => undefined)
    clock.advance(5_000)
    const news = b.exchange(VIEW)
    clock.advance(200)
    expect((await news).peers).to.deep.equal({ saw: 2, bad: 0 })
    clock.advance(4_800)
    expect((await b.exchange(VIEW)).peers).to.equal(undefined)
  })

  it('leaves what the others see of the health in force for 2 s', async () => {
    const { b, clock, state } = await late()
    await b.exchange(VIEW)
    state.held = new Promise(() => undefined)
    for (const [passedMs, peers] of [
      [300, { saw: 2, bad: 1 }],
      [600, { saw: 2, bad: 1 }],
      [1_100, undefined],
    ] as const) {
      clock.advance(passedMs)
      const news = b.exchange({ sawTurn: true, bad: true })
      clock.advance(200)
      expect((await news).peers, `${passedMs}`).to.deep.equal(peers)
    }
  })

  it('is not judged once Redis was away in between: it is too old', async () => {
    const { b, clock, state } = await late()
    state.isUp = false
    await b.exchange(VIEW)
    clock.advance(60_000)
    state.isUp = true
    expect((await b.exchange(VIEW)).outcomes).to.deep.equal([])
  })
})

describe('evidence of all replicas in Redis', () => {
  let redis: TestRedis
  before(async function () {
    redis = await startRedis(this, { own: true })
  })
  after(() => redis?.stop())
  const links: RedisLink[] = []
  afterEach(() => Promise.all(links.splice(0).map((link) => link.close())))

  async function member(replica: string): Promise<FleetEvidence> {
    const link = redisLink(redis.url)
    links.push(link)
    link.start()
    await until('Redis', () => link.isUp)
    return createFleetEvidence({ link, clock, replica })
  }
  // Exchanges are at least 50 ms apart.
  let passedMs = 0
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + passedMs }
  const pause = (): void => {
    passedMs += 60
  }

  it('is read by each other replica once', async () => {
    const [a, b] = [await member('a'), await member('b')]
    await a.exchange({ sawTurn: true, bad: true })
    await b.exchange({ sawTurn: true, bad: false })
    pause()
    a.add({ ...FAILED, ...MODE, ...SUBJECT, startedAt: clock.monotonic(), latencyMs: 7 })
    await a.exchange({ sawTurn: true, bad: true })
    pause()
    const news = await b.exchange({ sawTurn: true, bad: false })
    expect(news.outcomes.map(({ result, latencyMs }) => [result, latencyMs])).to.deep.equal([['error', 7]])
    expect(news.peers).to.deep.equal({ saw: 2, bad: 1 })
    pause()
    expect((await b.exchange({ sawTurn: true, bad: false })).outcomes).to.deep.equal([])
  })

  it('is nothing while Redis hangs, without a wait beyond the deadline, and comes back', async () => {
    const a = await member('a')
    expect((await a.exchange({ sawTurn: true, bad: false })).peers).to.deep.include({ bad: 0 })
    redis.process?.hang()
    pause()
    const view = { sawTurn: true, bad: false }
    expect((await a.exchange(view)).outcomes).to.deep.equal([])
    passedMs += 2_000
    expect(await a.exchange(view)).to.deep.equal({ outcomes: [] })
    redis.process?.resume()
    await until('Redis', async () => (await a.exchange({ sawTurn: true, bad: false })).peers !== undefined)
  })
})
