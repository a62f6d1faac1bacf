import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { runBaseline } from '../../../src/cli/show/baseline.js'
import { baselineSchema } from '../../../src/protocol/baseline.js'
import { bundled } from '../../support/bundled.js'
import { sampleExecution } from '../../support/comparisons.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'

async function run(argv: string[], env: Record<string, string>) {
  let out = ''
  let err = ''
  const code = await runBaseline(argv, env, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
  })
  return { code, out, err }
}

const token = async (claims = {}): Promise<string> =>
  (await bearer({ role: 'admin', ...claims })).replace('Bearer ', '')

describe('chat-cutover baseline', () => {
  let edge: Edge

  beforeEach(async () => {
    edge = await startEdge()
    const at = Date.now() - 60_000
    for (let time = 0; time < 10; time += 1) edge.journal.keepExecution(sampleExecution({ at }))
    edge.journal.keepExecution(
      sampleExecution({
        at,
        orgId: 'org-2',
        mode: 'runtime_orchestrator',
        result: 'error',
        latencyMs: 6_000,
      }),
    )
  })
  afterEach(() => edge.close())

  const env = async (claims = {}): Promise<Record<string, string>> => ({
    CHAT_URL: `${edge.url}/`,
    CHAT_TOKEN: await token(claims),
  })

  it('prints the table', async () => {
    const { code, out, err } = await run([], await env())
    expect([code, err]).to.deep.equal([0, ''])
    const lines = out.split('\n')
    expect(lines[0]).to.match(/^20\S+Z to 20\S+Z, all orgs$/)
    expect(lines.slice(2, 8).map((line) => line.split(/ {2,}/))).to.deep.equal([
      ['', 'target', 'direct LLM', 'runtime'],
      ['Executions', '10', '1'],
      ['Mean latency', '< 3 s', '1.000 s', 'met', '6.000 s', 'MISSED'],
      ['P95 latency', '< 5 s', lines[5]?.split(/ {2,}/)[2], 'met', lines[5]?.split(/ {2,}/)[4], 'MISSED'],
      ['Error rate', '< 5%', '0.00%', 'met', '100.00%', 'MISSED'],
      ['Timeout rate', '< 2%', '0.00%', 'met', '0.00%', 'met'],
    ])
    expect(new Set(lines.slice(4, 8).map((line) => line.indexOf('<'))).size).to.equal(1)
    expect(out).to.match(
      /\nDirect LLM: all targets met \(10 executions\)\nRuntime: 3 of 4 targets missed: .+\n$/,
    )
  })

  it('asks for a span and an org, and gives the answer as JSON', async () => {
    const { code, out } = await run(
      ['--from', '2026-01-01', '--to=2126-01-01T00:00:00+08:00', '--org', 'org-2', '--json'],
      await env(),
    )
    expect(code).to.equal(0)
    const view = baselineSchema.parse(JSON.parse(out))
    expect(view).to.include({
      from: '2026-01-01T00:00:00.000Z',
      to: '2125-12-31T16:00:00.000Z',
      orgId: 'org-2',
    })
    expect(view.samples).to.deep.equal({ direct: 0, runtime: 1 })
    const table = await run(['--org', 'org-2'], await env())
    expect(table.out).to.match(/Mean latency +< 3 s +- +6\.000 s +MISSED\n/)
    expect(table.out).to.include('Direct LLM: no executions in this span\n')
  })

  it('is a command of its own process, which ends by itself', async () => {
    const args = [bundled('src/cli/main.ts'), 'baseline', '--org', 'org-2']
    const child = spawn(process.execPath, args, { env: { PATH: process.env.PATH, ...(await env()) } })
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString()
    })
    const deadline = setTimeout(() => child.kill('SIGKILL'), 9_000)
    const [code] = await once(child, 'close')
    clearTimeout(deadline)
    expect(code).to.equal(0)
    expect(out).to.match(/, org org-2\n/)
  })

  it('explains itself', async () => {
    const { code, out } = await run(['--help'], {})
    expect(code).to.equal(0)
    expect(out).to.match(/CHAT_URL[\s\S]+CHAT_TOKEN[\s\S]+Exit code/)
  })

  it('says what is wrong with its options and its environment', async () => {
    const wrong = async (argv: string[], more: Record<string, string | undefined>) => {
      const { code, err, out } = await run(argv, { ...(await env()), ...more } as Record<string, string>)
      expect([code, out]).to.deep.equal([2, ''])
      return err
    }
    expect(await wrong(['--what'], {})).to.match(/--what[\s\S]+chat-cutover baseline --help/)
    expect(await wrong(['extra'], {})).to.match(/extra/)
    expect(await wrong([], { CHAT_TOKEN: undefined })).to.match(/^CHAT_TOKEN is not set\./)
    expect(await wrong([], { CHAT_TOKEN: 'Bearer abc' })).to.match(/without "Bearer"/)
    for (const url of ['localhost:3001', 'ftp://x', 'no'])
      expect(await wrong([], { CHAT_URL: url })).to.match(/^CHAT_URL must be/)
  })

  it('tells what the service refuses', async () => {
    const refused = async (argv: string[], claims: object) => {
      const { code, err, out } = await run(argv, await env(claims))
      expect([code, out]).to.deep.equal([1, ''])
      return err
    }
    expect(await refused([], { exp: 1 })).to.match(
      /^The service refused \(401 unauthorized\): .+\n.+CHAT_TOKEN/,
    )
    expect(await refused([], { role: 'member' })).to.match(/\(403 forbidden\)[\s\S]+CHAT_OPERATOR_ROLE/)
    expect(await refused(['--from', 'monday'], {})).to.match(
      /\(400 bad_request\)[\s\S]+\n {2}from: must be an/,
    )
    edge.journal.available = false
    expect(await refused([], {})).to.match(/\(503 store_unavailable\)/)
  })

  it('tells that the service is not there', async () => {
    const gone = await env()
    const other = createServer((_, response) => response.end('<html>\u001b[2J</html>'))
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
    const strange = await run([], { ...gone, CHAT_URL: url })
    expect(strange.code).to.equal(1)
    expect(strange.err).to.equal(`What answers at ${url} (status 200) is not chat-cutover.\n`)
    other.close()
    other.closeAllConnections()
    const refused = await run([], { ...gone, CHAT_URL: url })
    expect(refused.code).to.equal(1)
    expect(refused.err).to.equal(
      `No service at ${url}: ECONNREFUSED (nothing listens there). Start it, or correct the address (from CHAT_URL)\n`,
    )
  })
})
