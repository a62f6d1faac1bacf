import { expect } from 'chai'
import { startTurn } from '../support/chat-client.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  temporaryFlags,
} from '../support/processes.js'
import { until } from '../support/until.js'

/** Users on the direct LLM, every turn to be shadowed, and only by a runtime that keeps the fence. */
describe('the running service under CHAT_SHADOW_REQUIRE_FENCE', function () {
  this.timeout(30_000)
  const flags = temporaryFlags()
  const started: RunningProcess[] = []

  afterEach(async () => {
    await Promise.all(started.splice(0).map((one) => one.end()))
  })
  after(() => flags.remove())

  async function start(faults: object): Promise<{ runtime: RunningProcess; service: RunningProcess }> {
    const [llm, runtime] = await Promise.all([startSimulator('llm'), startSimulator('runtime')])
    started.push(llm, runtime)
    const headers = { 'content-type': 'application/json' }
    await fetch(`${runtime.url}/_faults`, { method: 'PUT', headers, body: JSON.stringify(faults) })
    const env = {
      CHAT_RUNTIME_SHADOW_PERCENT: '100',
      CHAT_SHADOW_AA_PERCENT: '0',
      CHAT_SHADOW_REQUIRE_FENCE: 'true',
    }
    const service = await startServiceProcess({ llmUrl: llm.url, runtimeUrl: runtime.url, flags, env })
    started.push(service)
    return { runtime, service }
  }

  async function metric({ url }: RunningProcess, name: string): Promise<number> {
    const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n')
    return Number(
      lines
        .find((line) => line.startsWith(name))
        ?.split(' ')
        .at(-1) ?? 0,
    )
  }

  async function executions({ url }: RunningProcess): Promise<number> {
    const all: { path: string }[] = JSON.parse(await (await fetch(`${url}/_requests`)).text())
    return all.filter(({ path }) => path === '/api/v1/execute/stream').length
  }

  it('sends a runtime that ignores the fence one question, and no turn of a user', async () => {
    const { runtime, service } = await start({})
    const member = await bearer()
    const unfenced = () => metric(service, 'chat_shadow_dropped_total{reason="unfenced"}')
    await until(
      'the answer to the question',
      async () => {
        expect((await startTurn(service.url, member, 'use a tool')).terminal?.event).to.equal('done')
        return service.log.some(({ msg }) => String(msg).includes('ignores the fence'))
      },
      20_000,
    )
    const before = await unfenced()
    await until(
      'more turns',
      async () => {
        await startTurn(service.url, member, 'use a tool')
        return (await unfenced()) >= before + 3
      },
      20_000,
    )
    expect(await executions(runtime)).to.equal(1)
    expect(await metric(service, 'chat_shadow_comparisons_total')).to.equal(0)
  })

  it('shadows by a runtime that keeps it, behind one question', async () => {
    const { runtime, service } = await start({ honourShadow: true })
    const member = await bearer()
    await until(
      'a comparison',
      async () => {
        await startTurn(service.url, member, 'use a tool')
        return (await metric(service, 'chat_shadow_comparisons_total')) >= 1
      },
      20_000,
    )
    expect(await executions(runtime)).to.be.at.least(2)
    expect(await metric(service, 'chat_shadow_fence_violations_total')).to.equal(0)
  })
})
