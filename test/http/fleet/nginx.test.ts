import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import type { Edge, EdgeOptions } from '../../support/edge.js'
import { EngineMissing, skipWithout } from '../../support/engines.js'
import { openReplica } from '../../support/fleet.js'
import { freePort } from '../../support/free-port.js'
import { startProgram } from '../../support/owned-program.js'
import { startRedis, type TestRedis } from '../../support/redis.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { until } from '../../support/until.js'
import { expectStreamsThrough } from './proxied-streams.js'

/** The nginx of the machine, where there is one, with deploy/compose/nginx.conf; only addresses and paths are others. */
describe('streams through nginx, in front of two replicas that share Redis', () => {
  const directory = temporaryDirectory()
  let redis: TestRedis
  const closers: (() => Promise<void>)[] = []

  before(async function () {
    if (spawnSync('nginx', ['-v']).error !== undefined)
      skipWithout(this, new EngineMissing('no nginx on the PATH'))
    redis = await startRedis(this)
  })
  after(() => redis?.stop())
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  })

  async function startReplica(options: EdgeOptions = {}): Promise<Edge> {
    const { edge, close } = await openReplica(redis.url, options)
    closers.push(close)
    return edge
  }

  async function startNginx(replicas: readonly Edge[]): Promise<number> {
    const port = await freePort()
    const left = [...replicas]
    const text = readFileSync('deploy/compose/nginx.conf', 'utf8')
      .replaceAll('/tmp/', directory.path('/'))
      .replace(/^ +resolver .*$/m, '')
      .replace('listen 8080', `listen 127.0.0.1:${port}`)
      .replaceAll(/^ +server chat-\d:3001 resolve (.*)$/gm, (_, rest: string) => {
        const replica = left.shift()
        return replica === undefined ? '' : `server 127.0.0.1:${replica.port} ${rest}`
      })
    const file = directory.path('nginx.conf')
    writeFileSync(file, text)
    const nginx = startProgram('nginx', ['-p', directory.path(), '-c', file, '-g', 'daemon off;'])
    closers.push(() => nginx.stop('SIGTERM'))
    await until('nginx', async () => {
      nginx.expectRunning()
      return (await fetch(`http://127.0.0.1:${port}/health/live`).catch(() => undefined))?.ok === true
    })
    return port
  }

  it('come event by event, and go on through whichever replica nginx chooses', async function () {
    this.timeout(30_000)
    await expectStreamsThrough({
      replica: startReplica,
      proxy: async (replicas) => ({ port: await startNginx(replicas) }),
    })
  })

  it('keeps the metrics of the replicas inside', async () => {
    const port = await startNginx([await startReplica()])
    for (const path of ['/metrics', '/metrics?x=1', '/metrics/', '/METRICS', '//metrics'])
      expect((await fetch(`http://127.0.0.1:${port}${path}`)).status, path).to.equal(404)
  })
})
