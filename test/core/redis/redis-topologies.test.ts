import type { ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { RedisLink } from '../../../src/core/redis/redis-link.js'
import { streamKeys } from '../../../src/http/fleet/stream-keys.js'
import { redisLink } from '../../support/fleet.js'
import { freePort } from '../../support/free-port.js'
import { requireRedis, serve } from '../../support/redis.js'
import { rejection } from '../../support/rejection.js'
import { until } from '../../support/until.js'

const PATIENCE_MS = 20_000

/** Servers of one `describe`, in a directory of their own. */
function servers() {
  const children: ChildProcess[] = []
  let directory = ''
  before(function () {
    requireRedis(this)
    directory = mkdtempSync(join(tmpdir(), 'chat-cutover-redis-'))
  })
  after(() => {
    for (const child of children) child.kill('SIGKILL')
    if (directory !== '') rmSync(directory, { recursive: true, force: true })
  })
  return async (name: string, options: readonly string[], file?: string) => {
    const folder = join(directory, name)
    mkdirSync(folder)
    const port = await freePort()
    const path = join(folder, 'server.conf')
    if (file !== undefined) writeFileSync(path, file)
    const child = await serve('redis-server', port, folder, [
      ...(file === undefined ? ['--save', '', '--appendonly', 'no'] : [path]),
      ...options,
    ])
    children.push(child)
    return { port, kill: () => child.kill('SIGKILL') }
  }
}

const links: RedisLink[] = []
async function linked(url: string): Promise<RedisLink> {
  const link = redisLink(url)
  links.push(link)
  link.start()
  await until('Redis', () => link.isUp, PATIENCE_MS)
  return link
}

async function hears(link: RedisLink, channel: string): Promise<void> {
  const heard: string[] = []
  link.subscribe(channel, (message) => heard.push(message))
  await until(
    `a message in ${channel}`,
    async () => {
      await link.publish(channel, 'one').catch(() => undefined)
      return heard.includes('one')
    },
    PATIENCE_MS,
  )
}

describe('Redis whose master dies', function () {
  this.timeout(60_000)
  const start = servers()
  afterEach(() => Promise.all(links.splice(0).map((link) => link.close())))

  it('goes on at the replica that the Sentinel made the master, with what was copied, and hears channels', async () => {
    const master = await start('master', [])
    const replica = await start('replica', [
      '--replicaof',
      '127.0.0.1',
      String(master.port),
      '--repl-diskless-sync-delay',
      '0',
    ])
    const sentinel = await start(
      'sentinel',
      ['--sentinel'],
      [
        `sentinel monitor main 127.0.0.1 ${master.port} 1`,
        'sentinel down-after-milliseconds main 500',
        'sentinel failover-timeout main 2000',
        '',
      ].join('\n'),
    )
    const direct = await linked(`redis://127.0.0.1:${replica.port}`)
    await until(
      'the copy',
      async () => String(await direct.call('', 'INFO', 'replication')).includes('master_link_status:up'),
      PATIENCE_MS,
    )
    const asked = await linked(`redis://127.0.0.1:${sentinel.port}`)
    await until(
      'the Sentinel to know the replica',
      async () =>
        JSON.stringify(await asked.call('', 'SENTINEL', 'REPLICAS', 'main')).includes(`${replica.port}`),
      PATIENCE_MS,
    )
    const link = await linked(`redis+sentinel://127.0.0.1:${sentinel.port}/main`)
    const events = streamKeys(link.prefix).events('s')
    await link.call(events, 'XADD', events, '1-0', 't', 'before')
    await until('the copy', async () => (await direct.call(events, 'XLEN', events)) === 1)
    await hears(link, 'before')
    master.kill()
    // One whose answer was late may have been taken: the next one is refused then.
    const added = () => link.call(events, 'XADD', events, '2-0', 't', 'after').catch(() => undefined)
    await until(
      'the new master',
      async () => {
        await added()
        return (await link.call(events, 'XLEN', events).catch(() => 0)) === 2
      },
      PATIENCE_MS,
    )
    expect(await link.call(events, 'XRANGE', events, '-', '+')).to.deep.equal([
      ['1-0', ['t', 'before']],
      ['2-0', ['t', 'after']],
    ])
    await hears(link, 'after')
    await until('the link', () => link.isUp, PATIENCE_MS)
  })
})

describe('a Redis Cluster of three nodes', function () {
  this.timeout(60_000)
  const start = servers()
  afterEach(() => Promise.all(links.splice(0).map((link) => link.close())))

  it('has the streams on all of them, and those of two while the third is gone', async () => {
    const nodes = []
    for (const at of [0, 1, 2]) {
      const options = ['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf']
      const bus = ['--cluster-port', String(await freePort()), '--cluster-require-full-coverage', 'no']
      const node = await start(`node-${at}`, [...options, ...bus, '--cluster-node-timeout', '1000'])
      nodes.push({ ...node, bus: bus[1] ?? '', link: await linked(`redis://127.0.0.1:${node.port}`) })
    }
    const [first, second, third] = nodes
    if (first === undefined || second === undefined || third === undefined) throw new Error('three nodes')
    for (const [at, { link }] of nodes.entries()) {
      await link.call('', 'CLUSTER', 'SET-CONFIG-EPOCH', String(at + 1))
      const slots = [at * 5_500, at === 2 ? 16_383 : (at + 1) * 5_500 - 1].map(String)
      await link.call('', 'CLUSTER', 'ADDSLOTSRANGE', ...slots)
    }
    for (const { port, bus } of [second, third])
      await first.link.call('', 'CLUSTER', 'MEET', '127.0.0.1', String(port), bus)
    for (const { link } of nodes)
      await until(
        'the cluster',
        async () =>
          /cluster_state:ok[\s\S]*cluster_slots_ok:16384[\s\S]*cluster_known_nodes:3/.test(
            String(await link.call('', 'CLUSTER', 'INFO')),
          ),
        PATIENCE_MS,
      )

    const link = await linked(`redis+cluster://127.0.0.1:${first.port},127.0.0.1:${second.port}`)
    const keys = streamKeys(link.prefix)
    const streams = Array.from({ length: 24 }, (_, at) => `stream-${at}`)
    const add = (stream: string, id: string) => {
      const [about, events] = [keys.about(stream), keys.events(stream)]
      return Promise.all([
        link.call(events, 'XADD', events, id, 't', stream),
        // As the copy of a stream does it: both keys in one command.
        link.call(events, 'DEL', about),
      ])
    }
    for (const stream of streams) await add(stream, '1-0')
    for (const stream of streams) {
      const events = keys.events(stream)
      expect(await link.call(events, 'XRANGE', events, '-', '+')).to.deep.equal([['1-0', ['t', stream]]])
    }
    const sizes = await Promise.all(nodes.map(async (node) => Number(await node.link.call('', 'DBSIZE'))))
    expect(sizes.reduce((sum, size) => sum + size, 0)).to.equal(24)
    for (const size of sizes) expect(size).to.be.above(0)
    for (const stream of streams.slice(0, 3)) await hears(link, keys.news(stream))

    const [lost, kept] = [[] as string[], [] as string[]]
    for (const stream of streams) {
      const slot = Number(await first.link.call('', 'CLUSTER', 'KEYSLOT', keys.events(stream)))
      ;(slot >= 11_000 ? lost : kept).push(stream)
    }
    third.kill()
    await until(
      'the others without it',
      async () =>
        Promise.all(
          kept.map(async (stream) => {
            await add(stream, '2-0').catch(() => undefined)
            return (await link.call(keys.events(stream), 'XLEN', keys.events(stream)).catch(() => 0)) === 2
          }),
        ).then((all) => all.every(Boolean)),
      PATIENCE_MS,
    )
    // Each of them has been seen with both. A ping to the lost node takes the link down for a moment: no call beyond the wait is sure.
    expect(await rejection(add(lost[0] ?? '', '2-0'))).to.be.instanceOf(Error)
  })
})
