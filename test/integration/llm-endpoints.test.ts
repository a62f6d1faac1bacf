import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { postTurn, readTurn, startTurn, type TurnSeen } from '../support/chat-client.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  temporaryFlags,
} from '../support/processes.js'
import { until } from '../support/until.js'

/** The running service over two endpoints of the direct LLM, the first with two places. */
describe('a direct LLM of two endpoints behind the running service', function () {
  this.timeout(60_000)
  const flags = temporaryFlags()
  let primary: RunningProcess
  let reserve: RunningProcess
  let runtime: RunningProcess
  let service: RunningProcess
  let member: string

  const faults = async (simulator: RunningProcess, body: object): Promise<void> => {
    const response = await fetch(`${simulator.url}/_faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(await response.text())
  }
  const metric = async (sample: string): Promise<number> => {
    const lines = (await (await fetch(`${service.url}/metrics`)).text()).split('\n')
    return Number(lines.find((line) => line.startsWith(`${sample} `))?.split(' ')[1] ?? Number.NaN)
  }
  const spansFile = () => join(flags.folder, 'spans.jsonl')
  /** endpoint and cause of each span since the start */
  const spans = (): string[] =>
    readFileSync(spansFile(), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).attributes)
      .filter((attributes) => 'chat.llm.endpoint' in attributes)
      .map((attributes) => `${attributes['chat.llm.endpoint']} ${attributes['chat.llm.cause']}`)
  const asked = async (simulator: RunningProcess): Promise<number> =>
    ((await (await fetch(`${simulator.url}/_requests`)).json()) as unknown[]).length
  const attemptsOf = ({ terminal }: TurnSeen): number | undefined =>
    terminal?.event === 'done' ? terminal.data.attempts : undefined

  before(async () => {
    member = await bearer({ org: 'direct' })
    ;[primary, reserve, runtime] = await Promise.all([
      startSimulator('llm'),
      startSimulator('llm'),
      startSimulator('runtime'),
    ])
    const file = join(flags.folder, 'llm.json')
    const endpoints = [
      { name: 'primary', baseUrl: `${primary.url}/v1`, model: 'm', maxConcurrent: 2 },
      { name: 'reserve', baseUrl: `${reserve.url}/v1`, model: 'm', maxConcurrent: 1 },
    ]
    writeFileSync(file, JSON.stringify({ endpoints }))
    service = await startServiceProcess({
      llmUrl: '',
      runtimeUrl: runtime.url,
      flags,
      env: {
        LLM_BASE_URL: '',
        LLM_MODEL: '',
        CHAT_LLM_FILE: file,
        NODE_OPTIONS: `--import=${pathToFileURL('test/support/told-spans.mjs')}`,
        SPANS_FILE: spansFile(),
      },
    })
  })
  after(async () => {
    expect(await service.end('SIGTERM')).to.equal(0)
    await Promise.all([primary.end(), reserve.end(), runtime.end()])
    flags.remove()
  })
  afterEach(() => Promise.all([faults(primary, {}), faults(reserve, {})]))

  const once: readonly (readonly [string, object])[] = [
    ['503', { failNext: { requests: 1 } }],
    ['429 with Retry-After: 1', { failNext: { requests: 1, status: 429 }, retryAfter: '1' }],
  ]
  for (const [what, body] of once)
    it(`${what} once is not the user's error`, async () => {
      await faults(primary, body)
      const before = await asked(reserve)
      const turn = await startTurn(service.url, member)
      expect(turn.terminal?.event).to.equal('done')
      expect(attemptsOf(turn)).to.equal(2)
      expect(await asked(reserve)).to.equal(before)
    })

  it('a reset before the head, twice, is answered by the next endpoint', async () => {
    await faults(primary, { resetHead: true })
    const told = spans().length
    const turn = await startTurn(service.url, member)
    expect(turn.terminal?.event).to.equal('done')
    expect(attemptsOf(turn)).to.equal(3)
    expect(await metric('chat_llm_requests_total{endpoint="primary",cause="llm_unreachable"}')).to.equal(2)
    expect(await metric('chat_llm_requests_total{endpoint="reserve",cause="ok"}')).to.equal(1)
    expect(spans().slice(told)).to.deep.equal([
      'primary llm_unreachable',
      'primary llm_unreachable',
      'reserve ok',
    ])
  })

  it('is asked by the flag chat-llm-route', async () => {
    const before = await asked(reserve)
    flags.edit((document) => {
      document.flags['chat-llm-route'] = {
        state: 'ENABLED',
        variants: { reserve: { endpoints: ['reserve', 'nobody'] } },
        defaultVariant: 'reserve',
      } as never
    })
    await until('the route', async () => {
      await startTurn(service.url, member)
      return (await asked(reserve)) > before
    })
    const admin = await bearer({ role: 'admin' })
    const status = await fetch(`${service.url}/api/v1/runtime/flags`, { headers: { authorization: admin } })
    expect(await status.text()).to.contain('no endpoint has these names: nobody')
    flags.edit((document) => {
      delete document.flags['chat-llm-route']
    })
    await until('all endpoints', async () => {
      const seen = await asked(primary)
      await startTurn(service.url, member)
      return (await asked(primary)) > seen
    })
  })

  it('refuses with 503 and Retry-After what neither has a place for, and goes on when one is free', async () => {
    const slow = { firstContentDelayMs: 1500 }
    await Promise.all([faults(primary, slow), faults(reserve, slow)])
    // Three places, and a queue of six.
    const responses = await Promise.all(
      Array.from({ length: 12 }, () =>
        postTurn(service.url, member, 'start', { agentId: 'a', message: 'hi' }),
      ),
    )
    const refused = responses.filter(({ status }) => status === 503)
    expect(refused).to.have.length(3)
    for (const { headers } of refused) expect(Number(headers.get('retry-after'))).to.be.at.least(1)
    const turns = await Promise.all(responses.filter(({ status }) => status === 200).map(readTurn))
    expect(turns.map(({ terminal }) => terminal?.event)).to.deep.equal(new Array(9).fill('done'))
    expect(await metric('chat_llm_refused_turns_total')).to.equal(3)
    expect(await metric('chat_llm_waiting_turns')).to.equal(0)
  })

  it('tells each user honestly while both are dead, and answers again soon after one is back', async () => {
    await Promise.all([faults(primary, { status: 503 }), faults(reserve, { status: 503 })])
    for (let turn = 0; turn < 8; turn++)
      expect((await startTurn(service.url, member)).terminal).to.have.nested.property(
        'data.code',
        'llm_http_error',
      )
    expect(await metric('chat_llm_endpoint_resting{endpoint="primary"}')).to.equal(1)
    await faults(reserve, {})
    await until(
      'an answer',
      async () => (await startTurn(service.url, member)).terminal?.event === 'done',
      20_000,
    )
  })
})
