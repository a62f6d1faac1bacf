import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { flagsViewSchema } from '../../src/protocol/flag-edit.js'
import { SimulatedService } from '../chaos/actors.js'
import { PACE } from '../chaos/guardrails.js'
import { Operator } from '../chaos/operator.js'
import { dataOf, errorOf } from '../support/answers.js'
import { startTurn } from '../support/chat-client.js'
import { LaunchDarklyStandIn } from '../support/launchdarkly.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  type TemporaryFlags,
  temporaryFlags,
} from '../support/processes.js'
import { until } from '../support/until.js'

const MODES = ['direct_llm', 'runtime_orchestrator']

describe('a service whose flags are in LaunchDarkly, by its own provider', function () {
  this.timeout(60_000)
  const launchDarkly = new LaunchDarklyStandIn()
  let flags: TemporaryFlags
  let llm: SimulatedService
  let runtime: SimulatedService
  let service: RunningProcess
  let admin = ''

  before(async () => {
    flags = temporaryFlags()
    launchDarkly.set('chat-execution-mode', MODES, 0, [
      { attribute: 'orgId', values: ['acme'], variation: 1 },
      { attribute: 'userId', values: ['user-9'], variation: 1 },
    ])
    launchDarkly.set('chat-runtime-guardrails', [{ errorRate: 0.25 }], 0)
    launchDarkly.set('chat-runtime-fallback-policy', ['auto', 'observe'], 1)
    ;[llm, runtime, admin] = await Promise.all([
      SimulatedService.start('llm', PACE),
      SimulatedService.start('runtime', PACE),
      bearer({ role: 'admin', user: 'operator-1' }),
      launchDarkly.start(),
    ])
    service = await start()
  })
  after(async () => {
    await service.end()
    await Promise.all([llm.kill(), runtime.kill(), launchDarkly.stop()])
    flags.remove()
  })

  const start = () =>
    startServiceProcess({
      llmUrl: llm.url,
      runtimeUrl: runtime.url,
      flags,
      env: {
        CHAT_PROVIDER_MODULE: './test/support/launchdarkly-provider.mjs',
        LAUNCHDARKLY_URL: launchDarkly.url,
        // Where nobody looks.
        CHAT_FLAGS_FILE: `${flags.folder}/nowhere/ops.json`,
      },
    })
  const modeOf = async (org = 'acme', user = 'user-1') =>
    (await startTurn(service.url, await bearer({ org, user }))).terminal?.data.executionMode
  const view = async () =>
    flagsViewSchema.parse(
      await dataOf(await fetch(`${service.url}/api/v1/runtime/flags`, { headers: { authorization: admin } })),
    )
  const patch = (query = '') =>
    fetch(`${service.url}/api/v1/runtime/flags${query}`, {
      method: 'PATCH',
      headers: { authorization: admin, 'content-type': 'application/json', 'if-match': '*' },
      body: JSON.stringify({ mode: 'direct_llm' }),
    })

  it('decides by org and by user, follows a change, and says that edits belong there', async () => {
    expect(await Promise.all([modeOf(), modeOf('other'), modeOf('other', 'user-9')])).to.deep.equal([
      'runtime_orchestrator',
      'direct_llm',
      'runtime_orchestrator',
    ])
    const { resolver, state, faults, ops } = await view()
    expect([resolver, state, faults]).to.deep.equal(['provider', 'ready', []])
    expect(ops).to.deep.equal({
      file: './test/support/launchdarkly-provider.mjs',
      values: null,
      fault: null,
    })
    const ready = await dataOf(await fetch(`${service.url}/health/ready`))
    expect(ready).to.deep.include({ flags: { resolver: 'provider', state: 'ready', faults: 0 } })
    for (const refused of [await patch(), await patch('?dryRun=true')]) {
      const { code, message } = await errorOf(refused)
      expect([refused.status, code]).to.deep.equal([409, 'flags_elsewhere'])
      expect(message).to.include('CHAT_PROVIDER_MODULE')
    }
    launchDarkly.set('chat-execution-mode', MODES, 1)
    await until('the change', async () => (await modeOf('other')) === 'runtime_orchestrator')
    launchDarkly.set('chat-execution-mode', MODES, 0, [
      { attribute: 'orgId', values: ['acme'], variation: 1 },
    ])
    await until('the change back', async () => (await modeOf('other')) === 'direct_llm')
  })

  it('writes its override in its own file, which decides before the flags', async () => {
    const operator = new Operator(service.url, admin)
    expect((await operator.status()).policy).to.equal('observe')
    await operator.trigger('drill')
    expect(await modeOf()).to.equal('direct_llm')
    await until('the proof', async () => (await operator.status()).fallback.propagated)
    expect(readFileSync(flags.overrideFile, 'utf8')).to.include('drill')
    await operator.reset()
    await until('the runtime', async () => (await modeOf()) === 'runtime_orchestrator')
  })

  it('keeps its flags while the service of the provider is away, and takes a change when it is back', async () => {
    const before = launchDarkly.connections
    await launchDarkly.stop()
    expect(await Promise.all([modeOf(), modeOf('other')])).to.deep.equal([
      'runtime_orchestrator',
      'direct_llm',
    ])
    launchDarkly.set('chat-execution-mode', MODES, 1)
    await launchDarkly.start()
    await until('a new connection', async () => launchDarkly.connections > before, 20_000)
    await until('the change', async () => (await modeOf('other')) === 'runtime_orchestrator')
  })

  it('starts without that service by what was kept, and takes the flags when it is there', async () => {
    // The first look after the change has kept it.
    await until('the flags', async () => (await view()).state === 'ready')
    launchDarkly.set('chat-execution-mode', MODES, 1, [
      { attribute: 'orgId', values: ['acme'], variation: 0 },
    ])
    await until('the change', async () => (await modeOf()) === 'direct_llm')
    await service.end()
    await launchDarkly.stop()
    service = await start()
    // What held for everybody is known, the rule for one org is not.
    expect(await Promise.all([modeOf(), modeOf('other')])).to.deep.equal([
      'runtime_orchestrator',
      'runtime_orchestrator',
    ])
    const { state, faults } = await view()
    expect(state).to.equal('stale')
    expect(faults.map(({ message }) => message).join()).to.include('kept')
    expect((await fetch(`${service.url}/health/ready`)).status).to.equal(200)
    await launchDarkly.start()
    await until('the flags', async () => (await view()).state === 'ready', 30_000)
    expect(await modeOf()).to.equal('direct_llm')
  })

  it('does not start with a module that exports no provider, and says so', async () => {
    const failed = await startServiceProcess({
      llmUrl: llm.url,
      runtimeUrl: runtime.url,
      flags,
      env: { CHAT_PROVIDER_MODULE: './scripts/lib/prepare.mjs' },
    }).then(
      () => 'started',
      (thrown: unknown) => String(thrown),
    )
    expect(failed).to.include('ended with 1').and.include('exports no OpenFeature provider')
  })
})
