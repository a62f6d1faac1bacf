import { expect } from 'chai'
import { sessionSchema } from '../../src/protocol/api.js'
import { postTurn, startTurn, type TurnSeen } from '../support/chat-client.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  temporaryFlags,
} from '../support/processes.js'
import { SOON_MS, until } from '../support/until.js'

/** Users on the direct LLM, every turn shadowed by the runtime: what both, and the operators, see of it. */

interface Received {
  readonly path: string
  readonly sessionId?: string
  readonly shadow?: string
  readonly requestId?: string
  readonly metadata?: { readonly shadow?: boolean; readonly user_id?: string }
}

const EXECUTE = '/api/v1/execute/stream'
const CANCEL = '/api/v1/execute/cancel'

async function setFaults({ url }: RunningProcess, faults: Record<string, unknown>): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${url}/_faults`, { method: 'PUT', headers, body: JSON.stringify(faults) })
  if (!response.ok) throw new Error(`faults refused: ${await response.text()}`)
}

async function received({ url }: RunningProcess, path: string): Promise<Received[]> {
  const all: Received[] = JSON.parse(await (await fetch(`${url}/_requests`)).text())
  return all.filter((request) => request.path === path)
}

/** Samples of the exposition whose name and labels begin so, added up. */
async function metric({ url }: RunningProcess, begin: string): Promise<number> {
  const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n')
  return lines
    .filter((line) => line.startsWith(begin))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

describe('shadows of the running service', function () {
  this.timeout(40_000)
  const flags = temporaryFlags()
  let llm: RunningProcess
  let runtime: RunningProcess
  let service: RunningProcess
  let member: string
  let admin: string

  before(async () => {
    ;[llm, runtime] = await Promise.all([startSimulator('llm'), startSimulator('runtime')])
    const env = {
      CHAT_RUNTIME_SHADOW_PERCENT: '100',
      CHAT_SHADOW_AA_PERCENT: '0',
      CHAT_DRAIN_MS: '1500',
      NODE_OPTIONS: `--import ${new URL('../support/lagging.mjs', import.meta.url).href}`,
    }
    service = await startServiceProcess({ llmUrl: llm.url, runtimeUrl: runtime.url, flags, env })
    ;[member, admin] = await Promise.all([bearer(), bearer({ role: 'admin' })])
  })
  after(async () => {
    await Promise.all([service?.end(), llm?.end(), runtime?.end()])
    flags.remove()
  })
  afterEach(() => setFaults(runtime, {}))

  /** On a machine that is busy with other things shadows stop first: turns are made until one was run. */
  async function turnsUntil(what: string, holds: () => Promise<boolean>): Promise<TurnSeen[]> {
    const turns: TurnSeen[] = []
    await until(
      what,
      async () => {
        turns.push(await startTurn(service.url, member, 'use a tool'))
        return holds()
      },
      20_000,
    )
    return turns
  }

  function expectUntouched(turns: readonly TurnSeen[]): void {
    for (const { terminal, text } of turns) {
      expect(terminal).to.have.property('event', 'done')
      expect(terminal).to.have.nested.property('data.executionMode', 'direct_llm')
      expect(terminal).to.not.have.nested.property('data.failover')
      expect(text).to.contain('direct').and.not.to.contain('runtime')
    }
  }

  it('leave the user alone, and tell the operators what the runtime would have done', async () => {
    const compared = 'chat_shadow_comparisons_total'
    const turns = await turnsUntil('three comparisons', async () => (await metric(service, compared)) >= 3)
    expectUntouched(turns)
    const own = new Set(turns.map(({ sessionId }) => sessionId))

    const executions = await received(runtime, EXECUTE)
    expect(executions).not.to.have.length(0)
    for (const { sessionId = '', shadow, requestId, metadata } of executions) {
      expect(sessionId).to.match(/^shadow:[0-9a-f-]{36}$/)
      expect(own.has(sessionId.slice('shadow:'.length))).to.equal(false)
      expect(requestId).to.match(/^shadow:/)
      expect([shadow, metadata?.shadow, metadata?.user_id]).to.deep.equal(['1', true, 'user-1'])
    }
    expect(await received(runtime, CANCEL)).to.have.length(0)

    const headers = { authorization: admin }
    const windows = JSON.parse(
      await (await fetch(`${service.url}/api/v1/runtime/metrics`, { headers })).text(),
    )
    expect(windows.data.runtime).to.include({ total: 0, aborted: 0 })
    expect(windows.data.direct).to.include({ total: turns.length, error: 0 })
    expect(
      await metric(service, 'chat_executions_total{mode="runtime_orchestrator",result="ok",code=""}'),
    ).to.equal(0)
    expect(
      await metric(service, 'chat_shadow_executions_total{mode="runtime_orchestrator",result="ok"}'),
    ).to.be.at.least(3)
    expect(await metric(service, 'chat_shadow_tokens_total{mode="runtime_orchestrator"}')).to.be.above(0)
    expect(await metric(service, 'chat_shadow_tokens_total{mode="direct_llm"}')).to.equal(0)
    // The tool turn of the runtime writes a file, fence or not.
    expect(await metric(service, 'chat_shadow_fence_violations_total')).to.be.at.least(3)

    const url = `${service.url}/api/v1/chat/sessions/${turns[0]?.sessionId}`
    const history = sessionSchema.parse(
      JSON.parse(await (await fetch(url, { headers: { authorization: member } })).text()).data,
    )
    expect(history.messages).to.have.length(2)
    expect(history.messages[1]).to.include({ executionMode: 'direct_llm', content: turns[0]?.text })
  })

  for (const [faults, result] of [
    [{ refuse: true }, 'error'],
    [{ status: 503 }, 'error'],
    [{ dropAfterEvents: 3 }, 'error'],
    [{ softFailure: true }, 'error'],
  ] as const)
    it(`leave the user alone when the runtime has ${JSON.stringify(faults)}`, async () => {
      const name = `chat_shadow_executions_total{mode="runtime_orchestrator",result="${result}"}`
      const before = await metric(service, name)
      await setFaults(runtime, faults)
      expectUntouched(await turnsUntil('the failure', async () => (await metric(service, name)) > before))
      // A fence of its own: no trouble of a shadow is the users', so nothing fell back and nobody was told.
      expect(await metric(service, 'chat_fallback_transitions_total')).to.equal(0)
    })

  it('leave the user alone when the runtime floods or hangs, and cancel their own sessions alone', async () => {
    for (const faults of [{ endless: true }, { hang: 'body' }]) {
      await setFaults(runtime, faults)
      const before = (await received(runtime, EXECUTE)).length
      expectUntouched(
        await turnsUntil('an execution', async () => (await received(runtime, EXECUTE)).length > before),
      )
    }
    // A shadow that has begun outlives its user, and ends by the deadlines of the turn.
    await setFaults(llm, { endless: true, gapMs: 50 })
    await setFaults(runtime, {})
    const reported = async () => {
      const url = `${service.url}/api/v1/runtime/shadow/report`
      return JSON.parse(await (await fetch(url, { headers: { authorization: admin } })).text()).data
    }
    const left = async (): Promise<number> => {
      const { ab, aa } = (await reported()).left
      return ab + aa
    }
    await until(
      'a pair whose user left',
      async () => {
        const before = (await received(runtime, EXECUTE)).length
        const response = await postTurn(service.url, member, 'start', {
          agentId: 'assistant',
          message: 'Hello',
        })
        const reader = response.body?.getReader()
        await reader?.read()
        await until('its shadow', async () => (await received(runtime, EXECUTE)).length > before, 1000).catch(
          () => {},
        )
        await reader?.cancel()
        return (await left()) > 0
      },
      20_000,
    )
    await setFaults(llm, {})
    for (const { sessionId = '', shadow } of await received(runtime, CANCEL))
      expect([sessionId.startsWith('shadow:'), shadow]).to.deep.equal([true, '1'])
    expect((await reported()).sentence.en).to.contain('the user left before the control ended')
  })

  it('give way when the event loop is late, the running ones too, and come back when it is calm', async () => {
    const dropped = () => metric(service, 'chat_shadow_dropped_total{reason="pressure"}')
    const executed = async () => (await received(runtime, EXECUTE)).length
    // The answer comes when it is over: the next one never adds to it.
    const holdLoop = () => {
      process.kill(service.pid, 'SIGUSR2')
      return metric(service, 'chat_shadow_running')
    }
    await setFaults(runtime, { hang: 'body' })
    await turnsUntil('a shadow that hangs', async () => (await metric(service, 'chat_shadow_running')) > 0)
    const cancels = (await received(runtime, CANCEL)).length
    await until('the running one to be given up', async () => {
      await holdLoop()
      return (await received(runtime, CANCEL)).length > cancels
    })
    await setFaults(runtime, {})

    const [atFirst, before] = [await dropped(), await executed()]
    await holdLoop()
    expectUntouched(await turnsUntil('a turn without a shadow', async () => (await dropped()) > atFirst))
    expectUntouched(await turnsUntil('shadows again', async () => (await executed()) > before))
  })

  it('end with the service, within its drain time', async () => {
    await setFaults(runtime, { hang: 'body' })
    await turnsUntil('a shadow that hangs', async () => (await metric(service, 'chat_shadow_running')) > 0)
    const at = performance.now()
    expect(await service.end()).to.equal(0)
    // 1.5 s of drain, 0.9 s for the cancel, the closing of the rest
    expect(performance.now() - at).to.be.within(1000, SOON_MS)
  })
})
