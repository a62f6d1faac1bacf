import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { sessionSchema } from '../../src/protocol/api.js'
import { nextTurn, postTurn, readTurn, startTurn } from '../support/chat-client.js'
import { killForked } from '../support/forked.js'
import { lockHolder } from '../support/lock-holder.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  temporaryFlags,
} from '../support/processes.js'
import { until } from '../support/until.js'

/** The process while its database is locked by another one, or gone. */
describe('a service without its database', function () {
  this.timeout(60_000)
  const flags = temporaryFlags()
  let llm: RunningProcess
  let service: RunningProcess
  let member: string

  const database = (): string => join(flags.folder, 'chat.db')
  const history = async (sessionId: string): Promise<string[] | number> => {
    const response = await fetch(`${service.url}/api/v1/chat/sessions/${sessionId}`, {
      headers: { authorization: member },
    })
    if (!response.ok) return response.status
    const { data } = (await response.json()) as { data: unknown }
    return sessionSchema
      .parse(data)
      .messages.flatMap((one) => (one.role === 'assistant' ? [`${one.status}: ${one.content !== ''}`] : []))
  }
  const available = async (): Promise<number> => {
    const text = await (await fetch(`${service.url}/metrics`)).text()
    return Number(/^chat_store_available (\d)$/m.exec(text)?.[1])
  }
  const missing = ({ terminal }: Awaited<ReturnType<typeof startTurn>>): unknown =>
    terminal?.event === 'done' ? (terminal.data.history ?? 'kept') : terminal

  before(async () => {
    llm = await startSimulator('llm')
    member = await bearer()
  })
  beforeEach(async () => {
    service = await startServiceProcess({ llmUrl: llm.url, runtimeUrl: 'http://127.0.0.1:1', flags })
  })
  afterEach(async () => {
    await killForked()
    await fetch(`${llm.url}/_faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    expect(await service.end('SIGTERM')).to.equal(0)
  })
  after(async () => {
    await llm.end()
    flags.remove()
  })

  /** Breaks it, sees that turns go on, mends it, and sees that nothing that was answered is lost. */
  async function outage(breakIt: () => Promise<void>, mendIt: () => Promise<void>): Promise<void> {
    const before = await startTurn(service.url, member)
    expect(missing(before)).to.equal('kept')
    await fetch(`${llm.url}/_faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ gapMs: 300 }),
    })
    const running = await postTurn(service.url, member, 'start', { agentId: 'assistant', message: 'Hello' })
    const runningId = running.headers.get('x-chat-session-id') ?? ''
    await breakIt()
    await until('the outage to be noticed', async () => {
      await startTurn(service.url, member)
      return (await available()) === 0
    })
    const again = await postTurn(service.url, member, `sessions/${runningId}`, { message: 'Hello' })
    expect([200, 409]).to.include(again.status)
    const ended = await readTurn(running)
    expect(ended.terminal?.event).to.equal('done')
    await readTurn(again)
    const next = await nextTurn(service.url, member, before.sessionId)
    expect([next.status, missing(next)]).to.deep.equal([200, 'unavailable'])
    const fresh = await startTurn(service.url, member)
    expect(missing(fresh)).to.equal('unavailable')
    await mendIt()
    await until('everything to be written', async () => (await available()) === 1, 20_000)
    expect(await history(before.sessionId)).to.deep.equal(['answered: true', 'answered: true'])
    expect(await history(fresh.sessionId)).to.deep.equal(['answered: true'])
    expect((await history(runningId)) as string[]).to.include('answered: true')
    expect(missing(await nextTurn(service.url, member, before.sessionId))).to.equal('kept')
  }

  it('that another process has locked', async () => {
    const holder = await lockHolder(database())
    await outage(holder.lock, holder.unlock)
  })

  it('that is gone for a while', async () => {
    const move = (from: string, to: string) => async (): Promise<void> => {
      for (const part of ['', '-wal', '-shm'])
        if (existsSync(`${from}${part}`)) renameSync(`${from}${part}`, `${to}${part}`)
    }
    await outage(move(database(), `${database()}.away`), move(`${database()}.away`, database()))
  })
})
