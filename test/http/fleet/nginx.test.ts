import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { createMemorySessionStore } from '../../../src/sessions/memory-session-store.js'
import { bearer, type EdgeOptions } from '../../support/edge.js'
import { EngineMissing, skipWithout } from '../../support/engines.js'
import { startFleetEdge } from '../../support/fleet.js'
import { freePort } from '../../support/free-port.js'
import { rawStart } from '../../support/raw-client.js'
import { startRedis, type TestRedis } from '../../support/redis.js'
import { eventsOf, headerOf, rawResume, storyOf } from '../../support/resuming.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { toldBackend } from '../../support/told-backend.js'
import { until } from '../../support/until.js'

/** The nginx of the machine, where there is one, with deploy/compose/nginx.conf; only addresses and paths are others. */
describe('streams through nginx, in front of two replicas that share Redis', () => {
  const directory = temporaryDirectory()
  let redis: TestRedis
  let nginx: ChildProcess | undefined
  const closers: (() => Promise<void>)[] = []

  before(async function () {
    if (spawnSync('nginx', ['-v']).error !== undefined)
      skipWithout(this, new EngineMissing('no nginx on the PATH'))
    redis = await startRedis(this)
  })
  after(() => redis?.stop())
  afterEach(async () => {
    if (nginx !== undefined && nginx.exitCode === null) {
      const ended = once(nginx, 'exit')
      nginx.kill('SIGTERM')
      await ended
    }
    for (const close of closers.splice(0)) await close()
  })

  async function startReplica(options: EdgeOptions): Promise<number> {
    const edge = await startFleetEdge(redis.url, options)
    closers.push(edge.close)
    return edge.port
  }

  async function startNginx(replicas: readonly number[]): Promise<number> {
    const port = await freePort()
    const left = [...replicas]
    const text = readFileSync('deploy/compose/nginx.conf', 'utf8')
      .replaceAll('/tmp/', directory.path('/'))
      .replace(/^ +resolver .*$/m, '')
      .replace('listen 8080', `listen 127.0.0.1:${port}`)
      .replaceAll(/^ +server chat-\d:3001 resolve (.*)$/gm, (_, rest: string) => {
        const replica = left.shift()
        return replica === undefined ? '' : `server 127.0.0.1:${replica} ${rest}`
      })
    const file = directory.path('nginx.conf')
    writeFileSync(file, text)
    const child = spawn('nginx', ['-p', directory.path(), '-c', file, '-g', 'daemon off;'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    nginx = child
    let errors = ''
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString()
    })
    await until('nginx', async () => {
      if (child.exitCode !== null) throw new Error(errors)
      return (await fetch(`http://127.0.0.1:${port}/health/live`).catch(() => undefined))?.ok === true
    })
    return port
  }

  it('come event by event, and go on through whichever replica nginx chooses', async function () {
    this.timeout(30_000)
    const script = toldBackend()
    const options = {
      sessions: createMemorySessionStore({ clock: systemClock }),
      backends: { direct_llm: script.backend },
    }
    const replicas = [await startReplica(options), await startReplica(options)]
    const port = await startNginx(replicas)
    const authorization = await bearer()
    const client = await rawStart(port, authorization)
    await client.waitFor('\r\n\r\n')
    const streamId = headerOf(client, 'X-Chat-Stream-Id')
    await script.tell('a')
    // The turn goes on: what arrives now was not held back until its end.
    await client.waitFor('"a"')
    await script.tell('b')
    await client.waitFor('"b"')
    client.socket.destroy()

    const readers = await Promise.all(
      [1, 2, 3, 4].map(() =>
        rawResume({ port }, streamId, { Authorization: authorization, 'Last-Event-ID': '1' }),
      ),
    )
    for (const reader of readers) await reader.waitFor('"b"')
    await script.tell('c')
    for (const reader of readers) await reader.waitFor('"c"')
    await script.tell()
    for (const reader of readers) {
      await reader.waitFor('0\r\n\r\n')
      const { ids, text, last } = storyOf(eventsOf(reader.received()))
      expect({ ids, text, last }).to.deep.equal({ ids: [2, 3, 4], text: 'bc', last: 'done' })
      reader.socket.destroy()
    }
  })

  it('keeps the metrics of the replicas inside', async () => {
    const port = await startNginx([await startReplica({})])
    for (const path of ['/metrics', '/metrics?x=1', '/metrics/', '/METRICS', '//metrics'])
      expect((await fetch(`http://127.0.0.1:${port}${path}`)).status, path).to.equal(404)
  })
})
