import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { makeAuthority } from '../support/certificates.js'
import { startTurn } from '../support/chat-client.js'
import { engine } from '../support/engines.js'
import { redisLink } from '../support/fleet.js'
import { freePort } from '../support/free-port.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  temporaryFlags,
} from '../support/processes.js'
import { rawStart } from '../support/raw-client.js'
import { requireRedis, serve } from '../support/redis.js'
import { eventsOf, headerOf, rawResume } from '../support/resuming.js'
import { until } from '../support/until.js'

describe('processes that share Redis', function () {
  this.timeout(90_000)
  const flags = temporaryFlags()
  const running: RunningProcess[] = []
  const directory = mkdtempSync(join(tmpdir(), 'chat-cutover-redis-tls-'))
  const authority = engine(async () => makeAuthority(directory))
  let redis: ChildProcess | undefined
  let port = 0
  let tlsPort = 0
  let llm: RunningProcess
  let authorization = ''

  before(async function () {
    requireRedis(this)
    port = await freePort()
    tlsPort = await freePort()
    const { cert, key } = authority().issue('localhost')
    const tls = [
      '--tls-port',
      String(tlsPort),
      '--tls-auth-clients',
      'no',
      '--tls-ca-cert-file',
      authority().ca,
    ]
    const files = ['--tls-cert-file', cert, '--tls-key-file', key]
    redis = await serve('redis-server', port, directory, [
      '--save',
      '',
      '--appendonly',
      'no',
      ...tls,
      ...files,
    ])
    ;[llm, authorization] = await Promise.all([startSimulator('llm'), bearer()])
  })
  afterEach(async () => {
    await Promise.all(running.splice(0).map((service) => service.end('SIGKILL')))
    await faults({})
  })
  after(async () => {
    await llm?.end()
    redis?.kill('SIGKILL')
    flags.remove()
    rmSync(directory, { recursive: true, force: true })
  })

  const faults = (knobs: object) =>
    fetch(`${llm.url}/_faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(knobs),
    })
  async function start(env: Record<string, string>): Promise<RunningProcess & { readonly port: number }> {
    const service = await startServiceProcess({
      llmUrl: llm.url,
      runtimeUrl: 'http://127.0.0.1:1',
      flags,
      env: { CHAT_RECONNECT_GRACE_MS: '60000', ...env },
    })
    running.push(service)
    return { ...service, port: Number(new URL(service.url).port) }
  }
  const plain = (prefix: string): string => `redis://127.0.0.1:${port}?prefix=${prefix}`
  const encrypted = (prefix: string): string => `rediss://localhost:${tlsPort}?prefix=${prefix}`
  const isUp = async ({ url }: RunningProcess): Promise<boolean> =>
    /^chat_redis_up(\{.*\})? 1$/m.test(await (await fetch(`${url}/metrics`)).text())
  const up = (service: RunningProcess) => until('Redis', () => isUp(service), 20_000)

  it('end the stream of one that was killed, over TLS by an authority of their own', async () => {
    const [killed, other] = await Promise.all([
      start({ CHAT_REPLICA: 'killed', CHAT_REDIS_URL: plain('killed') }),
      start({
        CHAT_REPLICA: 'other',
        CHAT_REDIS_URL: encrypted('killed'),
        NODE_EXTRA_CA_CERTS: authority().ca,
      }),
    ])
    await Promise.all([up(killed), up(other)])
    await faults({ endless: true, gapMs: 20 })
    const client = await rawStart(killed.port, authorization)
    await client.waitFor('event: message')
    const reader = await rawResume(other, headerOf(client, 'X-Chat-Stream-Id'), {
      Authorization: authorization,
      'Last-Event-ID': '0',
    })
    await reader.waitFor('event: message')
    await killed.end('SIGKILL')
    // Its sign of life would end by itself after 15 s.
    const link = redisLink(plain('killed'))
    link.start()
    await until('Redis', () => link.isUp)
    const alive = await link.call('', 'KEYS', 'killed:{killed#*}:alive')
    expect(alive).to.have.length(1)
    await link.call('', 'DEL', String(Array.isArray(alive) ? alive[0] : ''))
    await link.close()
    await reader.waitFor('\r\n0\r\n\r\n', 30_000)
    const last = eventsOf(reader.received()).at(-1)
    expect(last?.event).to.equal('error')
    expect(last?.data).to.include({ code: 'interrupted', recoverable: true })
    for (const one of [client, reader]) one.socket.destroy()
  })

  it('work without Redis where its authority is not known', async () => {
    const service = await start({ CHAT_REDIS_URL: encrypted('unknown') })
    expect((await startTurn(service.url, authorization)).terminal?.event).to.equal('done')
    expect(await isUp(service)).to.equal(false)
  })

  it('resume and stop a turn on any of several workers', async () => {
    const service = await start({ CHAT_WORKERS: '2', CHAT_REDIS_URL: plain('workers') })
    const listening = () => service.log.filter(({ msg }) => msg === 'listening').length
    await until('both workers', () => listening() === 2, 20_000)
    await up(service)
    await faults({ endless: true, gapMs: 20 })
    const client = await rawStart(service.port, authorization)
    await client.waitFor('event: message')
    const streamId = headerOf(client, 'X-Chat-Stream-Id')
    const sessionId = headerOf(client, 'X-Chat-Session-Id')
    // The primary gives each connection to the next worker.
    const readers = []
    for (let at = 0; at < 4; at += 1) {
      const headers = { Authorization: authorization, 'Last-Event-ID': '0' }
      const reader = await rawResume(service, streamId, headers)
      await reader.waitFor('event: message')
      expect(reader.received()).to.match(/^HTTP\/1\.1 200 /)
      readers.push(reader)
    }
    const stopped = await fetch(`${service.url}/api/v1/chat/sessions/${sessionId}/stop`, {
      method: 'POST',
      headers: { authorization, connection: 'close' },
    })
    expect(stopped.status).to.equal(200)
    for (const one of [client, ...readers]) {
      await one.waitFor('\r\n0\r\n\r\n', 20_000)
      expect(eventsOf(one.received()).at(-1)?.data).to.include({ stopped: true })
      one.socket.destroy()
    }
  })
})
