import { once } from 'node:events'
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import { expect } from 'chai'
import { operatorEnv, runCli, type Said } from '../support/cli.js'
import { type Edge, startEdge } from '../support/edge.js'
import { until } from '../support/until.js'

const DONE = {
  sessionId: 's-1',
  messageId: 'm-1',
  usage: { tokens: 12, latencyMs: 1500 },
  executionMode: 'direct_llm',
  decision: { mode: 'runtime_orchestrator', reason: 'default', shadow: false },
}

/** A server that the test plays by hand. */
class StandIn {
  readonly seen: string[] = []
  answer: RequestListener = (_, response) => response.end()
  private constructor(private readonly server: Server) {}

  static async start(): Promise<StandIn> {
    const server = createServer((request, response) => {
      standIn.seen.push(`${request.method} ${request.url}`)
      standIn.answer(request, response)
    })
    const standIn = new StandIn(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return standIn
  }

  get env(): Record<string, string> {
    return { CHAT_URL: `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`, CHAT_TOKEN: 'abc' }
  }

  close(): void {
    this.server.close()
    this.server.closeAllConnections()
  }
}

const stream = (response: ServerResponse): ServerResponse =>
  response.writeHead(200, { 'content-type': 'text/event-stream', 'x-chat-session-id': 's-1' })
const frame = (event: string, data: unknown): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
const message = (type: string, data: object): string =>
  frame('message', { id: 'e', type, data, timestamp: '2026-01-01T00:00:00.000Z' })

describe('chat-cutover watch', () => {
  let edge: Edge
  beforeEach(async () => {
    edge = await startEdge()
  })
  afterEach(() => edge.close())

  /** Watches, does something when the first line is there, and ends when the output has it. */
  async function watch(argv: string[], act: () => void, wanted: RegExp, columns?: number): Promise<Said> {
    const interrupt = new AbortController()
    let acted = false
    return runCli(['watch', ...argv], {
      env: await operatorEnv(edge),
      interrupt: interrupt.signal,
      onOutput: (all) => {
        if (!acted) {
          acted = true
          setImmediate(act)
        }
        if (wanted.test(all)) interrupt.abort()
      },
      ...(columns === undefined ? {} : { columns }),
    })
  }

  const trip = (): void =>
    edge.fallback.emit({
      kind: 'transition',
      transition: {
        at: Date.UTC(2026, 0, 1),
        from: 'normal',
        to: 'fallback',
        manualFrom: 'none',
        manualTo: 'none',
        actor: 'auto',
        cause: 'error_rate',
        value: 0.6,
        threshold: 0.5,
        replica: 'r',
        trips: 1,
        revision: 1,
      },
    })

  it('tells one line an event where nobody looks, and ends by Ctrl-C with 0', async () => {
    const { code, out, err } = await watch([], trip, /transition/)
    expect([code, err]).to.deep.equal([0, ''])
    expect(out).to.match(
      /^\S+ \S+Z {2}metrics {5}no fallback; direct: no executions; runtime: no executions\n/,
    )
    expect(out).to.match(
      /\n2026-01-01 00:00:00Z {2}transition {2}trip normal → fallback: Error rate too high: 60\.00%/,
    )
    await until('the end of the connection', () => edge.fallback.listeners === 0)
  })

  it('redraws a few lines on a screen', async () => {
    const { code, out } = await watch([], trip, /transition/, 80)
    expect(code).to.equal(0)
    const [first = '', second = ''] = out.split('\u001b[?7l').slice(1)
    const lines = first.split('\n').length - 1
    expect(second.startsWith(`\u001b[${lines}A\u001b[0J`)).to.equal(true)
    expect(second).to.contain('transition')
    expect(second.endsWith('\u001b[?7h')).to.equal(true)
  })

  it('prints events as JSON, one a line', async () => {
    const flags = (): void => {
      for (const listener of edge.flagListeners) listener(['chat-execution-mode'])
    }
    const { out } = await watch(['--json'], flags, /"flags"/)
    const events = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events.map(({ event }) => event)).to.deep.equal(['metrics', 'flags'])
    expect(events[1].data.flags).to.deep.equal(['chat-execution-mode'])
  })

  it('connects again after a stream that ends, and ends itself where it is refused', async () => {
    const standIn = await StandIn.start()
    let times = 0
    standIn.answer = (_, response) => {
      times += 1
      if (times < 3) return void stream(response).end(frame('heartbeat', null))
      response.writeHead(401, { 'content-type': 'application/json' })
      response.end('{"success":false,"error":{"code":"unauthorized","message":"expired"}}')
    }
    const { code, err } = await runCli(['watch'], { env: standIn.env })
    standIn.close()
    expect([code, times]).to.deep.equal([1, 3])
    expect(err).to.match(/^The service ended the stream\.\n[\s\S]*401 unauthorized/)
  })
})

describe('chat-cutover chat', () => {
  let standIn: StandIn
  beforeEach(async () => {
    standIn = await StandIn.start()
  })
  afterEach(() => standIn.close())

  it('streams text, plan and tools, and says who answered', async () => {
    standIn.answer = (_, response) =>
      void stream(response).end(
        [
          message('thinking', { content: 'H', stage: 'analysis' }),
          message('thinking', { content: 'm.', stage: 'analysis' }),
          message('thinking', { content: 'Now.', stage: 'generation' }),
          message('plan', { steps: [{ id: '1', title: 'Look it up', status: 'pending' }], currentStep: 0 }),
          message('plan_step', { stepId: '1', title: 'Look it up', status: 'running', tool: 'search' }),
          message('tool_call', { toolName: 'search', arguments: { q: 'x' }, status: 'calling' }),
          message('tool_result', {
            toolName: 'search',
            result: 'y'.repeat(500),
            success: true,
            duration: 1200,
          }),
          message('tool_result', { toolName: 'pay', result: null, success: false, error: 'no money' }),
          message('text', { content: 'Hello ' }),
          frame('heartbeat', null),
          message('text', { content: 'world\u001b[2J' }),
          message('file', { url: 'http://f/1', filename: 'a.txt', mimeType: 'text/plain' }),
          frame('done', {
            ...DONE,
            failover: { from: 'runtime_orchestrator', cause: 'runtime_error', phase: 'headers', afterMs: 20 },
            tomorrow: 1,
          }),
        ].join(''),
      )
    const { code, out, err } = await runCli(['chat', 'Hi', 'there'], { env: standIn.env })
    expect([code, err]).to.deep.equal([0, ''])
    expect(out.split('\n')).to.deep.equal([
      'Hm.',
      'Now.',
      'Plan',
      '  1. Look it up',
      '… Look it up [search] running',
      '→ search {"q":"x"}',
      `← search (1.20 s) ${'y'.repeat(200)}…`,
      '← pay no money',
      'Hello world [2J',
      'File: a.txt http://f/1',
      '',
      '[direct LLM · decided by default · 12 tokens · 1.50 s · failover from the runtime after 20 ms: runtime_error · session s-1]',
      '',
    ])
    expect(standIn.seen).to.deep.equal(['POST /api/v1/chat/start'])
  })

  it('prints events as JSON, one a line', async () => {
    standIn.answer = (_, response) =>
      void stream(response).end(message('text', { content: 'Hello' }) + frame('done', DONE))
    const { out } = await runCli(['chat', 'Hi', '--json'], { env: standIn.env })
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).event),
    ).to.deep.equal(['message', 'done'])
  })

  it('ends with 1 and the reason where the turn fails', async () => {
    const failed = {
      code: 'llm_unreachable',
      message: 'No answer',
      recoverable: true,
      executionMode: 'direct_llm',
    }
    standIn.answer = (_, response) => void stream(response).end(frame('error', failed))
    const { code, err } = await runCli(['chat', 'Hi'], { env: standIn.env })
    expect(code).to.equal(1)
    expect(err).to.contain('No answer (llm_unreachable, direct LLM)\nSending the message again may work.')
  })

  it('ends with 1 where the stream breaks off', async () => {
    standIn.answer = (_, response) => void stream(response).end(message('text', { content: 'Hel' }))
    const { code, out, err } = await runCli(['chat', 'Hi'], { env: standIn.env })
    expect([code, out]).to.deep.equal([1, 'Hel'])
    expect(err).to.contain('The stream broke: it ended without an answer')
  })

  it('stops the turn by Ctrl-C, waits for its end, and exits with 130', async () => {
    let open: ServerResponse | undefined
    standIn.answer = ({ url = '' }, response) => {
      if (!url.endsWith('/stop')) {
        open = stream(response)
        open.write(message('text', { content: 'Once upon' }))
        return
      }
      response.end('{"success":true,"data":{"stopped":true}}')
      open?.end(frame('done', { ...DONE, stopped: true }))
    }
    const interrupt = new AbortController()
    const { code, out } = await runCli(['chat', 'Hi'], {
      env: standIn.env,
      interrupt: interrupt.signal,
      onOutput: (all) => {
        if (all.includes('upon')) interrupt.abort()
      },
    })
    expect(code).to.equal(130)
    expect(out).to.match(/^Once upon\n\[.* stopped .*\]\n$/)
    expect(standIn.seen).to.deep.equal(['POST /api/v1/chat/start', 'POST /api/v1/chat/sessions/s-1/stop'])
  })

  it('takes each line that is typed as a turn of one session', async () => {
    standIn.answer = (_, response) =>
      void stream(response).end(message('text', { content: 'Yes' }) + frame('done', DONE))
    const { code, out } = await runCli(['chat'], { env: standIn.env, input: 'One\n\nTwo\n' })
    expect(code).to.equal(0)
    expect(out.match(/Yes/g)).to.have.length(2)
    expect(standIn.seen).to.deep.equal(['POST /api/v1/chat/start', 'POST /api/v1/chat/sessions/s-1'])
  })

  it('goes on after a refused turn where somebody types, and ends with it in a pipe', async () => {
    let times = 0
    standIn.answer = (_, response) => {
      times += 1
      if (times % 2 === 0) return void stream(response).end(frame('done', DONE))
      response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '3' })
      response.end('{"success":false,"error":{"code":"rate_limited","message":"Too many"}}')
    }
    const typed = Object.assign(new PassThrough(), { isTTY: true })
    typed.end('One\nTwo\n')
    const { code, err } = await runCli(['chat'], { env: standIn.env, input: typed })
    expect([code, times]).to.deep.equal([0, 2])
    expect(err).to.contain('429 rate_limited').and.to.contain('Try again in 3 s')
    const piped = await runCli(['chat'], { env: standIn.env, input: 'One\nTwo\n' })
    expect([piped.code, times]).to.deep.equal([1, 3])
  })

  it('ends at its prompt by Ctrl-C', async () => {
    const interrupt = new AbortController()
    const input = Object.assign(new PassThrough(), { isTTY: true })
    const { code } = await runCli(['chat'], {
      env: standIn.env,
      input,
      interrupt: interrupt.signal,
      onOutput: (all) => {
        if (all.endsWith('> ')) setImmediate(() => interrupt.abort())
      },
    })
    expect([code, standIn.seen]).to.deep.equal([130, []])
  })
})

describe('chat-cutover sessions show', () => {
  it('prints a conversation that chat made', async () => {
    const edge = await startEdge()
    const env = await operatorEnv(edge)
    const { out: chat } = await runCli(['chat', 'Hello', '--agent', 'helper'], { env })
    const [, session = ''] = /session (\S+)\]/.exec(chat) ?? []
    const { code, out } = await runCli(['sessions', 'show', session], { env })
    expect(code).to.equal(0)
    expect(out).to.match(new RegExp(`^${session} {2}helper {2}20`))
    expect(out).to.match(/ {2}You\nHello\n\n.* {2}direct LLM, answered\nHello from direct\n$/)
    const json = await runCli(['sessions', 'show', session, '--json'], { env })
    expect(JSON.parse(json.out).messages).to.have.length(2)
    const none = await runCli(['sessions', 'show', '00000000-0000-4000-8000-000000000000'], { env })
    expect(none.code).to.equal(1)
    expect(none.err).to.contain('404 not_found')
    await edge.close()
  })
})
