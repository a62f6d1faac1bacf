import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type RedisLink, RedisRefused, RedisUnavailable } from '../../../src/core/redis/redis-link.js'
import { streamKeys } from '../../../src/http/fleet/stream-keys.js'
import { redisLink } from '../../support/fleet.js'
import { freePort } from '../../support/free-port.js'
import { requireRedis, serve, startRedis, type TestRedis } from '../../support/redis.js'
import { rejection } from '../../support/rejection.js'
import { until } from '../../support/until.js'

describe('a link to Redis', () => {
  let redis: TestRedis
  before(async function () {
    redis = await startRedis(this, { own: true })
  })
  after(() => redis?.stop())
  const links: RedisLink[] = []
  afterEach(() => Promise.all(links.splice(0).map((link) => link.close())))

  async function linked(url = redis.url): Promise<RedisLink> {
    const link = redisLink(url)
    links.push(link)
    link.start()
    await until('Redis', () => link.isUp)
    return link
  }

  it('hears channels before and after the server was killed', async () => {
    const link = await linked()
    const heard: string[] = []
    link.subscribe('news', (message) => heard.push(message))
    await until('a message', async () => {
      await link.publish('news', 'before')
      return heard.includes('before')
    })
    await redis.process?.kill()
    await until('Redis down', () => !link.isUp)
    await redis.process?.restart()
    await until('Redis', () => link.isUp)
    await until('a message', async () => {
      await link.publish('news', 'after')
      return heard.includes('after')
    })
  })

  it('fails calls at once while there is no server, and tells a refusal apart', async () => {
    const link = await linked()
    expect(await rejection(link.call('k', 'NO-SUCH-COMMAND'))).to.be.instanceOf(RedisRefused)
    expect(link.failures).to.equal(0)
    await redis.process?.kill()
    await until('Redis down', () => !link.isUp)
    expect(await rejection(link.call('k', 'GET', 'k'))).to.be.instanceOf(RedisUnavailable)
    expect(link.failures).to.be.greaterThan(0)
    await redis.process?.restart()
  })

  it('keeps the keys of one stream in one slot of a Cluster', async () => {
    const keys = streamKeys('chat')
    const tagOf = (key: string) => /\{(.+?)\}/.exec(key)?.[1]
    for (const key of [keys.about('s'), keys.events('s'), keys.news('s')]) expect(tagOf(key)).to.equal('s')
  })
})

describe('a link to Redis behind a Sentinel', () => {
  let redis: TestRedis
  let sentinel: ChildProcess
  let directory: string
  let port: number
  before(async function () {
    redis = await startRedis(this, { own: true })
    directory = mkdtempSync(join(tmpdir(), 'chat-cutover-sentinel-'))
    const file = join(directory, 'sentinel.conf')
    writeFileSync(file, `sentinel monitor main 127.0.0.1 ${redis.process?.port} 1\n`)
    port = await freePort()
    sentinel = await serve('redis-server', port, directory, [file, '--sentinel'])
  })
  after(async () => {
    sentinel?.kill('SIGKILL')
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
    await redis?.stop()
  })

  it('finds the master, and hears channels', async () => {
    const link = redisLink(`redis+sentinel://127.0.0.1:${port}/main`)
    try {
      link.start()
      await until('Redis', () => link.isUp, 10_000)
      await link.call('k', 'SET', 'k', 'v')
      expect(await link.call('k', 'GET', 'k')).to.equal('v')
      const heard: string[] = []
      link.subscribe('news', (message) => heard.push(message))
      await until('a message', async () => {
        await link.publish('news', 'one')
        return heard.includes('one')
      })
    } finally {
      await link.close()
    }
  })
})

describe('a link to a Redis Cluster', () => {
  let node: ChildProcess | undefined
  let directory: string
  let port: number
  before(async function () {
    requireRedis(this)
    directory = mkdtempSync(join(tmpdir(), 'chat-cutover-cluster-'))
    port = await freePort()
    const bus = ['--cluster-port', String(await freePort())]
    const options = ['--save', '', '--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf', ...bus]
    node = await serve('redis-server', port, directory, options)
    const link = redisLink(`redis://127.0.0.1:${port}`)
    link.start()
    await until('Redis', () => link.isUp)
    await link.call('', 'CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    await until('all slots', async () =>
      String(await link.call('', 'CLUSTER', 'INFO')).includes('cluster_state:ok'),
    )
    await link.close()
  })
  after(() => {
    node?.kill('SIGKILL')
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
  })

  it('sends each key to its node, and hears channels', async () => {
    const link = redisLink(`redis+cluster://127.0.0.1:${port}`)
    try {
      link.start()
      await until('Redis', () => link.isUp, 10_000)
      const keys = streamKeys(link.prefix)
      const events = keys.events('s')
      await link.call(events, 'XADD', events, '1-0', 't', 'text')
      expect(await link.call(events, 'XRANGE', events, '-', '+')).to.deep.equal([['1-0', ['t', 'text']]])
      // Both in one command: they share a slot.
      expect(await link.call(events, 'DEL', keys.about('s'), events)).to.equal(1)
      const heard: string[] = []
      link.subscribe(keys.news('s'), (message) => heard.push(message))
      await until('a message', async () => {
        await link.publish(keys.news('s'), 'one')
        return heard.includes('one')
      })
    } finally {
      await link.close()
    }
  })
})
