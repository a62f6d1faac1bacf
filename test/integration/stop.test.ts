import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect } from 'chai'
import Database from 'libsql'
import { postTurn } from '../support/chat-client.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  type TemporaryFlags,
  temporaryFlags,
} from '../support/processes.js'
import { SOON_MS, until } from '../support/until.js'

const DRAIN_MS = 300
const preload = (name: string) => `--import ${new URL(`../support/${name}`, import.meta.url).href}`

/** However a part hangs: the process ends within its drain and two seconds. */
describe('the end of the process', function () {
  this.timeout(30_000)
  let flags: TemporaryFlags
  let llm: RunningProcess
  let service: RunningProcess
  let member: string

  before(async () => {
    llm = await startSimulator('llm')
    await fetch(`${llm.url}/_faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ endless: true, gapMs: 20 }),
    })
    member = await bearer()
  })

  beforeEach(() => {
    flags = temporaryFlags()
  })

  afterEach(async () => {
    await service.end('SIGKILL')
    flags.remove()
  })

  after(() => llm.end())

  async function start(env: Record<string, string> = {}): Promise<void> {
    service = await startServiceProcess({
      llmUrl: llm.url,
      runtimeUrl: 'http://127.0.0.1:1',
      flags,
      env: { CHAT_DRAIN_MS: String(DRAIN_MS), ...env },
    })
  }

  const turn = () => postTurn(service.url, member, 'start', { agentId: 'assistant', message: 'Hello' })

  async function endsInTime(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    const startedAt = performance.now()
    const how = await service.end(signal)
    expect(performance.now() - startedAt).to.be.below(DRAIN_MS + SOON_MS)
    return how
  }

  const logged = (text: string) => service.log.filter(({ msg }) => String(msg).includes(text))

  it('comes in time with an open stream, which is told', async () => {
    await start()
    const response = await turn()
    expect(await endsInTime()).to.equal(0)
    const events = (await response.text()).match(/event: (done|error)/g)
    expect(events).to.deep.equal(['event: error'])
  })

  it('comes in time with a flag file that hangs in the system call', async () => {
    const pipe = join(flags.folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    await start({ NODE_OPTIONS: preload('hanging.mjs'), HANGING_PIPE: pipe })
    process.kill(service.pid, 'SIGUSR2')
    await until('the fault', () => logged('it was not read within').length === 1, 10_000)
    // Node itself would wait for that call for ever: no exit code of ours is to be had.
    expect(await endsInTime()).to.equal('SIGKILL')
    expect(logged('stopped')).to.have.length(1)
    expect(logged('a system call hangs')).to.have.length(1)
  })

  it('comes in time with a database that another process holds', async () => {
    await start()
    const response = await turn()
    // The service may be writing just now: the lock is waited for.
    const database = new Database(join(flags.folder, 'chat.db'), { timeout: SOON_MS })
    database.exec('BEGIN IMMEDIATE')
    try {
      expect(await endsInTime()).to.equal(1)
    } finally {
      database.exec('ROLLBACK')
      database.close()
    }
    expect(String(logged('stopped with a fault')[0]?.err)).to.match(/^turns: not ended in time/)
    await response.body?.cancel().catch(() => undefined)
  })

  it('comes in time with a database whose end blocks the process', async () => {
    await start({ NODE_OPTIONS: preload('blocking-database.mjs') })
    const response = await turn()
    expect(await endsInTime()).to.equal('SIGKILL')
    expect(logged('the process is blocked')).to.have.length(1)
    // All else came to its end before: the turn was told.
    expect((await response.text()).match(/event: (done|error)/g)).to.deep.equal(['event: error'])
  })

  for (const [kind, signal] of [
    ['unhandledRejection', 'SIGUSR2'],
    ['uncaughtException', 'SIGURG'],
  ] as const)
    it(`comes with exit code 1 after an ${kind}, and the open stream is told`, async () => {
      await start({ NODE_OPTIONS: preload('stray.mjs') })
      const response = await turn()
      expect(await endsInTime(signal)).to.equal(1)
      expect(logged('a stray error')[0]).to.include({ kind, name: 'TypeError' })
      expect((await response.text()).match(/event: (done|error)/g)).to.deep.equal(['event: error'])
    })
})
