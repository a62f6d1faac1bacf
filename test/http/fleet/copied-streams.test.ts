import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { type RedisLink, RedisUnavailable } from '../../../src/core/redis/redis-link.js'
import type { FleetStreams } from '../../../src/http/fleet/fleet-streams.js'
import { streamKeys } from '../../../src/http/fleet/stream-keys.js'
import { MemoryStreamLog } from '../../../src/http/stream/memory-stream-log.js'
import { eventText } from '../../../src/http/stream/sse-channel.js'
import { fleetStreams, redisLink } from '../../support/fleet.js'
import { startRedis, type TestRedis } from '../../support/redis.js'
import { until } from '../../support/until.js'

const STREAM = { streamId: 'stream', sessionId: 'session', owner: { orgId: 'acme', userId: 'user-1' } }
const event = (id: number, size = 1) => eventText({ event: 'message', id, data: `"${'x'.repeat(size)}"` })

describe('the copy of a stream in Redis', () => {
  let redis: TestRedis
  before(async function () {
    redis = await startRedis(this)
  })
  after(() => redis?.stop())
  const opened: { readonly fleet: FleetStreams; readonly link: RedisLink }[] = []
  afterEach(async () => {
    for (const { fleet, link } of opened.splice(0)) {
      await fleet.close()
      await link.close()
    }
  })

  /** @param seenBy what the replica sees of its link */
  async function replica(seenBy = (link: RedisLink) => link) {
    const link = redisLink(redis.url)
    const fleet = fleetStreams(seenBy(link))
    const log = fleet.copying(new MemoryStreamLog({ clock: systemClock, maxBytes: 1e9 }), () => 'token')
    opened.push({ fleet, link })
    link.start()
    fleet.start()
    await until('Redis', () => link.isUp)
    return { link, fleet, log }
  }

  it('keeps about a mebibyte: the newest can be read, and the oldest are given up', async () => {
    const { link, fleet, log } = await replica()
    const writer = log.open(STREAM)
    const newest = async () => (await fleet.find(STREAM.streamId))?.lastId
    for (let id = 1; id <= 100; id += 1) {
      writer.append(event(id, 32_768), id)
      await until('the copy', async () => (await newest()) === id)
    }
    const events = streamKeys(link.prefix).events(STREAM.streamId)
    const kept = JSON.stringify(await link.call(events, 'XRANGE', events, '-', '+')).length
    expect(kept).to.be.within(1_048_576, 1.25 * 1_048_576)
    const remote = await fleet.find(STREAM.streamId)
    expect([0, 50, 80, 99].map((after) => remote?.canRead(after))).to.deep.equal([false, false, true, true])
    writer.end()
    log.erase(STREAM.sessionId)
    await until('the deletion', async () => (await newest()) === undefined)
  })

  it('has the end of a turn that ends just before its replica does', async () => {
    const { fleet, log } = await replica()
    const { fleet: other } = await replica()
    const writer = log.open({ ...STREAM, streamId: 'last' })
    writer.append(event(1), 1)
    writer.end()
    await fleet.close()
    const remote = await other.find('last')
    expect([remote?.lastId, remote?.isOver]).to.deep.equal([1, true])
  })

  it('is deleted with its session, also where its replica wrote on before it heard of that', async () => {
    const held: (() => void)[] = []
    const { log } = await replica((link) =>
      changed(link, {
        subscribe: (channel, listener) =>
          link.subscribe(channel, (message) => held.push(() => listener(message))),
      }),
    )
    const { fleet, log: other } = await replica()
    const copy = () => fleet.find(STREAM.streamId)
    const writer = log.open(STREAM)
    writer.append(event(1), 1)
    await until('the copy', async () => (await copy())?.lastId === 1)
    other.erase(STREAM.sessionId)
    await until('the deletion', async () => (await copy()) === undefined)
    writer.append(event(2), 2)
    await until('the copy again', async () => (await copy())?.lastId === 2)
    await until('the message', () => held.length > 0)
    for (const hear of held) hear()
    await until('the second deletion', async () => (await copy()) === undefined)
  })

  it('is deleted once Redis is back, where its session was erased while Redis was away', async () => {
    let isAway = false
    const backAgain: (() => void)[] = []
    const { fleet, log } = await replica((link) =>
      changed(link, {
        call: (key, ...args) =>
          isAway ? Promise.reject(new RedisUnavailable('away')) : link.call(key, ...args),
        onUp: (listener) => {
          backAgain.push(listener)
          return link.onUp(listener)
        },
      }),
    )
    const copy = () => fleet.find(STREAM.streamId)
    const writer = log.open(STREAM)
    writer.append(event(1), 1)
    writer.end()
    await until('the copy', async () => (await copy())?.isOver === true)
    isAway = true
    log.erase(STREAM.sessionId)
    await new Promise((resolve) => setImmediate(resolve))
    isAway = false
    expect(await copy()).not.to.equal(undefined)
    for (const back of backAgain) back()
    await until('the deletion', async () => (await copy()) === undefined)
  })
})

/** The link with some of its calls in another way. */
const changed = (link: RedisLink, calls: Partial<RedisLink>): RedisLink => ({
  get isUp() {
    return link.isUp
  },
  failures: 0,
  prefix: link.prefix,
  start: () => link.start(),
  call: (key, ...args) => link.call(key, ...args),
  publish: (channel, message) => link.publish(channel, message),
  subscribe: (channel, listener) => link.subscribe(channel, listener),
  onUp: (listener) => link.onUp(listener),
  close: () => link.close(),
  ...calls,
})
