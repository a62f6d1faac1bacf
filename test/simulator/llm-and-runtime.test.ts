import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'chai'
import { startLlmSimulator } from '../../src/simulator/llm.js'
import { startRuntimeSimulator } from '../../src/simulator/runtime.js'
import type { Simulator } from '../../src/simulator/simulator-server.js'
import { bundled } from '../support/bundled.js'
import { until } from '../support/until.js'

const EXECUTE = '/api/v1/execute/stream'
const BODY = { session_id: 's', agent_id: 'a', org_id: 'o', user_message: 'hi' }

function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return fetch(url, {
    method: 'POST',
    body: text,
    headers: { 'content-type': 'application/json', ...headers },
  })
}

describe('simulated runtime', () => {
  let simulator: Simulator
  beforeEach(async () => {
    simulator = await startRuntimeSimulator()
  })
  afterEach(() => simulator.close())

  it('sends data-only frames that end in CRLF, keys in order, and echoes the request id', async () => {
    const answer = await post(simulator.url + EXECUTE, BODY, { 'x-request-id': 'r-1' })
    expect(answer.headers.get('x-request-id')).to.equal('r-1')
    const frames = (await answer.text()).split('\r\n\r\n')
    expect(frames.pop()).to.equal('')
    expect(frames.pop()).to.equal('data: [DONE]')
    const events = frames.map((frame) => JSON.parse(frame.replace(/^data: /, '')) as Record<string, unknown>)
    for (const event of events) expect(Object.keys(event)).to.deep.equal(['event', 'data', 'timestamp'])
    const names = events.map(({ event }) => event)
    expect(names.slice(0, 3)).to.deep.equal(['thinking', 'thinking', 'text_chunk'])
    expect(names.at(-1)).to.equal('execution_complete')
  })

  it('resets the connection of a turn that it has read, and answers its health', async () => {
    simulator.faults = { resetAfterMs: 5 }
    const refused = await post(simulator.url + EXECUTE, BODY).then(
      () => 'answered',
      (thrown: Error) => (thrown.cause as NodeJS.ErrnoException).code,
    )
    expect(refused).to.equal('ECONNRESET')
    expect(simulator.requests.map(({ path }) => path)).to.deep.equal([EXECUTE])
    expect((await fetch(`${simulator.url}/health`)).status).to.equal(200)
  })

  it('puts plan, tool, skill, mcp and file events into a tool turn', async () => {
    for (const turn of [{ user_message: 'a tool' }, { user_message: '用工具' }, { agent_id: 'tools' }]) {
      const text = await (await post(simulator.url + EXECUTE, { ...BODY, ...turn })).text()
      for (const name of [
        'plan_created',
        'tool_call_start',
        'skill_call_complete',
        'mcp_call_start',
        'file_created',
      ]) {
        expect(text).to.contain(`"event":"${name}"`)
      }
    }
  })

  it('keeps the fence around a shadow, and says so, only where it is told to', async () => {
    const turn = { ...BODY, user_message: 'a tool' }
    const shadow = { ...turn, metadata: { shadow: true } }
    const ask = async (body: unknown) => {
      const answer = await post(simulator.url + EXECUTE, body)
      const ranTools = (await answer.text()).includes('"event":"tool_call_start"')
      return { told: answer.headers.get('x-chat-shadow'), ranTools }
    }
    expect(await ask(shadow), 'as the real one').to.deep.equal({ told: null, ranTools: true })
    simulator.faults = { honourShadow: true }
    expect(await ask(shadow)).to.deep.equal({ told: 'honoured', ranTools: false })
    expect(await ask(turn), 'a turn of a user').to.deep.equal({ told: null, ranTools: true })
  })

  it('refuses bad bodies as FastAPI does', async () => {
    const answer = await post(simulator.url + EXECUTE, { ...BODY, user_message: 1 })
    expect(answer.status).to.equal(422)
    const { detail } = (await answer.json()) as { detail: Record<string, unknown>[] }
    expect(detail[0]).to.have.all.keys('type', 'loc', 'msg', 'input')
    expect(detail[0]?.loc).to.deep.equal(['body', 'user_message'])
    expect((await post(simulator.url + EXECUTE, '{')).status).to.equal(422)
  })

  it('cancels the newest execution of a session', async () => {
    simulator.faults = { endless: true }
    const answer = await post(simulator.url + EXECUTE, BODY)
    const cancelled = await post(`${simulator.url}/api/v1/execute/cancel`, { session_id: 's' })
    expect(await cancelled.json()).to.deep.equal({ cancelled: true, session_id: 's' })
    expect(await answer.text())
      .to.contain('EXECUTION_CANCELLED')
      .and.to.match(/data: \[DONE\]\r\n\r\n$/)
    const again = await post(`${simulator.url}/api/v1/execute/cancel`, { session_id: 's' })
    expect(await again.json()).to.deep.equal({ cancelled: false, session_id: 's' })
  })

  it('answers a bad cancel as the real one', async () => {
    const missing = await post(`${simulator.url}/api/v1/execute/cancel`, {})
    expect(missing.status).to.equal(400)
    expect(await missing.json()).to.have.all.keys('error')
    const malformed = await post(`${simulator.url}/api/v1/execute/cancel`, '{')
    expect(malformed.status).to.equal(500)
    expect(malformed.headers.get('content-type')).to.contain('text/plain')
  })

  it('is healthy, slow or unhealthy as told', async () => {
    expect(await (await fetch(`${simulator.url}/health`)).json()).to.include({ status: 'healthy' })
    simulator.faults = { healthStatus: 503, healthDelayMs: 30 }
    const at = performance.now()
    expect((await fetch(`${simulator.url}/health`)).status).to.equal(503)
    expect(performance.now() - at).to.be.at.least(25)
  })

  it('takes faults by HTTP, strictly', async () => {
    const url = `${simulator.url}/_faults`
    const put = (body: string) => fetch(url, { method: 'PUT', body })
    expect(await (await put('{"status":503}')).json()).to.deep.equal({ status: 503 })
    expect((await post(simulator.url + EXECUTE, BODY)).status).to.equal(503)
    const wrong = await put('{"gapMs":-1,"nonsense":true}')
    expect(wrong.status).to.equal(400)
    expect(JSON.stringify(await wrong.json()))
      .to.contain('gapMs')
      .and.to.contain('nonsense')
    expect((await put('{')).status).to.equal(400)
    expect(await (await fetch(url)).json()).to.deep.equal({ status: 503 })
    expect(await (await fetch(url, { method: 'DELETE' })).json()).to.deep.equal({})
    expect((await fetch(url, { method: 'PATCH' })).status).to.equal(405)
    expect(simulator.requests.map(({ path }) => path)).to.deep.equal([EXECUTE])
  })

  it('can still be mended over HTTP while it refuses connections', async () => {
    simulator.faults = { refuse: true }
    let refused = false
    await fetch(`${simulator.url}/health`).catch(() => {
      refused = true
    })
    expect(refused).to.equal(true)
    await fetch(`${simulator.url}/_faults`, { method: 'DELETE' })
    expect((await fetch(`${simulator.url}/health`)).status).to.equal(200)
  })

  it('sends as many and as long texts as a bench asks for', async () => {
    simulator.faults = { events: 600, textBytes: 32 }
    const text = await (await post(simulator.url + EXECUTE, BODY)).text()
    const contents = [...text.matchAll(/"text_chunk","data":\{"content":"([^"]*)"/g)].map(
      ([, content]) => content,
    )
    expect(contents).to.have.length(600)
    expect(new Set(contents.map((content) => content?.length))).to.deep.equal(new Set([32]))
  })
})

describe('simulated LLM', () => {
  let simulator: Simulator
  beforeEach(async () => {
    simulator = await startLlmSimulator()
  })
  afterEach(() => simulator.close())

  const ask = { model: 'm', messages: [{ role: 'user', content: 'hi' }] }
  const url = () => `${simulator.url}/v1/chat/completions`

  it('streams role, contents, finish_reason, usage where asked, and [DONE]', async () => {
    const frames = async (options: object) => {
      const text = await (await post(url(), { ...ask, stream: true, ...options })).text()
      return text.split('\n\n').filter((frame) => frame !== '')
    }
    const plain = await frames({})
    expect(plain[0]).to.contain('"role":"assistant"')
    expect(plain.at(-2)).to.contain('"finish_reason":"stop"')
    expect(plain.at(-1)).to.equal('data: [DONE]')
    expect(plain.join('')).not.to.contain('usage')
    const counted = await frames({ stream_options: { include_usage: true } })
    expect(counted.at(-2)).to.contain('"choices":[]').and.to.contain('"total_tokens"')
  })

  it('answers whole where no stream is asked for', async () => {
    const answer = (await (await post(url(), ask)).json()) as { choices: { message: { content: string } }[] }
    expect(answer.choices[0]?.message.content).to.equal('[direct] Answer 1 to: hi')
  })

  it('answers errors in the form of the API', async () => {
    for (const body of ['{', {}, { ...ask, messages: [] }]) {
      const answer = await post(url(), body)
      expect(answer.status).to.equal(400)
      expect(await answer.json()).to.have.nested.property('error.code')
    }
    expect((await post(`${simulator.url}/v1/other`, ask)).status).to.equal(404)
  })
})

describe('simulators as processes', () => {
  function run(...args: string[]): { child: ChildProcess; output(): string } {
    const child = spawn(process.execPath, [bundled('src/simulator/main.ts'), ...args])
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        output += chunk.toString()
      })
    }
    return { child, output: () => output }
  }

  it('say where they listen and end on SIGTERM', async () => {
    const { child, output } = run('runtime', '--port', '0')
    await until('the line', () => output().includes('\n'))
    const line = JSON.parse(output()) as { msg: string; url: string }
    expect(line.msg).to.equal('listening')
    expect((await fetch(`${line.url}/health`)).status).to.equal(200)
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).to.deep.equal([0, null])
  })

  it('say what is wrong with their arguments', async () => {
    const [nothing, port] = [run('nothing'), run('llm', '--port', 'x')]
    const codes = await Promise.all([once(nothing.child, 'exit'), once(port.child, 'exit')])
    expect(codes.map(([code]) => code)).to.deep.equal([1, 1])
    expect(nothing.output()).to.contain('Usage')
    expect(port.output()).to.contain('--port')
  })

  it('list every fault in --help', async () => {
    const { child, output } = run('--help')
    expect((await once(child, 'close'))[0]).to.equal(0)
    for (const fault of ['headersDelayMs', 'softFailure', 'chunkBytes']) expect(output()).to.contain(fault)
  })
})
