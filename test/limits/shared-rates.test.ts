import { expect } from 'chai'
import { type Clock, systemClock } from '../../src/core/clock.js'
import type { RedisLink } from '../../src/core/redis/redis-link.js'
import { createSharedRates } from '../../src/limits/shared-rates.js'
import { redisLink } from '../support/fleet.js'
import { manualClock } from '../support/manual-clock.js'
import { startRedis, type TestRedis } from '../support/redis.js'
import { until } from '../support/until.js'

/** On a machine with other work Redis may take more than the 100 ms after which a replica counts alone. */
const PATIENT: Clock = { ...systemClock, schedule: (ms, callback) => systemClock.schedule(50 * ms, callback) }

describe('the starts in a minute of all replicas', () => {
  let redis: TestRedis
  before(async function () {
    redis = await startRedis(this, { own: true })
  })
  after(() => redis?.stop())
  const links: RedisLink[] = []
  afterEach(() => Promise.all(links.splice(0).map((link) => link.close())))

  async function replica(clock = PATIENT) {
    const link = redisLink(redis.url)
    links.push(link)
    link.start()
    await until('Redis', () => link.isUp)
    return { link, rates: createSharedRates({ link, clock }) }
  }

  it('are one limit, however the turns are spread', async () => {
    const [a, b] = [await replica(), await replica()]
    const asks = [{ key: 'user together', limit: 4 }]
    const answers = []
    for (const { rates } of [a, b, a, b, a, b]) answers.push(await rates.take(asks))
    expect(answers.map(({ refused }) => refused?.by)).to.deep.equal([
      undefined,
      undefined,
      undefined,
      undefined,
      0,
      0,
    ])
    expect(answers.map(({ quotas }) => quotas[0]?.remaining)).to.deep.equal([3, 2, 1, 0, 0, 0])
    expect(answers[5]?.refused?.waitSeconds).to.be.within(1, 15)
    await a.rates.giveBack(asks)
    expect((await b.rates.take(asks)).refused).to.equal(undefined)
  })

  it('are taken of every limit or of none', async () => {
    const { rates } = await replica()
    const user = { key: 'user both', limit: 10 }
    const org = { key: 'org both', limit: 1 }
    expect((await rates.take([user, org])).quotas.map(({ remaining }) => remaining)).to.deep.equal([9, 0])
    const refused = await rates.take([user, org])
    expect(refused.refused?.by).to.equal(1)
    expect(refused.quotas[0]?.remaining).to.equal(9)
    expect((await rates.take([user])).quotas[0]?.remaining).to.equal(8)
  })

  it('keep the part that is used when the limit changes', async () => {
    const { rates } = await replica()
    await rates.take([{ key: 'user changed', limit: 2 }])
    expect((await rates.take([{ key: 'user changed', limit: 20 }])).quotas[0]?.remaining).to.equal(9)
  })

  it('are counted by each replica while Redis hangs or is away', async () => {
    const { rates, link } = await replica(systemClock)
    const asks = [{ key: 'user alone', limit: 1 }]
    redis.process?.hang()
    expect((await rates.take(asks)).refused).to.equal(undefined)
    expect((await rates.take(asks)).refused?.by).to.equal(0)
    redis.process?.resume()
    await redis.process?.kill()
    await until('Redis down', () => !link.isUp)
    await rates.giveBack(asks)
    expect((await rates.take(asks)).refused).to.equal(undefined)
    await redis.process?.restart()
  })
})

describe('the starts in a minute while Redis is late', () => {
  it('wait 100 ms for it once, and not again within a second', async () => {
    const clock = manualClock()
    let asked = 0
    const link: RedisLink = {
      isUp: true,
      failures: 0,
      prefix: 'test',
      start: () => undefined,
      call: () => {
        asked += 1
        return new Promise(() => undefined)
      },
      publish: async () => undefined,
      subscribe: () => () => undefined,
      onUp: () => () => undefined,
      close: async () => undefined,
    }
    const rates = createSharedRates({ link, clock })
    const asks = [{ key: 'user', limit: 1 }]
    const first = rates.take(asks)
    clock.advance(100)
    expect((await first).refused).to.equal(undefined)
    expect((await rates.take(asks)).refused?.by).to.equal(0)
    clock.advance(999)
    expect((await rates.take(asks)).refused?.by).to.equal(0)
    expect(asked).to.equal(1)
    clock.advance(1)
    const again = rates.take(asks)
    expect(asked).to.equal(2)
    clock.advance(100)
    expect((await again).refused?.by).to.equal(0)
  })
})
