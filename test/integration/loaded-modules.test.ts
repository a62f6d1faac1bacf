import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { freePort } from '../support/free-port.js'
import { startProcess, TEST_SECRET } from '../support/processes.js'
import { rejection } from '../support/rejection.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const LOADER = pathToFileURL(resolve('test/support/told-modules.mjs')).href

/** Clients of engines, and what serves flagd or exports spans: most of the time of a start would be theirs. */
const ENGINES = [
  'node_modules/pg/',
  'node_modules/@redis/client/',
  'node_modules/@grpc/grpc-js/',
  'node_modules/@grpc/proto-loader/',
  'node_modules/@openfeature/flagd-provider/',
  'node_modules/@opentelemetry/sdk-trace-base/',
  'node_modules/@opentelemetry/exporter-trace-otlp-proto/',
  'dist/store/kubernetes/',
  'dist/store/postgres/',
]

describe('the modules that a process loads', function () {
  // Several starts of a process, on a machine with other work.
  this.timeout(30_000)
  const directory = temporaryDirectory()

  function told(more: Record<string, string> = {}) {
    const file = directory.path('modules')
    writeFileSync(file, '')
    return {
      env: { TOLD_MODULES: file, ...more },
      among: (parts: readonly string[]): string[] => {
        const modules = readFileSync(file, 'utf8')
        return parts.filter((part) => modules.includes(`/${part}`))
      },
    }
  }

  const start = (env: Record<string, string>) =>
    startProcess(
      ['--import', LOADER, resolve('dist/main.js')],
      {
        PORT: '0',
        JWT_SECRET: TEST_SECRET,
        LLM_BASE_URL: 'http://127.0.0.1:9',
        CHAT_LAMEDUCK_MS: '0',
        CHAT_READY_WAIT_MS: '0',
        ...env,
      },
      directory.path('.'),
    )

  it('of a service with the default configuration: of no engine', async () => {
    const { env, among } = told()
    const service = await start(env)
    expect(await service.end()).to.equal(0)
    expect(among(['dist/service.js', 'node_modules/koa/'])).to.have.length(2)
    expect(among(ENGINES)).to.deep.equal([])
  })

  it('of one that uses engines: theirs', async () => {
    const { env, among } = told({
      CHAT_REDIS_URL: 'redis://127.0.0.1:9',
      CHAT_FLAG_STORE: 'postgres://chat@127.0.0.1:9/chat',
      FLAGD_RESOLVER: 'rpc',
      FLAGD_PORT: '9',
      CHAT_FLAG_SOURCE_PORT: String(await freePort()),
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    })
    const service = await start(env)
    await service.end()
    expect(among(ENGINES)).to.deep.equal(ENGINES.filter((part) => part !== 'dist/store/kubernetes/'))
  })

  const configured: Record<string, Record<string, string>> = {
    pg: { CHAT_DATABASE: 'postgres://chat@127.0.0.1:9/chat' },
    '@redis/client': { CHAT_REDIS_URL: 'redis://127.0.0.1:9' },
    '@grpc/grpc-js': { CHAT_FLAG_SOURCE_PORT: '9' },
    '@openfeature/flagd-provider': { FLAGD_RESOLVER: 'in-process' },
  }
  for (const [name, env] of Object.entries(configured))
    it(`a start that needs ${name} names it where it is missing, and ends with 1`, async () => {
      const { message } = await rejection(start(told({ MISSING_PACKAGE: name, ...env }).env))
      expect(message)
        .to.match(/ended with 1: Cannot find package/)
        .and.to.contain(name)
    })

  function command(...words: string[]) {
    const { env, among } = told()
    const args = ['--import', LOADER, resolve('dist/cli/main.js'), ...words]
    const { status } = spawnSync(process.execPath, args, { env: { PATH: process.env.PATH, ...env } })
    return { status, among }
  }

  it('of the help of the command line: of no package', () => {
    const { status, among } = command('--help')
    expect(status).to.equal(0)
    expect(among(['dist/cli/overview.js'])).to.have.length(1)
    expect(among(['node_modules/', 'dist/protocol/', 'dist/cli/show/'])).to.deep.equal([])
  })

  it('of a command: not those of other commands', () => {
    const { status, among } = command('status', '--help')
    expect(status).to.equal(0)
    expect(among(['dist/cli/show/status.js', 'node_modules/commander/'])).to.have.length(2)
    const others = [
      'node_modules/got/',
      'node_modules/jose/',
      'node_modules/libsql/',
      'node_modules/jsonc-parser/',
    ]
    expect(among([...ENGINES, ...others, 'node_modules/@openfeature/', 'dist/cli/doctor/'])).to.deep.equal([])
  })
})
