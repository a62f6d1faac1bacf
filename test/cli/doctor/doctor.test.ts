import { once } from 'node:events'
import { copyFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { expect } from 'chai'
import type { Finding } from '../../../src/cli/doctor/finding.js'
import { edgeToken, runCli } from '../../support/cli.js'
import { EDGE_SECRET, type Edge, startEdge } from '../../support/edge.js'
import { QUIET } from '../../support/fallback-fakes.js'
import { FEATURE_FLAGS, startKubernetes } from '../../support/kubernetes-api.js'
import { startRedis } from '../../support/redis.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

describe('chat-cutover doctor', function () {
  this.timeout(30_000)
  const directory = temporaryDirectory()
  const upstream = {
    runtime: 'healthy',
    llm: 200,
    models: '{}',
    aheadMs: 0,
    keys: [] as unknown[],
  }
  let edge: Edge
  let server: Server
  let upstreamUrl: string

  before(async () => {
    server = createServer(({ url, headers }, response) => {
      response.setHeader('date', new Date(Date.now() + upstream.aheadMs).toUTCString())
      if (url === '/health') return void response.end(JSON.stringify({ status: upstream.runtime }))
      upstream.keys.push(headers.authorization)
      response.writeHead(upstream.llm).end(upstream.models)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    upstreamUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  after(() => {
    server.close()
    server.closeAllConnections()
  })
  beforeEach(async () => {
    Object.assign(upstream, { runtime: 'healthy', llm: 200, models: '{}', aheadMs: 0, keys: [] })
    edge = await startEdge()
    copyFileSync('flags/chat.flagd.json', directory.path('chat.flagd.json'))
    copyFileSync('flags/auto-fallback.flagd.json', directory.path('auto.flagd.json'))
  })
  afterEach(() => edge.close())

  /** The environment of a whole service. */
  const here = async (): Promise<Record<string, string>> => ({
    CHAT_URL: edge.url,
    CHAT_TOKEN: await edgeToken(),
    JWT_SECRET: EDGE_SECRET,
    LLM_BASE_URL: `${upstreamUrl}/v1`,
    LLM_API_KEY: 'sk-secret',
    RUNTIME_SERVICE_URL: upstreamUrl,
    CHAT_FLAGS_FILE: directory.path('chat.flagd.json'),
    CHAT_FALLBACK_FLAGS_FILE: directory.path('auto.flagd.json'),
    CHAT_DATABASE: directory.path('data', 'chat.db'),
  })

  async function findings(
    more: Record<string, string | undefined> = {},
  ): Promise<{ code: number; all: Finding[] }> {
    const { code, out, err } = await runCli(['doctor', '--json'], { env: { ...(await here()), ...more } })
    expect(err).to.equal('')
    return { code, all: JSON.parse(out).findings }
  }
  const of = (all: readonly Finding[], check: string): Finding | undefined =>
    all.find((one) => one.check === check)
  const results = (all: readonly Finding[]) =>
    Object.fromEntries(all.map(({ check, result }) => [check, result]))

  it('says what it means that the direct LLM cannot be reached', async () => {
    const { all } = await findings({ LLM_BASE_URL: 'http://127.0.0.1:9/v1' })
    expect(of(all, 'LLM default')?.text).to.equal(
      'http://127.0.0.1:9/v1/models: bad port (Node refuses to ask this port)',
    )
  })

  it('asks with the user and the password of an address, as the service does, and shows neither', async () => {
    const withLogin = (url: string) => url.replace('//', '//me:hunter2@')
    const { all } = await findings({
      RUNTIME_SERVICE_URL: withLogin(upstreamUrl),
      LLM_BASE_URL: withLogin(`${upstreamUrl}/v1`),
    })
    expect(results(all)).to.include({ runtime: 'ok', 'LLM default': 'ok' })
    expect(upstream.keys).to.deep.equal([`Basic ${Buffer.from('me:hunter2').toString('base64')}`])
    expect(JSON.stringify(all)).not.to.contain('hunter2')
  })

  it('shows no password of an address that it makes wrong', async () => {
    const { all } = await findings({
      RUNTIME_SERVICE_URL: 'http://me:hunter2/x@host.test',
      LLM_BASE_URL: 'http://me:hunter2/x@host.test/v1',
    })
    expect(results(all)).to.include({ configuration: 'fault', runtime: 'fault' })
    expect(JSON.stringify(all)).not.to.contain('hunter2')
  })

  it('finds a good installation good', async () => {
    const { code, all } = await findings()
    expect(code).to.equal(0)
    expect(results(all)).to.deep.equal({
      configuration: 'ok',
      "operators' flags": 'ok',
      override: 'ok',
      runtime: 'ok',
      'clock of the runtime': 'ok',
      'LLM default': 'ok',
      database: 'ok',
      service: 'ok',
      ready: 'ok',
      'clock of the service': 'ok',
      token: 'ok',
      'flags in force': 'ok',
      fallback: 'ok',
      'runtime, as the service sees it': 'ok',
    })
    expect(upstream.keys).to.deep.equal(['Bearer sk-secret'])
  })

  it('names every fault of the environment, and no secret', async () => {
    const env = { ...(await here()), PORT: 'x', JWT_SECRET: 'short', LLM_BASE_URL: '' }
    const { code, out } = await runCli(['doctor'], { env })
    expect(code).to.equal(1)
    expect(out).to.match(/FAULT +configuration +The environment has 3 faults:\n/)
    expect(out).to.contain('PORT=x').and.to.contain('LLM_BASE_URL is not set').and.to.contain('.env.example')
    expect(out).not.to.contain('short').and.not.to.contain('sk-secret')
    const zh = await runCli(['doctor', '--lang', 'zh-CN'], { env: { ...env, LC_ALL: 'en_US.UTF-8' } })
    expect(zh.out)
      .to.contain('环境变量有 3 处错误：\n')
      .and.to.contain('PORT=x 必须是 0 到 65535 的整数')
      .and.to.contain('LLM_BASE_URL 未设置')
  })

  it('warns of a variable whose name has a slip', async () => {
    const { code, all } = await findings({ CHAT_DRAIN_MSS: '5' })
    expect(code).to.equal(0)
    expect(of(all, 'configuration')).to.include({ result: 'warning' })
    expect(of(all, 'configuration')?.text).to.contain('CHAT_DRAIN_MSS (did you mean CHAT_DRAIN_MS?)')
  })

  it('names what is wrong around the service, and what to do', async () => {
    Object.assign(upstream, { runtime: 'degraded', llm: 401, aheadMs: 60_000 })
    edge.fallback.now = { ...QUIET, alerts: [{ kind: 'both_sick' }], probe: { healthy: false, failures: 7 } }
    writeFileSync(directory.path('chat.flagd.json'), '{')
    writeFileSync(directory.path('chat.db'), 'something else altogether')
    const { code, all } = await findings({
      CHAT_DATABASE: directory.path('chat.db'),
      FLAGD_RESOLVER: 'rpc',
      FLAGD_HOST: '127.0.0.1',
      FLAGD_PORT: '9',
    })
    expect(code).to.equal(1)
    expect(of(all, 'runtime')).to.include({ result: 'fault' })
    expect(of(all, 'runtime')?.text).to.contain('degraded')
    expect(of(all, 'runtime')?.advice).to.contain('RUNTIME_SERVICE_URL')
    expect(of(all, 'clock of the runtime')).to.include({ result: 'warning' })
    expect(of(all, 'clock of the runtime')?.text).to.match(/^(59|60)\.\d s ahead of ours$/)
    expect(of(all, 'LLM default')).to.include({ result: 'fault' })
    expect(of(all, 'LLM default')?.advice).to.contain('key')
    expect(of(all, "operators' flags")).to.include({ result: 'fault' })
    expect(of(all, "operators' flags")?.text).to.match(/chat\.flagd\.json:1:\d+: /)
    expect(of(all, 'flagd')?.text).to.equal('127.0.0.1:9: ECONNREFUSED')
    expect(of(all, 'database')?.text).to.contain('is no SQLite file')
    expect(of(all, 'alert')).to.include({ result: 'warning' })
    expect(of(all, 'runtime, as the service sees it')?.text).to.equal('7 failed probes in a row')
  })

  it('asks every endpoint of the direct LLM, and tells warnings from faults', async () => {
    upstream.llm = 404
    edge.state = 'draining'
    const file = directory.path('llm.json')
    const endpoints = [upstreamUrl, 'http://127.0.0.1:9'].map((baseUrl, at) => ({
      name: `e${at}`,
      baseUrl,
      model: 'm',
    }))
    writeFileSync(file, JSON.stringify(endpoints))
    const { code, all } = await findings({
      LLM_BASE_URL: undefined,
      LLM_API_KEY: undefined,
      CHAT_LLM_FILE: file,
      CHAT_DATABASE: ':memory:',
      CHAT_FALLBACK_FLAGS_FILE: directory.path('none', 'x.json'),
    })
    expect(code).to.equal(1)
    expect(results(all)).to.include({
      'LLM e0': 'warning',
      'LLM e1': 'fault',
      database: 'warning',
      override: 'fault',
      ready: 'fault',
    })
    expect(of(all, 'ready')?.text).to.equal(
      '503 draining: The service is restarting. Try again in a moment; flags: ready (file), faults: 0',
    )
    expect(of(all, 'override')?.advice).to.contain('Correct CHAT_FALLBACK_FLAGS_FILE')
    expect(of(all, 'LLM e0')?.advice).to.contain('base URL')
  })

  it('warns where the server refuses the list of models: LiteLLM says so to a wrong key', async () => {
    upstream.llm = 400
    upstream.models =
      '{"error":{"message":"No connected db.","type":"no_db_connection","param":null,"code":"400"}}'
    const { code, all } = await findings()
    expect(code).to.equal(0)
    expect(of(all, 'LLM default')).to.include({ result: 'warning' })
    expect(of(all, 'LLM default')?.advice).to.contain('look at the key')
  })

  it('says that no key is sent, where that may be why a server refuses or fails', async () => {
    for (const [status, key, advice] of [
      [401, 'sk-secret', /^The key is refused/],
      [401, undefined, /none is sent: set LLM_API_KEY/],
      [500, 'sk-secret', /look at its own log$/],
      [500, undefined, /look at its own log\. No key is sent, which LiteLLM answers with 500/],
    ] as const) {
      upstream.llm = status
      const { code, all } = await findings({ LLM_API_KEY: key })
      expect(code).to.equal(1)
      expect(of(all, 'LLM default')).to.include({ result: 'fault' })
      expect(of(all, 'LLM default')?.advice).to.match(advice)
    }
  })

  it('takes a header of the operator’s own for the key where its name says so', async () => {
    upstream.llm = 401
    const file = directory.path('llm.json')
    const endpoints = ['x-auth-key', 'x-team'].map((name) => ({
      name,
      baseUrl: upstreamUrl,
      model: 'm',
      headers: { [name]: 'sk-secret' },
    }))
    writeFileSync(file, JSON.stringify(endpoints))
    const { all } = await findings({ LLM_BASE_URL: undefined, LLM_API_KEY: undefined, CHAT_LLM_FILE: file })
    expect(of(all, 'LLM x-auth-key')?.advice).to.match(/^The key is refused/)
    expect(of(all, 'LLM x-team')?.advice).to.contain('none is sent')
    expect(JSON.stringify(all)).to.not.contain('sk-secret')
  })

  it('warns where the server does not list the model', async () => {
    const ids = ['mock', 'tiny', 'a', 'b', 'c', 'd'].map((id) => ({ id, object: 'model' }))
    upstream.models = JSON.stringify({ object: 'list', data: ids })
    const { code, all } = await findings({ LLM_MODEL: 'minny' })
    expect(code).to.equal(0)
    expect(of(all, 'LLM default')).to.include({ result: 'warning' })
    expect(of(all, 'LLM default')?.text).to.match(
      /ms, but does not list the model minny; it lists mock, tiny, a, b, c, …$/,
    )
    expect(of((await findings({ LLM_MODEL: 'tiny' })).all, 'LLM default')).to.include({ result: 'ok' })
  })

  it('sends nobody after a file that flagd has elsewhere', async () => {
    const { all } = await findings({
      CHAT_FLAGS_FILE: directory.path('none.json'),
      FLAGD_RESOLVER: 'rpc',
      FLAGD_HOST: '127.0.0.1',
      FLAGD_PORT: '9',
    })
    const found = of(all, "operators' flags")
    expect(found).to.include({ result: 'skipped' }).and.not.to.have.property('advice')
    expect(found?.text).to.match(/ENOENT \(there is no such file\); flagd has its own$/)
  })

  it('looks into the flag store where the flags are in no file', async () => {
    const api = await startKubernetes()
    try {
      const flag = { state: 'ENABLED', variants: { on: 'on' }, defaultVariant: 'off' }
      api.edit(FEATURE_FLAGS, 'chat-cutover-flags', (object) => {
        object.spec = { flagSpec: { flags: { 'chat-execution-mode': flag } } }
      })
      const { all } = await findings({
        CHAT_FLAG_STORE: `kubernetes:chat?server=${api.url}`,
        CHAT_FLAG_STORE_OPS: 'true',
        CHAT_FLAGS_FILE: directory.path('none.json'),
        CHAT_FALLBACK_FLAGS_FILE: directory.path('none.json'),
      })
      expect(of(all, "operators' flags")).to.have.property('result', 'fault')
      expect(of(all, "operators' flags")?.text).to.match(
        /^kubernetes:chat\/featureflags\/chat-cutover-flags:\d+:\d+: /,
      )
      expect(of(all, 'override')).to.have.property('result', 'ok')
      expect(of(all, 'override')?.text).to.match(/not there yet; the service writes it$/)
      expect(api.requests.filter(({ method }) => method !== 'GET')).to.deep.equal([])
    } finally {
      await api.close()
    }
    const { all } = await findings({ CHAT_FLAG_STORE: 'postgres://chat:password@127.0.0.1:9/chat' })
    expect(of(all, 'override')?.text).to.match(/^cannot read .*nothing listens there/)
    expect(of(all, "operators' flags")).to.have.property('result', 'ok')
    expect(JSON.stringify(all)).to.not.include('password')
  })

  it('asks Redis, and tells no password', async function () {
    const wrong = of((await findings({ CHAT_REDIS_URL: 'redis://:password@127.0.0.1:9' })).all, 'Redis')
    expect(wrong).to.include({ result: 'fault' })
    expect(wrong?.text).to.match(/^127\.0\.0\.1:9: .*ECONNREFUSED/)
    expect(wrong?.advice).to.contain('CHAT_REDIS_URL')
    expect(JSON.stringify(wrong)).not.to.contain('password')
    const silent = createTcpServer((socket) => void socket.on('error', () => undefined))
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const late = of((await findings({ CHAT_REDIS_URL: `redis://127.0.0.1:${port}` })).all, 'Redis')
    silent.close()
    expect(late?.text).to.equal(`127.0.0.1:${port}: no answer within 3000 ms`)
    const redis = await startRedis(this)
    try {
      const good = of((await findings({ CHAT_REDIS_URL: redis.url })).all, 'Redis')
      expect(good).to.include({ result: 'ok' })
    } finally {
      await redis.stop()
    }
  })

  it('asks the server of the signing keys', async () => {
    const keys = async (url: string) =>
      of((await findings({ JWT_SECRET: undefined, JWKS_URL: url })).all, 'signing keys')
    expect(await keys('http://127.0.0.1:9/keys')).to.include({
      result: 'fault',
      text: 'http://127.0.0.1:9/keys: bad port (Node refuses to ask this port)',
    })
    expect((await keys(`${upstreamUrl}/keys`))?.text).to.equal(`${upstreamUrl}/keys: the answer has no keys`)
    upstream.llm = 404
    expect((await keys(`${upstreamUrl}/keys`))?.text).to.equal(`${upstreamUrl}/keys: status 404`)
    Object.assign(upstream, { llm: 200, models: '{"keys": [{"kty": "RSA"}]}' })
    expect(await keys(`${upstreamUrl}/keys?user=password`)).to.include({
      result: 'ok',
      text: `${upstreamUrl}/keys: 1 key`,
    })
  })

  it('tells what a pooler before PostgreSQL must be told', async () => {
    const text = 'unsupported startup parameter: statement_timeout'
    const fields = Buffer.from(`SFATAL\0C08P01\0M${text}\0\0`)
    const head = Buffer.from([0x45, 0, 0, 0, fields.length + 4])
    const pooler = createTcpServer((socket) => {
      socket.once('data', () => socket.end(Buffer.concat([head, fields])))
      socket.on('error', () => undefined)
    })
    pooler.listen(0, '127.0.0.1')
    await once(pooler, 'listening')
    try {
      const { port } = pooler.address() as AddressInfo
      const url = `postgres://chat:password@127.0.0.1:${port}/chat`
      const { all } = await findings({ CHAT_DATABASE: url, CHAT_FLAG_STORE: url })
      expect(of(all, 'database')).to.have.property('result', 'fault')
      expect(of(all, 'database')?.text).to.equal(`postgres://127.0.0.1:${port}/chat: ${text}`)
      expect(of(all, 'database')?.advice).to.match(/statement_timeout, .* ignore_startup_parameters/)
      expect(of(all, 'override')?.text).to.include('ignore_startup_parameters')
    } finally {
      pooler.close()
    }
  })

  it('loads the module of a provider where that has the flags, and looks at no file of them', async () => {
    const env = { CHAT_FLAGS_FILE: directory.path('none.json') }
    const module = directory.path('provider.mjs')
    writeFileSync(module, 'export const provider = 1')
    const wrong = of((await findings({ ...env, CHAT_PROVIDER_MODULE: module })).all, "operators' flags")
    expect(wrong).to.have.property('result', 'fault')
    expect(wrong?.text).to.include('exports no OpenFeature provider')
    const good = './test/support/launchdarkly-provider.mjs'
    const found = of((await findings({ ...env, CHAT_PROVIDER_MODULE: good })).all, "operators' flags")
    expect(found).to.deep.include({
      result: 'ok',
      text: `${good}: exports a function for the provider, which is not called here`,
    })
    const missing = of((await findings({ ...env, CHAT_PROVIDER_MODULE: './no.mjs' })).all, "operators' flags")
    expect(missing?.text).to.equal('there is no module ./no.mjs')
  })

  it('looks at the running service alone where nothing of it is set here', async () => {
    const env = { CHAT_URL: edge.url }
    const { code, out, err } = await runCli(['doctor'], { env })
    expect([code, err]).to.deep.equal([0, ''])
    expect(out).to.match(/^skipped +this machine .*\nok +service /)
    expect(out).to.match(/skipped +token +CHAT_TOKEN is not set/)
    const member = await runCli(['doctor'], {
      env: { ...env, CHAT_TOKEN: await edgeToken({ role: 'member' }) },
    })
    expect(member.out).to.match(
      /\nFAULT +token +The service refused \(403 .*\n +→ The token came from CHAT_TOKEN, and its role .*\n\n1 fault, 0 warnings\n$/,
    )
    const gone = await runCli(['doctor', '--lang', 'zh-CN'], { env: { CHAT_URL: 'http://127.0.0.1:9' } })
    expect(gone.code).to.equal(1)
    expect(gone.out)
      .to.match(/错误 +服务 +http:\/\/127\.0\.0\.1:9: /)
      .and.to.contain('→ 请启动服务')
  })
})
