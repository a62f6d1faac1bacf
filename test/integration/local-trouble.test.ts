import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { expect } from 'chai'
import { postTurn, readTurn, startTurn } from '../support/chat-client.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  temporaryFlags,
} from '../support/processes.js'
import { until } from '../support/until.js'

/** The process where it is stopped for a while with answers under way, or has no file descriptor left. */
describe('a process whose own machine is in trouble', function () {
  this.timeout(60_000)
  const flags = temporaryFlags()
  let llm: RunningProcess
  let runtime: RunningProcess
  let service: RunningProcess
  let member: string

  const faults = (simulator: RunningProcess, body: object): Promise<Response> =>
    fetch(`${simulator.url}/_faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })

  before(async () => {
    member = await bearer()
    llm = await startSimulator('llm')
    runtime = await startSimulator('runtime')
    flags.edit((document) => {
      const mode = document.flags['chat-execution-mode']
      const guardrails = document.flags['chat-runtime-guardrails']
      if (mode === undefined || guardrails === undefined) throw new Error('no such flags')
      mode.defaultVariant = 'runtime_orchestrator'
      const deadlines = { connectMs: 1000, headersMs: 1000, firstContentMs: 1000, gapMs: 1000 }
      guardrails.variants.short = {
        ...guardrails.variants.standard,
        ...deadlines,
        llm: deadlines,
        probeIntervalMs: 200,
      }
      guardrails.defaultVariant = 'short'
    })
    service = await startServiceProcess({ llmUrl: llm.url, runtimeUrl: runtime.url, flags })
  })
  after(async () => {
    expect(await service.end('SIGTERM')).to.equal(0)
    await Promise.all([llm.end(), runtime.end()])
    flags.remove()
  })

  interface Status {
    readonly fallbackEnabled: boolean
    readonly alerts: readonly string[]
  }
  const status = async (): Promise<Status> => {
    const headers = { authorization: await bearer({ role: 'admin' }), 'accept-language': 'en' }
    const response = await fetch(`${service.url}/api/v1/runtime/fallback/status`, { headers })
    return ((await response.json()) as { data: Status }).data
  }

  const localFaults = async (): Promise<number> => {
    const text = await (await fetch(`${service.url}/metrics`)).text()
    return Number(/^chat_local_faults_total (\d+)$/m.exec(text)?.[1])
  }

  it('loses no running turn to a deadline while it is stopped, trips nothing, and says so', async () => {
    await startTurn(service.url, member)
    await faults(runtime, { gapMs: 400 })
    const turns = await Promise.all(
      Array.from({ length: 14 }, () =>
        postTurn(service.url, member, 'start', { agentId: 'assistant', message: 'Hello' }),
      ),
    )
    process.kill(service.pid, 'SIGSTOP')
    // Twice `gapMs`, in real time: a process that is stopped tells nothing by which its end could be awaited.
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    process.kill(service.pid, 'SIGCONT')
    const seen = await Promise.all(turns.map(readTurn))
    expect(seen.map(({ terminal }) => terminal?.event)).to.deep.equal(seen.map(() => 'done'))
    for (const { terminal } of seen) expect(terminal?.data).to.not.have.property('failover')
    await until('the alert', async () => (await status()).alerts.some((one) => one.includes('held_up')))
    expect((await status()).fallbackEnabled).to.equal(false)
    expect(service.log.some(({ msg }) => msg === 'this process stood still')).to.equal(true)
  })

  it('trips nothing while it has no file descriptor left, and says so', async function () {
    await faults(runtime, {})
    // Nothing else changes the limits of a running process; systems without util-linux have no such command.
    if (spawnSync('prlimit', ['--version']).status !== 0) this.skip()
    await startTurn(service.url, member)
    // This connection of ours lives on, and nothing new is opened.
    await status()
    const limit = (nofile: string): void => {
      const { status: code } = spawnSync('prlimit', ['--pid', String(service.pid), `--nofile=${nofile}`])
      expect(code).to.equal(0)
    }
    // A limit is a number that no new descriptor may have: below the first gap, and low, where none is closed later.
    const used = new Set(readdirSync(`/proc/${service.pid}/fd`))
    let most = 3
    while (most < 10 && used.has(String(most))) most += 1
    limit(`${most}:`)
    try {
      await until(
        'the alert',
        async () => (await status()).alerts.some((one) => one.includes('EMFILE')),
        10_000,
      )
      const failed = await localFaults()
      await until(
        'more probes to fail than a trip takes',
        async () => {
          expect((await status()).fallbackEnabled).to.equal(false)
          return (await localFaults()) >= failed + 10
        },
        15_000,
      )
    } finally {
      limit('4096:')
    }
    const { terminal } = await startTurn(service.url, member)
    expect(terminal?.data).to.include({ executionMode: 'runtime_orchestrator' })
  })
})
