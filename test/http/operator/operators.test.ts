import { expect } from 'chai'
import { explanationSchema } from '../../../src/protocol/api.js'
import { flagsViewSchema } from '../../../src/protocol/flag-edit.js'
import { dataOf, errorOf } from '../../support/answers.js'
import { bearer, DEFAULT_FLAGS, type Edge, startEdge } from '../../support/edge.js'

const ask = async (edge: Edge, path: string, claims = {}, headers: Record<string, string> = {}) =>
  fetch(`${edge.url}/api/v1/runtime/${path}`, {
    headers: { authorization: await bearer({ role: 'admin', ...claims }), ...headers },
  })

const SESSION = '11111111-1111-4111-8111-111111111111'

describe('GET /runtime/flags', () => {
  it('tells where the flags come from and what is wrong with them, with an ETag', async () => {
    const fault = {
      where: 'flags/chat.flagd.json',
      line: 3,
      message: 'torn',
      since: '2026-01-01T00:00:00.000Z',
    }
    const edge = await startEdge({ status: { state: 'stale', faults: [fault] } })
    const response = await ask(edge, 'flags')
    expect(flagsViewSchema.parse(await dataOf(response))).to.deep.equal({
      resolver: 'file',
      state: 'stale',
      faults: [fault],
      ops: { file: 'flags/chat.flagd.json', values: null, fault: 'there is no such file' },
      environment: {
        mode: 'direct_llm',
        enabledOrgs: [],
        shadowPercent: 0,
        errorRate: 0.5,
        totalMs: 300_000,
      },
    })
    const etag = response.headers.get('etag') ?? ''
    expect(etag).to.match(/^".+"$/)
    const unchanged = await ask(edge, 'flags', {}, { 'if-none-match': etag })
    expect([unchanged.status, await unchanged.text()]).to.deep.equal([304, ''])
    expect((await ask(edge, 'flags', {}, { 'if-none-match': '"other"' })).status).to.equal(200)
    expect((await ask(edge, 'flags', { role: 'member' })).status).to.equal(403)
    await edge.close()
  })
})

describe('GET /runtime/explain', () => {
  it('tells the decision a context would get and what each flag said', async () => {
    const edge = await startEdge({
      flagsFor: async (caller) => ({
        ...DEFAULT_FLAGS,
        mode: {
          value: caller.orgId === 'org-9' ? 'runtime_orchestrator' : 'direct_llm',
          reason: 'targeting_match',
        },
        override: { on: caller.agentId === 'sick' },
      }),
    })
    const explain = async (query: string) =>
      explanationSchema.parse(
        await dataOf(await ask(edge, `explain?${query}`, {}, { 'accept-language': 'en' })),
      )

    const runtime = await explain(`orgId=org-9&userId=u&sessionId=${SESSION}&agentId=a`)
    expect(runtime.context).to.deep.equal({ orgId: 'org-9', userId: 'u', sessionId: SESSION, agentId: 'a' })
    expect(runtime.decision).to.deep.equal({
      mode: 'runtime_orchestrator',
      reason: 'targeting_match',
      shadow: false,
    })
    expect(runtime.steps.map(({ flag, value, decides }) => [flag, value, decides])).to.deep.equal([
      ['chat-runtime-fallback', false, false],
      ['chat-execution-mode', 'runtime_orchestrator', true],
      ['chat-runtime-rollout', false, false],
      ['chat-runtime-shadow', false, false],
    ])
    const share = 'this session is %swithin the share that also runs on the other backend'
    expect(runtime.steps[3]?.why).to.equal(share.replace('%s', 'not '))

    const sick = await explain('orgId=org-9&agentId=sick')
    expect(sick.decision).to.deep.equal({ mode: 'direct_llm', reason: 'fallback', shadow: false })
    expect(sick.steps[0]).to.include({ value: true, decides: true })
    expect(sick.steps[3]?.why).to.equal('no shadow runs during a fallback')
    expect((await explain('')).context).to.include({ orgId: 'org-1', userId: 'user-1', agentId: '' })
    await edge.close()
  })

  it('tells the endpoints of the direct LLM where the flag names some', async () => {
    const edge = await startEdge({ flags: { shadow: true, route: { endpoints: ['reserve', 'primary'] } } })
    const headers = { 'accept-language': 'en' }
    const { steps } = explanationSchema.parse(await dataOf(await ask(edge, 'explain', {}, headers)))
    expect(steps.at(-2)).to.deep.include({ flag: 'chat-runtime-shadow', value: true, decides: true })
    expect(steps.at(-2)?.why).to.equal('this session is within the share that also runs on the other backend')
    expect(steps.at(-1)).to.deep.equal({
      flag: 'chat-llm-route',
      value: 'reserve, primary',
      decides: true,
      why: 'the direct LLM asks these endpoints in this order',
    })
    await edge.close()
  })

  it('needs an admin and sane parameters', async () => {
    const edge = await startEdge()
    expect((await ask(edge, 'explain', { role: 'member' })).status).to.equal(403)
    const response = await ask(
      edge,
      'explain?orgId=&who=me&userId=a&userId=b',
      {},
      { 'accept-language': 'en' },
    )
    expect(response.status).to.equal(400)
    expect((await errorOf(response)).details).to.have.members([
      'orgId: must not be empty',
      'userId: must be a string, not an array',
      'who: is not a known field',
    ])
    await edge.close()
  })

  it('keeps an admin to its own org where several tenants share the deployment', async () => {
    const edge = await startEdge({ auth: { operatorRole: 'owner' } })
    expect((await ask(edge, 'explain?orgId=org-2')).status).to.equal(403)
    expect((await ask(edge, 'explain?orgId=org-1')).status).to.equal(200)
    expect((await ask(edge, 'explain?orgId=org-2', { role: 'owner' })).status).to.equal(200)
    await edge.close()
  })
})

describe('health and metrics', () => {
  it('readiness names what a start still waits for, in both languages', async () => {
    const edge = await startEdge()
    edge.missing = ['the signing keys', 'the database']
    edge.state = 'starting'
    const detailsIn = async (language: string) => {
      const headers = { 'Accept-Language': language }
      return (await errorOf(await fetch(`${edge.url}/health/ready`, { headers }))).details
    }
    expect(await detailsIn('en')).to.deep.equal([
      'flags: ready (file), faults: 0',
      'missing: the signing keys (JWKS_URL)',
      'missing: the database',
    ])
    expect((await detailsIn('zh-CN'))?.[1]).to.equal('缺少：签名密钥（JWKS_URL）')
    edge.state = 'draining'
    expect(await detailsIn('en')).to.deep.equal(['flags: ready (file), faults: 0'])
    await edge.close()
  })

  it('are open; readiness follows the life of the process, not that of the flags', async () => {
    const edge = await startEdge({ status: { state: 'unavailable' } })
    expect(await dataOf(await fetch(`${edge.url}/health/live`))).to.deep.equal({ status: 'live' })
    expect(await dataOf(await fetch(`${edge.url}/health/ready`))).to.deep.equal({
      status: 'ready',
      flags: { resolver: 'file', state: 'unavailable', faults: 0 },
    })
    for (const state of ['starting', 'draining'] as const) {
      edge.state = state
      const response = await fetch(`${edge.url}/health/ready`)
      expect(response.status).to.equal(503)
      const { code, details } = await errorOf(response)
      expect(code).to.equal(state)
      expect(details).to.deep.equal(['flags: unavailable (file), faults: 0'])
      expect((await fetch(`${edge.url}/health/live`)).status).to.equal(200)
    }
    const metrics = await fetch(`${edge.url}/metrics`)
    expect(metrics.headers.get('content-type')).to.equal('text/plain; version=0.0.4; charset=utf-8')
    expect(await metrics.text()).to.equal('up 1\n')
    await edge.close()
  })
})
