import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { environmentSchema } from '../src/config/environment.js'
import { ConfigError, loadConfig } from '../src/config.js'
import { SECRET_VARIABLES } from '../src/core/files/secret-files.js'
import { temporaryDirectory } from './support/temporary-directory.js'

const SECRET = 's'.repeat(32)
const least = { LLM_BASE_URL: 'http://llm.test/v1/', JWT_SECRET: SECRET }

function faultsOf(env: Record<string, string | undefined>): readonly string[] {
  try {
    loadConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) {
      const [head, ...told] = error.textIn('zh-CN').split('\n  - ')
      expect(head).to.equal(`环境变量有 ${error.faults.length} 处错误：`)
      expect(told).to.have.length(error.faults.length)
      for (const line of told) expect(line.replace(/\n全部变量见.*$/, '')).to.match(/[\u4e00-\u9fff]/)
      return error.faults
    }
    throw error
  }
  return []
}

describe('loadConfig', () => {
  const directory = temporaryDirectory()

  it('finds the module of a provider, and lets nothing else have the operators\u2019 flags then', () => {
    const module = './test/support/launchdarkly-provider.mjs'
    expect(loadConfig({ ...least, CHAT_PROVIDER_MODULE: module }).flags.providerModule).to.deep.equal({
      name: module,
      url: pathToFileURL(module).href,
    })
    expect(faultsOf({ ...least, CHAT_PROVIDER_MODULE: './nowhere.mjs' }).join()).to.match(
      /^CHAT_PROVIDER_MODULE=\.\/nowhere\.mjs was not found: /,
    )
    const others = { FLAGD_RESOLVER: 'rpc', CHAT_FLAG_SOURCE_PORT: '9090' }
    expect(faultsOf({ ...least, CHAT_PROVIDER_MODULE: module, ...others })).to.have.length(2)
    const store = { CHAT_FLAG_STORE: 'postgres://u:p@db/flags', CHAT_FLAG_STORE_OPS: 'true' }
    expect(faultsOf({ ...least, CHAT_PROVIDER_MODULE: module, ...store }).join()).to.match(
      /^CHAT_FLAG_STORE_OPS=true cannot be set together with CHAT_PROVIDER_MODULE/,
    )
  })

  it('has a default for everything but the LLM and the keys', () => {
    const config = loadConfig(least)
    expect(config).to.deep.include({ port: 3001, host: '127.0.0.1', logLevel: 'info', drainMs: 30_000 })
    expect(config.flags).to.deep.equal({
      resolver: 'file',
      opsFile: 'flags/chat.flagd.json',
      overrideFile: 'flags/auto-fallback.flagd.json',
      flagd: { host: 'localhost', port: 8015, tls: false },
    })
    expect(config.codeDefaults).to.deep.equal({
      mode: 'direct_llm',
      enabledOrgs: [],
      shadowPercent: 0,
      totalMs: 300_000,
      errorRate: 0.5,
    })
    expect(config.replica).to.match(/-\d+$/)
  })

  it('takes the flag store from one variable, and says nothing of one by default', () => {
    const url = 'postgres://chat:password@db.test/flags'
    const { flags } = loadConfig({ ...least, CHAT_FLAG_STORE: url, CHAT_FLAG_STORE_OPS: 'true' })
    expect(flags).to.deep.include({ store: { kind: 'postgres', url }, opsInStore: true })
    expect(loadConfig({ ...least, CHAT_FLAG_STORE: 'file:' }).flags).to.not.have.any.keys(
      'store',
      'opsInStore',
    )
    expect(faultsOf({ ...least, CHAT_FLAG_STORE_OPS: 'true' }).join()).to.match(
      /^CHAT_FLAG_STORE_OPS=true needs a CHAT_FLAG_STORE of /,
    )
    const [fault = ''] = faultsOf({ ...least, CHAT_FLAG_STORE: 'postgres://chat:password@/' })
    expect(fault).to.match(/^CHAT_FLAG_STORE must be a URL with a database/)
    expect(fault).to.not.include('password')
  })

  it('takes no URL of another kind for the path of the database, and does not say its password', () => {
    for (const url of ['mysql://chat:password@db/chat', 'postgress://chat:password@db/chat']) {
      const [fault = ''] = faultsOf({ ...least, CHAT_DATABASE: url })
      expect(fault).to.match(/^CHAT_DATABASE must be the path of a file/)
      expect(fault).to.not.include(':password@db/chat')
    }
    for (const database of ['data/chat.db', ':memory:', 'file:data/chat.db', 'postgres://db/chat'])
      expect(faultsOf({ ...least, CHAT_DATABASE: database }), database).to.deep.equal([])
  })

  it('keeps no content of shadows unless it is told to', () => {
    expect(loadConfig(least).shadow).to.deep.equal({
      aaPercent: 10,
      maxConcurrent: 32,
      requireFence: false,
      keepContent: false,
      contentDays: 7,
    })
    const told = { ...least, CHAT_SHADOW_KEEP_CONTENT: 'true', CHAT_SHADOW_CONTENT_DAYS: '1' }
    expect(loadConfig(told).shadow).to.include({ keepContent: true, contentDays: 1 })
    expect(loadConfig({ ...least, CHAT_SHADOW_REQUIRE_FENCE: 'true' }).shadow.requireFence).to.equal(true)
    expect(faultsOf({ ...least, CHAT_SHADOW_AA_PERCENT: '101' })).to.deep.equal([
      'CHAT_SHADOW_AA_PERCENT=101 must be a whole number from 0 to 100',
    ])
  })

  it('reads where Redis is, and never shows it', () => {
    expect(loadConfig(least).redis).to.equal(undefined)
    expect(loadConfig({ ...least, CHAT_REDIS_URL: 'redis://cache:6380/1' }).redis).to.deep.include({
      kind: 'single',
      nodes: [{ host: 'cache', port: 6380 }],
      database: 1,
    })
    const [fault = ''] = faultsOf({ ...least, CHAT_REDIS_URL: 'http://:secret@cache' })
    expect(fault).to.match(/^CHAT_REDIS_URL must be redis:/)
    expect(fault).not.to.include('secret')
  })

  it('drops trailing slashes, so that paths can be appended', () => {
    const config = loadConfig({ ...least, RUNTIME_SERVICE_URL: 'http://runtime.test//' })
    expect(config.llm[0].baseUrl).to.equal('http://llm.test/v1')
    expect(config.runtime.url).to.equal('http://runtime.test')
  })

  it('asks flagd at the port of the resolver, unless told otherwise', () => {
    expect(loadConfig({ ...least, FLAGD_RESOLVER: 'rpc' }).flags.flagd.port).to.equal(8013)
    expect(loadConfig({ ...least, FLAGD_RESOLVER: 'in-process' }).flags.flagd.port).to.equal(8015)
    expect(loadConfig({ ...least, FLAGD_RESOLVER: 'rpc', FLAGD_PORT: '9' }).flags.flagd.port).to.equal(9)
  })

  it('reads a list of orgs with spaces and empty items', () => {
    const config = loadConfig({ ...least, CHAT_RUNTIME_ENABLED_ORGS: ' a, b,,c ' })
    expect(config.codeDefaults.enabledOrgs).to.deep.equal(['a', 'b', 'c'])
  })

  it('takes origins exactly as browsers send them', () => {
    const of = (value: string) => ({ ...least, CHAT_CORS_ORIGINS: value })
    expect(loadConfig(least).corsOrigins).to.deep.equal([])
    const two = ['http://localhost:3000', 'https://chat.example']
    expect(loadConfig(of(two.join(', '))).corsOrigins).to.deep.equal(two)
    for (const wrong of [
      '*',
      'null',
      'localhost:3000',
      'https://chat.example/',
      'https://a.example:443',
      'ftp://a',
    ])
      expect(faultsOf(of(wrong))[0], wrong).to.match(/^CHAT_CORS_ORIGINS=.* must be a comma-separated list/)
  })

  it('takes origins of files beside that of the runtime', () => {
    const of = (value: string) => ({ ...least, CHAT_FILE_ORIGINS: value })
    expect(loadConfig(least).runtime.fileOrigins).to.deep.equal([])
    expect(loadConfig(of('https://cdn.example')).runtime.fileOrigins).to.deep.equal(['https://cdn.example'])
    expect(faultsOf(of('https://cdn.example/files'))[0]).to.match(/^CHAT_FILE_ORIGINS=/)
  })

  it('takes models of the OpenAI-compatible front with the agents behind them', () => {
    const of = (value: string) => ({ ...least, CHAT_OPENAI_MODELS: value })
    expect(loadConfig({ ...least, LLM_MODEL: 'm' }).openai.models).to.deep.equal([{ id: 'm', agentId: 'm' }])
    expect(loadConfig(of('gpt-4o = assistant, support')).openai.models).to.deep.equal([
      { id: 'gpt-4o', agentId: 'assistant' },
      { id: 'support', agentId: 'support' },
    ])
    for (const wrong of ['a=', '=b', 'a=b=c', 'a,a=b', 'x'.repeat(201)])
      expect(faultsOf(of(wrong))[0], wrong).to.match(/^CHAT_OPENAI_MODELS=.* must (be a|not name)/)
  })

  it('takes an empty variable as not set', () => {
    expect(loadConfig({ ...least, PORT: '', JWKS_URL: ' ' }).port).to.equal(3001)
  })

  it('reports every fault at once', () => {
    const faults = faultsOf({
      PORT: 'eighty',
      LOG_LEVEL: 'loud',
      CHAT_EXECUTION_MODE: 'runtime',
      CHAT_RUNTIME_ERROR_RATE_THRESHOLD: '1.5',
      RUNTIME_SERVICE_URL: 'ftp://runtime',
    })
    expect(faults).to.deep.equal([
      'PORT=eighty must be a whole number from 0 to 65535',
      'LOG_LEVEL=loud must be one of trace, debug, info, warn, error, silent',
      'CHAT_EXECUTION_MODE=runtime must be one of direct_llm, runtime_orchestrator',
      'CHAT_RUNTIME_ERROR_RATE_THRESHOLD=1.5 must be a number from 0 to 1',
      'RUNTIME_SERVICE_URL=ftp://runtime must be an http or https URL',
      'LLM_BASE_URL is not set',
      'JWT_SECRET or JWKS_URL must be set, to verify tokens',
    ])
  })

  it('reports faults of several variables together beside those of one alone', () => {
    const faults = faultsOf({
      ...least,
      PORT: 'abc',
      CHAT_DATABASE: 'mysql://db',
      CHAT_PROVIDER_MODULE: './nowhere.mjs',
    })
    expect(faults).to.have.length(3)
    for (const name of ['PORT', 'CHAT_DATABASE', 'CHAT_PROVIDER_MODULE'])
      expect(faults.filter((fault) => fault.startsWith(name))).to.have.length(1)
  })

  it('refuses a weak secret without printing it', () => {
    const [fault] = faultsOf({ ...least, JWT_SECRET: 'hunter2' })
    expect(fault).to.match(/^JWT_SECRET must be at least 32 bytes/)
    expect(fault).not.to.contain('hunter2')
  })

  it('prints no credentials of an address', () => {
    const [fault] = faultsOf({ ...least, RUNTIME_SERVICE_URL: 'ftp://me:hunter2@runtime.test' })
    expect(fault).to.equal('RUNTIME_SERVICE_URL=ftp://…@runtime.test must be an http or https URL')
  })

  const secrets: readonly [value: string, shown: string][] = [
    ['https://me:hun/ter2@runtime.test', '=https://…@runtime.test'],
    ['https://me:hun?ter2#@runtime.test', '=https://…@runtime.test'],
    ['me:hunter2@runtime.test:8000', '=…@runtime.test:8000'],
    ['ftp://runtime.test/?key=hunter2', '=ftp://runtime.test/?…'],
    ['sk-hunter2', ''],
    ['key:hunter2/x', ''],
    ['{"k":"hunter2"}', ''],
  ]
  for (const [value, shown] of secrets)
    it(`prints no secret of a value that is no address: ${value}`, () => {
      const form = 'must be an http or https URL'
      expect(faultsOf({ ...least, RUNTIME_SERVICE_URL: value })).to.deep.equal([
        `RUNTIME_SERVICE_URL${shown} ${form}`,
      ])
    })

  it('drops the line break behind a key from a file, and refuses one no request could carry', () => {
    expect(loadConfig({ ...least, LLM_API_KEY: ' sk-1\n' }).llm[0].auth).to.deep.equal({
      kind: 'bearer',
      key: 'sk-1',
    })
    const [fault] = faultsOf({ ...least, LLM_API_KEY: 'sk-1\nsk-2' })
    expect(fault).to.match(/^LLM_API_KEY must be of visible ASCII/)
    expect(fault).not.to.contain('sk-')
  })

  it('tells nobody of transitions unless there is a URL', () => {
    expect(
      loadConfig({ ...least, CHAT_NOTIFY_FORMAT: 'slack', CHAT_NOTIFY_SECRET: 's' }),
    ).to.not.have.property('notify')
    const url = 'https://hooks.test/services/T/B/x'
    expect(loadConfig({ ...least, CHAT_NOTIFY_URL: url }).notify).to.deep.equal({ url, format: 'json' })
    const env = { ...least, CHAT_NOTIFY_URL: url, CHAT_NOTIFY_FORMAT: 'feishu', CHAT_NOTIFY_SECRET: ' s\n' }
    expect(loadConfig(env).notify).to.deep.equal({ url, format: 'feishu', secret: 's' })
  })

  it('prints neither the address of a webhook nor its secret', () => {
    const faults = faultsOf({
      ...least,
      CHAT_NOTIFY_URL: 'hooks.test/services/hunter2',
      CHAT_NOTIFY_FORMAT: 'teams',
      CHAT_NOTIFY_SECRET: 'hunter2',
    })
    expect(faults).to.deep.equal([
      'CHAT_NOTIFY_URL must be an http or https URL',
      'CHAT_NOTIFY_FORMAT=teams must be one of json, slack, feishu',
    ])
  })

  it('takes an issuer for the console with its client, by https or on this machine', () => {
    expect(loadConfig(least)).to.not.have.property('consoleOidc')
    const env = { ...least, CHAT_CONSOLE_OIDC_CLIENT_ID: 'console' }
    const issuer = 'https://issuer.test/tenant'
    expect(loadConfig({ ...env, CHAT_CONSOLE_OIDC_ISSUER: issuer }).consoleOidc).to.deep.equal({
      issuer,
      clientId: 'console',
      scope: 'openid',
    })
    expect(faultsOf({ ...env, CHAT_CONSOLE_OIDC_ISSUER: 'http://localhost:9000' })).to.deep.equal([])
    for (const wrong of [
      'http://issuer.test',
      'http://localhost.issuer.test',
      'http://127.0.0.1@issuer.test',
    ])
      expect(faultsOf({ ...env, CHAT_CONSOLE_OIDC_ISSUER: wrong }), wrong).to.have.length(1)
    expect(faultsOf(env)).to.have.length(1)
    expect(faultsOf({ ...least, CHAT_CONSOLE_OIDC_SCOPE: 'profile' })).to.have.length(1)
  })

  it('takes a resource for the console, an absolute address without a fragment', () => {
    const env = {
      ...least,
      CHAT_CONSOLE_OIDC_ISSUER: 'https://issuer.test',
      CHAT_CONSOLE_OIDC_CLIENT_ID: 'console',
    }
    for (const resource of ['https://chat.example/api', 'urn:chat-cutover', 'api://chat'])
      expect(loadConfig({ ...env, CHAT_CONSOLE_OIDC_RESOURCE: resource }).consoleOidc).to.include({
        resource,
      })
    for (const wrong of ['chat', '/api', 'https://chat.example/api#part'])
      expect(faultsOf({ ...env, CHAT_CONSOLE_OIDC_RESOURCE: wrong }), wrong).to.have.length(1)
  })

  it('counts the bytes of a secret, not its characters', () => {
    expect(faultsOf({ ...least, JWT_SECRET: '密'.repeat(11) })).to.deep.equal([])
    expect(faultsOf({ ...least, JWT_SECRET: '密'.repeat(10) })).to.have.length(1)
  })

  it('refuses two ways of verifying tokens', () => {
    expect(faultsOf({ ...least, JWKS_URL: 'https://issuer.test/jwks' })).to.have.length(1)
  })

  it('takes secrets from files, and tells what is wrong with one without its path or content', () => {
    const file = directory.path('secret')
    const env = { LLM_BASE_URL: least.LLM_BASE_URL, JWT_SECRET_FILE: file, LLM_API_KEY_FILE: file }
    writeFileSync(file, `${SECRET}\n`)
    const { auth, llm } = loadConfig(env)
    expect(auth.keys).to.deep.equal({ kind: 'secret', secret: SECRET })
    expect(llm[0].auth).to.deep.equal({ kind: 'bearer', key: SECRET })
    expect(faultsOf({ ...env, JWT_SECRET: SECRET })).to.have.length(1)
    expect(faultsOf({ ...env, JWKS_URL: 'https://issuer.test/jwks' })).to.have.length(1)
    writeFileSync(file, 'too short')
    expect(faultsOf(env)).to.have.length(2)
    expect(faultsOf(env)[0]).to.match(/^The content of LLM_API_KEY_FILE must be of visible ASCII/)
    expect(faultsOf(env)[1]).to.match(/^The content of JWT_SECRET_FILE must be at least 32 bytes/)
    expect(faultsOf(env).join()).not.to.contain('too short')
    // The secret in place of the path, by mistake.
    const mistaken = faultsOf({ ...env, JWT_SECRET_FILE: SECRET })
    expect(mistaken).to.include('JWT_SECRET_FILE names a file that cannot be used: ENOENT')
    expect(mistaken.join()).not.to.contain(SECRET)
  })

  it('reads no variable that .env.example does not list, and lists none that is not read', () => {
    const listed = new Set(
      readFileSync('.env.example', 'utf8')
        .split('\n')
        // OpenTelemetry's are read by core/tracing/tracing-settings.ts.
        .filter((line) => /^(?!OTEL_)[A-Z_]+=/.test(line))
        .map((line) => line.slice(0, line.indexOf('='))),
    )
    const read = new Set([
      ...Object.keys(environmentSchema.shape),
      ...SECRET_VARIABLES.map((name) => `${name}_FILE`),
    ])
    expect([...read].sort()).to.deep.equal([...listed].sort())
  })
})
