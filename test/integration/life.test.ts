import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { sessionSchema } from '../../src/protocol/api.js'
import { metricsSchema } from '../../src/protocol/fallback.js'
import { nextTurn, postTurn, startTurn } from '../support/chat-client.js'
import { oneFile } from '../support/one-file.js'
import {
  bearer,
  type RunningProcess,
  startProcess,
  startServiceProcess,
  startSimulator,
  TEST_SECRET,
  temporaryFlags,
} from '../support/processes.js'
import { rejection } from '../support/rejection.js'

/** Start and stop of the process, and what a restart keeps. */
describe('the life of the process', function () {
  this.timeout(30_000)
  const flags = temporaryFlags()
  let llm: RunningProcess
  let member: string
  const running: RunningProcess[] = []

  const start = async (env: Record<string, string> = {}): Promise<RunningProcess> => {
    const service = await startServiceProcess({
      llmUrl: llm.url,
      runtimeUrl: 'http://127.0.0.1:1',
      flags,
      env,
    })
    running.push(service)
    return service
  }

  const setLlm = (faults: object): Promise<Response> =>
    fetch(`${llm.url}/_faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(faults),
    })

  before(async () => {
    llm = await startSimulator('llm')
    member = await bearer()
  })

  afterEach(async () => {
    await setLlm({})
    await Promise.all(running.splice(0).map((service) => service.end('SIGKILL')))
  })

  after(async () => {
    await llm.end()
    flags.remove()
  })

  it('tells of variables without effect, by their names alone', async () => {
    const service = await start({
      CHAT_SHADOW_PERCENT: '12345',
      CHAT_MAX_STREAM: '6789',
      CHAT_MAX_STREAMS: '',
    })
    const told = service.log.filter(({ msg }) => String(msg).startsWith('variables without effect'))
    expect(told.map(({ level, msg }) => `${level} ${msg}`)).to.deep.equal([
      'warn variables without effect: CHAT_MAX_STREAM (did you mean CHAT_MAX_STREAMS?), CHAT_SHADOW_PERCENT (did you mean CHAT_RUNTIME_SHADOW_PERCENT or CHAT_SHADOW_AA_PERCENT?); .env.example lists those the service knows',
    ])
    const { stderr } = spawnSync(process.execPath, [await oneFile('dist/main.js')], {
      env: { PATH: process.env.PATH, JWT_SECERT: TEST_SECRET, LLM_BASE_URL: llm.url },
      encoding: 'utf8',
    })
    expect(stderr).to.include('JWT_SECERT (did you mean JWT_SECRET?)').and.not.to.include(TEST_SECRET)
  })

  it('stops a wrong environment with one message and exit code 2', async () => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [await oneFile('dist/main.js')], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, PORT: 'x', JWT_SECRET: 'short' },
    })
    expect(status).to.equal(2)
    expect(stderr)
      .to.contain('PORT=x')
      .and.to.contain('LLM_BASE_URL is not set')
      .and.to.contain('JWT_SECRET must be')
    expect(`${stdout}${stderr}`).not.to.match(/\n {4}at /)
    const zh = spawnSync(process.execPath, [await oneFile('dist/main.js')], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, PORT: 'x', JWT_SECERT: TEST_SECRET, LANG: 'zh_CN.UTF-8' },
    })
    expect([zh.status, zh.stdout]).to.deep.equal([2, ''])
    expect(zh.stderr)
      .to.contain('环境变量有 3 处错误：')
      .and.to.contain('PORT=x 必须是 0 到 65535 的整数')
      .and.to.contain('JWT_SECERT（是否应为 JWT_SECRET？）')
  })

  it('says which port is taken', async () => {
    const service = await start()
    const port = new URL(service.url).port
    const { status, stderr } = spawnSync(process.execPath, [await oneFile('dist/main.js')], {
      encoding: 'utf8',
      env: {
        PATH: process.env.PATH,
        PORT: port,
        JWT_SECRET: TEST_SECRET,
        LLM_BASE_URL: 'http://127.0.0.1:1/v1',
        CHAT_DATABASE: ':memory:',
      },
    })
    expect(status).to.equal(1)
    expect(stderr).to.contain(`PORT=${port}`).and.to.contain('is taken')
  })

  it('reads .env from the working directory; the environment wins', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'chat-cutover-env-'))
    const lines = {
      PORT: '1',
      JWT_SECRET: TEST_SECRET,
      LLM_BASE_URL: `${llm.url}/v1`,
      CHAT_DATABASE: ':memory:',
      CHAT_FLAGS_FILE: flags.opsFile,
      CHAT_FALLBACK_FLAGS_FILE: flags.overrideFile,
      CHAT_LAMEDUCK_MS: '0',
    }
    writeFileSync(
      join(folder, '.env'),
      Object.entries(lines)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    )
    const service = await startProcess([await oneFile('dist/main.js')], { PORT: '0' }, folder)
    running.push(service)
    expect((await startTurn(service.url, member)).terminal?.event).to.equal('done')
    rmSync(folder, { recursive: true, force: true })
  })

  it('drains: not ready and no new turns at once, the running one ends well, exit code 0', async () => {
    const service = await start()
    await setLlm({ gapMs: 150 })
    const turn = await postTurn(service.url, member, 'start', { agentId: 'assistant', message: 'Hello' })
    const ending = service.end('SIGTERM')
    const ready = await untilStatus(`${service.url}/health/ready`, 503)
    expect(ready).to.equal(503)
    const refused = await postTurn(service.url, member, 'start', { agentId: 'assistant', message: 'Hello' })
    expect(refused.status).to.equal(503)
    expect(refused.headers.get('retry-after')).to.match(/^\d+$/)
    expect(await turn.text()).to.contain('event: done')
    expect(await ending).to.equal(0)
  })

  it('is not ready at once, and takes new turns as before until whoever sends them has noticed', async () => {
    const service = await start({ CHAT_LAMEDUCK_MS: '1500' })
    const ending = service.end('SIGTERM')
    expect(await untilStatus(`${service.url}/health/ready`, 503)).to.equal(503)
    expect((await startTurn(service.url, member)).terminal?.event).to.equal('done')
    expect((await fetch(`${service.url}/health/ready`)).status).to.equal(503)
    expect(await ending).to.equal(0)
    expect((await rejection(fetch(`${service.url}/health/live`))).message).to.equal('fetch failed')
  })

  it('ends what outlives the drain with the error shutting_down, exit code 0', async () => {
    const service = await start({ CHAT_DRAIN_MS: '200' })
    await setLlm({ endless: true, gapMs: 20 })
    const turn = await postTurn(service.url, member, 'start', { agentId: 'assistant', message: 'Hello' })
    const ending = service.end('SIGTERM')
    const body = await turn.text()
    expect(body).to.contain('event: error').and.to.contain('"code":"shutting_down"')
    expect(await ending).to.equal(0)
  })

  it('loses no answered conversation to kill -9', async () => {
    const first = await start()
    const turn = await startTurn(first.url, member, 'Remember this')
    await first.end('SIGKILL')
    const second = await start()
    const response = await fetch(`${second.url}/api/v1/chat/sessions/${turn.sessionId}`, {
      headers: { authorization: member },
    })
    const data = sessionSchema.parse(JSON.parse(await response.text()).data)
    expect(data.messages[0]?.content).to.equal('Remember this')
    expect(data.messages[1]).to.include({ content: turn.text, status: 'answered' })
    expect((await nextTurn(second.url, member, turn.sessionId)).terminal?.event).to.equal('done')
  })

  it("goes by the last good operators' flags where a restart finds the file broken, and is ready only then", async () => {
    flags.edit((document) => {
      const mode = document.flags['chat-execution-mode']
      if (mode !== undefined) mode.defaultVariant = 'runtime_orchestrator'
    })
    const good = flags.read()
    try {
      const first = await start()
      const decided = async (url: string) => {
        const data: object = (await startTurn(url, member)).terminal?.data ?? {}
        return 'decision' in data ? data.decision : undefined
      }
      expect(await decided(first.url)).to.include({ mode: 'runtime_orchestrator', reason: 'default' })
      await first.end()
      flags.write(good.slice(0, -20))
      const second = await start({ CHAT_READY_WAIT_MS: '700' })
      expect(second.startedInMs).to.be.above(700)
      expect((await fetch(`${second.url}/health/ready`)).status).to.equal(200)
      expect(await decided(second.url)).to.include({ mode: 'runtime_orchestrator', reason: 'stale' })
    } finally {
      flags.write(good)
    }
  })

  it('refuses a second turn on another replica, and stops the first one from there', async () => {
    const [one, two] = [await start({ CHAT_REPLICA: 'one' }), await start({ CHAT_REPLICA: 'two' })]
    await setLlm({ endless: true, gapMs: 20 })
    const turn = await postTurn(one.url, member, 'start', { agentId: 'assistant', message: 'Hello' })
    const sessionId = turn.headers.get('x-chat-session-id') ?? ''
    const second = await postTurn(two.url, member, `sessions/${sessionId}`, { message: 'Too early' })
    expect(second.status).to.equal(409)
    const stop = await postTurn(two.url, member, `sessions/${sessionId}/stop`, {})
    expect(await stop.json()).to.deep.equal({ success: true, data: { stopped: true } })
    expect(await turn.text()).to.contain('"stopped":true')
  })

  it('chats without any flags: files that do not exist, or a flagd that is not there', async () => {
    const nowhere = {
      CHAT_FLAGS_FILE: '/nonexistent/a.json',
      CHAT_FALLBACK_FLAGS_FILE: '/nonexistent/b.json',
    }
    for (const resolver of ['file', 'rpc', 'in-process']) {
      const service = await start({
        ...nowhere,
        FLAGD_RESOLVER: resolver,
        FLAGD_HOST: '127.0.0.1',
        FLAGD_PORT: '1',
      })
      const { terminal } = await startTurn(service.url, member)
      expect(terminal?.event, resolver).to.equal('done')
      expect(await service.end(), resolver).to.equal(0)
    }
  })
})

async function untilStatus(url: string, wanted: number): Promise<number> {
  const deadline = performance.now() + 5000
  for (;;) {
    const { status } = await fetch(url)
    if (status === wanted || performance.now() > deadline) return status
  }
}

describe('the demo', function () {
  this.timeout(60_000)

  it('prints six lines that work when pasted', async () => {
    const data = mkdtempSync(join(tmpdir(), 'chat-cutover-demo-'))
    const demo = spawn(
      process.execPath,
      ['dist/cli/main.js', 'demo', '--data', data, '--port', '0', '--no-traffic'],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    try {
      const guide = await new Promise<string>((resolve, reject) => {
        let text = ''
        demo.stdout.on('data', (chunk: Buffer) => {
          text += chunk.toString()
          if (text.includes('Ctrl-C ends the demo')) resolve(text)
        })
        demo.once('exit', (code) => reject(new Error(`the demo ended with ${code}: ${text}`)))
      })
      const [setUp, turn] = [/first: (\. .*)/, /turn: (.*)/].map((line) => line.exec(guide)?.[1])
      const paste = (line: string): string => {
        const { status, stdout, stderr } = spawnSync('sh', ['-c', `${setUp}\n${line}`], {
          encoding: 'utf8',
          timeout: 20_000,
        })
        expect(status, `${line}\n${stderr}`).to.equal(0)
        return stdout
      }
      expect(guide.trim().split('\n')).to.have.length(6)
      expect(paste(turn ?? 'false')).to.match(/\S/)
      expect(paste('npx chat-cutover status')).to.include('Fallback')
      // The demo itself sent the first turn, the line above the second one.
      const metrics = metricsSchema.parse(JSON.parse(paste('npx chat-cutover metrics --json')))
      expect(metrics.runtime.success).to.equal(2)
    } finally {
      demo.removeAllListeners('exit')
      const ended = new Promise((resolve) => demo.once('exit', resolve))
      demo.kill('SIGTERM')
      await ended
      rmSync(data, { recursive: true, force: true })
    }
  })

  it('starts with LOG_LEVEL=silent, and then passes on no line of the service', async () => {
    const { guide, stderr } = await demoOf('silent')
    expect(guide).to.include('Ctrl-C ends the demo')
    expect(stderr).to.equal('')
  })

  it('ends with 1 and leaves no process where the service refuses to start', async () => {
    const { code, stderr } = await demoOf('loud')
    expect(code).to.equal(1)
    expect(stderr).to.include('LOG_LEVEL').and.to.include('the service ended with exit code 2')
  })
})

/** The demo with this level, ended once it has printed its guide. Its pipes close only when its processes have ended too. */
async function demoOf(level: string): Promise<{ guide: string; stderr: string; code: number | null }> {
  const data = mkdtempSync(join(tmpdir(), 'chat-cutover-demo-'))
  const demo = spawn(
    process.execPath,
    ['dist/cli/main.js', 'demo', '--data', data, '--port', '0', '--no-traffic'],
    { env: { ...process.env, LOG_LEVEL: level }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const said = { guide: '', stderr: '' }
  demo.stderr.on('data', (chunk: Buffer) => {
    said.stderr += chunk.toString()
  })
  demo.stdout.on('data', (chunk: Buffer) => {
    said.guide += chunk.toString()
    if (said.guide.includes('Ctrl-C ends the demo')) demo.kill('SIGTERM')
  })
  try {
    const code = await new Promise<number | null>((resolve) => demo.once('close', resolve))
    return { ...said, code }
  } finally {
    rmSync(data, { recursive: true, force: true })
  }
}

describe('a log that nobody reads any more', function () {
  this.timeout(30_000)

  it('does not keep the process from ending', async () => {
    const flags = temporaryFlags()
    const service = await startServiceProcess({
      llmUrl: 'http://127.0.0.1:1',
      runtimeUrl: 'http://127.0.0.1:1',
      flags,
    })
    service.closeOutput()
    await fetch(`${service.url}/health/live`)
    expect(await service.end()).to.equal(0)
    flags.remove()
  })
})
