import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { oneFile } from '../support/one-file.js'
import {
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  TEST_SECRET,
  temporaryFlags,
} from '../support/processes.js'

/** The built command line against the built service, as a newcomer would use them. */
describe('the command line against the running service', function () {
  this.timeout(60_000)
  const flags = temporaryFlags()
  const home = flags.folder
  let llm: RunningProcess
  let runtime: RunningProcess
  const replicas: RunningProcess[] = []

  before(async () => {
    llm = await startSimulator('llm')
    runtime = await startSimulator('runtime')
    for (const name of ['a', 'b'])
      replicas.push(
        await startServiceProcess({
          llmUrl: llm.url,
          runtimeUrl: runtime.url,
          flags,
          env: { CHAT_REPLICA: name },
        }),
      )
  })
  after(async () => {
    await Promise.all([...replicas, llm, runtime].map((one) => one.end('SIGKILL')))
    flags.remove()
  })

  interface Ran {
    readonly code: number | string
    readonly out: string
    readonly err: string
  }

  /** @param onOutput may end the process by Ctrl-C */
  async function run(
    argv: readonly string[],
    {
      input = '',
      onOutput,
    }: { input?: string; onOutput?: (all: string, interrupt: () => void) => void } = {},
  ): Promise<Ran> {
    const child = spawn(process.execPath, [await oneFile('dist/cli/main.js'), ...argv], {
      env: { PATH: process.env.PATH, HOME: home, JWT_SECRET: TEST_SECRET },
    })
    const deadline = setTimeout(() => child.kill('SIGKILL'), 30_000)
    const said = { out: '', err: '' }
    let interrupted = false
    // A second one would end the process at once.
    const interrupt = (): void => {
      if (!interrupted) child.kill('SIGINT')
      interrupted = true
    }
    child.stdout.on('data', (chunk: Buffer) => {
      said.out += chunk.toString()
      onOutput?.(said.out, interrupt)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      said.err += chunk.toString()
    })
    child.stdin.end(input)
    const [code, signal] = await once(child, 'close')
    clearTimeout(deadline)
    return { code: code ?? signal, ...said }
  }

  async function well(...argv: string[]): Promise<string> {
    const { code, out, err } = await run(argv)
    expect([code, err], argv.join(' ')).to.deep.equal([0, ''])
    return out
  }
  const urlOf = (at: number): string => replicas[at]?.url ?? ''

  it('logs in with a token of its own', async () => {
    const token = await well('token', '--org', 'acme', '--user', 'ada')
    const { code, out } = await run(['login', '--url', urlOf(0)], { input: token })
    expect([code, out.includes('It may operate the service.')]).to.deep.equal([0, true])
    expect(statSync(join(home, '.config/chat-cutover/config.json')).mode & 0o777).to.equal(0o600)
    expect(await well('status')).to.match(/^Service .*\(a\)\nFallback +none\n/)
  })

  it('puts an org on the runtime, and takes a turn with plan and tools there', async () => {
    expect(await well('orgs', 'add', 'acme', '--dry-run')).to.match(
      /\n\+.*acme[\s\S]*Nothing was written\.\n$/,
    )
    expect(await well('orgs', 'list')).to.equal('')
    expect(await well('orgs', 'add', 'acme')).to.match(/^Written and in force:\n/)
    expect(await well('explain')).to.match(/^acme \/ ada: runtime \(targeting_match\)/)
    const turn = await well('chat', 'Please', 'use', 'a', 'tool')
    expect(turn)
      .to.match(/\nPlan\n {2}1\. /)
      .and.to.match(/\n→ \w+/)
      .and.to.match(/\n← \w+/)
    const [, session = ''] = /\n\[runtime · .* session (\S+)\]\n$/.exec(turn) ?? []
    expect(await well('sessions', 'show', session)).to.contain('Please use a tool')
    expect(await well('metrics', 'acme')).to.match(/\nExecutions +0 +1\n/)
    expect(await well('flags', 'history')).to.contain('ada (acme)')
  })

  it('drills, measures each replica, and leaves no fallback behind', async () => {
    const out = await well('drill', '--replica', urlOf(0), '--replica', urlOf(1), '--json')
    const { ok, replicas: measured } = JSON.parse(out)
    expect([ok, measured.length]).to.deep.equal([true, 2])
    expect(await well('status')).to.match(/\nFallback +none\n/)
    const history = await well('fallback', 'history')
    expect(history)
      .to.match(/ reset /)
      .and.to.match(/ triggered .* drill\n/)
  })

  it('watches until Ctrl-C, and sees what others do', async () => {
    let acted: Promise<unknown> | undefined
    const { code, out } = await run(['watch'], {
      onOutput: (all, interrupt) => {
        acted ??= run(['canary', 'set', '5'])
        if (/ flags +chat-execution-mode \(ada\)/.test(all)) interrupt()
      },
    })
    await acted
    expect(code).to.equal(0)
    expect(out).to.match(/^\S+ \S+ {2}metrics /)
  })

  it('stops a turn by Ctrl-C', async () => {
    await fetch(`${runtime.url}/_faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ events: 1000, gapMs: 50 }),
    })
    const { code, out } = await run(['chat', 'A long story'], {
      onOutput: (all, interrupt) => {
        if (all.length > 100) interrupt()
      },
    })
    expect(code).to.equal(130)
    expect(out).to.match(/\[runtime · .* stopped · session /)
  })

  it('does not mind a reader who leaves early', async () => {
    const child = spawn('sh', ['-c', `"${process.execPath}" dist/cli/main.js --help | head -1`], {
      env: { PATH: process.env.PATH },
    })
    let err = ''
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString()
    })
    await once(child, 'close')
    expect(err).to.equal('')
  })

  it('names who is not there', async () => {
    await Promise.all(replicas.map((one) => one.end('SIGKILL')))
    const { code, err } = await run(['status'])
    expect(code).to.equal(1)
    expect(err).to.match(
      /^No service at http:\S+: ECONNREFUSED \(nothing listens there\)\. Start it, or correct the address \(from profile "default"\)\n$/,
    )
  })
})
