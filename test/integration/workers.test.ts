import { execFileSync } from 'node:child_process'
import { expect } from 'chai'
import { postTurn } from '../support/chat-client.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  type TemporaryFlags,
  temporaryFlags,
} from '../support/processes.js'
import { until } from '../support/until.js'

describe('CHAT_WORKERS=2', function () {
  this.timeout(60_000)
  let flags: TemporaryFlags
  let llm: RunningProcess
  let service: RunningProcess
  let member: string

  before(async () => {
    llm = await startSimulator('llm')
    member = await bearer()
    flags = temporaryFlags()
    service = await startServiceProcess({
      llmUrl: llm.url,
      runtimeUrl: 'http://127.0.0.1:1',
      flags,
      env: { CHAT_WORKERS: '2', CHAT_DRAIN_MS: '1000', CHAT_REPLICA: 'pod' },
    })
    await until('both workers', () => listening().length === 2, 20_000)
  })
  after(async () => {
    await service.end('SIGKILL')
    await llm.end()
    flags.remove()
  })

  const listening = () => service.log.filter(({ msg }) => msg === 'listening')
  const children = (): number[] =>
    execFileSync('ps', ['-o', 'pid=', '--ppid', String(service.pid)], { encoding: 'utf8' })
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 0)
  /** A connection of its own each: the primary hands each to the next worker. */
  const get = (path: string) => fetch(`${service.url}${path}`, { headers: { connection: 'close' } })
  const replicas = async (): Promise<string[]> => {
    const text = await (await get('/metrics')).text()
    return [...text.matchAll(/^chat_replica_info\{.*?replica="([^"]+)".*\} 1$/gm)]
      .map(([, name]) => name ?? '')
      .sort()
  }

  it('is two replicas behind one port', () => {
    expect(new Set(listening().map(({ url }) => url))).to.have.property('size', 1)
    expect(
      listening()
        .map(({ replica }) => replica)
        .sort(),
    ).to.deep.equal(['pod-1', 'pod-2'])
  })

  it('tells the metrics of both, whichever is asked, in both formats', async () => {
    for (let at = 0; at < 4; at++) expect(await replicas()).to.deep.equal(['pod-1', 'pod-2'])
    const open = await fetch(`${service.url}/metrics`, {
      headers: { accept: 'application/openmetrics-text; version=1.0.0' },
    })
    const text = await open.text()
    expect(text.match(/^# EOF$/gm)).to.have.length(1)
    expect(text.match(/^# TYPE chat_replica_info gauge$/gm)).to.have.length(1)
  })

  it('has one conversation, whichever worker answers', async () => {
    const first = await postTurn(service.url, member, 'start', { agentId: 'assistant', message: 'Hello' })
    const text = await first.text()
    const sessionId = first.headers.get('x-chat-session-id')
    expect(text).to.contain('event: done')
    for (let turn = 2; turn <= 5; turn++) {
      const next = await postTurn(service.url, member, `sessions/${sessionId}`, { message: `again ${turn}` })
      expect(await next.text()).to.contain('event: done')
    }
    const turns = await Promise.all(
      [1, 2, 3, 4].map(async () => {
        const seen = await fetch(`${service.url}/api/v1/chat/sessions/${sessionId}`, {
          headers: { authorization: member, connection: 'close' },
        })
        return JSON.stringify(await seen.json()).split('again').length - 1
      }),
    )
    expect(turns.every((count) => count >= 4)).to.equal(true)
  })

  it('starts a worker that died again, and the other goes on meanwhile', async () => {
    const [victim = 0] = children()
    process.kill(victim, 'SIGKILL')
    await until(
      'the log of it',
      () => service.log.some(({ msg }) => msg === 'a worker ended; it is started again'),
      5000,
    )
    expect((await get('/health/ready')).status).to.equal(200)
    await until('the new one', () => listening().length === 3, 20_000)
    expect(await replicas()).to.deep.equal(['pod-1', 'pod-2'])
    expect(children()).to.have.length(2)
  })

  it('drains both at SIGTERM and leaves no process behind', async () => {
    await fetch(`${llm.url}/_faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ endless: true, gapMs: 20 }),
    })
    const turns = await Promise.all(
      [1, 2].map(() => postTurn(service.url, member, 'start', { agentId: 'assistant', message: 'Hello' })),
    )
    const pids = children()
    const texts = Promise.all(turns.map((turn) => turn.text()))
    expect(await service.end('SIGTERM')).to.equal(0)
    for (const text of await texts) expect(text).to.contain('"code":"shutting_down"')
    expect(service.log.filter(({ msg }) => msg === 'stopped').length).to.be.at.least(2)
    for (const pid of pids) expect(() => process.kill(pid, 0)).to.throw('ESRCH')
  })
})

describe('CHAT_WORKERS where the service cannot start', () => {
  it('ends with the code of its workers', async () => {
    const flags = temporaryFlags()
    const setting = { llmUrl: 'http://127.0.0.1:1', runtimeUrl: 'http://127.0.0.1:1', flags }
    let message = ''
    try {
      await startServiceProcess({ ...setting, env: { CHAT_WORKERS: '2', CHAT_DATABASE: flags.folder } })
    } catch (error) {
      message = String(error)
    }
    flags.remove()
    expect(message).to.contain('ended with 1')
  }).timeout(30_000)
})
