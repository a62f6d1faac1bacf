import { expect } from 'chai'
import { sessionSchema } from '../../src/protocol/api.js'
import { nextTurn, postTurn, readTurn, startTurn } from './chat-client.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  type TemporaryFlags,
  temporaryFlags,
} from './processes.js'
import { until } from './until.js'

export interface OutageRig {
  readonly flags: TemporaryFlags
  /** Breaks the database, sees that turns go on, mends it, and sees that nothing that was answered is lost. */
  outage(breakIt: () => Promise<void>, mendIt: () => Promise<void>): Promise<void>
}

/**
 * A service process for each test of one `describe`, whose database fails.
 * @param env of the service
 */
export function outageRig(env: () => Promise<Record<string, string>> = async () => ({})): OutageRig {
  const flags = temporaryFlags()
  let llm: RunningProcess
  let service: RunningProcess
  let member: string

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
    const setting = { llmUrl: llm.url, runtimeUrl: 'http://127.0.0.1:1', flags, env: await env() }
    service = await startServiceProcess(setting)
  })
  afterEach(async () => {
    await fetch(`${llm.url}/_faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    expect(await service?.end('SIGTERM')).to.equal(0)
  })
  after(async () => {
    await llm?.end()
    flags.remove()
  })

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

  return { flags, outage }
}
