import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { createRuntimeOrchestrator } from '../../../src/execution/runtime/runtime-orchestrator.js'
import { messageBodySchema } from '../../../src/protocol/events.js'
import type { Faults } from '../../../src/simulator/faults.js'
import { startRuntimeSimulator } from '../../../src/simulator/runtime.js'
import type { Simulator } from '../../../src/simulator/simulator-server.js'
import { executed } from '../../support/executed.js'
import { pulledAnswer } from '../../support/pulled.js'
import { sampleCall, sampleTurn } from '../../support/sample-turn.js'
import { settled } from '../../support/turn-runner.js'
import { SOON_MS, until } from '../../support/until.js'

const CANCEL = '/api/v1/execute/cancel'
const ANSWER = '[runtime] Answer 1 to: hello'

describe('runtime orchestrator', () => {
  let simulator: Simulator
  let backend: ReturnType<typeof createRuntimeOrchestrator>

  beforeEach(async () => {
    simulator = await startRuntimeSimulator()
    backend = createRuntimeOrchestrator({ url: simulator.url })
  })
  afterEach(async () => {
    backend.close()
    await simulator.close()
  })

  const cancels = (): number => simulator.requests.filter(({ path }) => path === CANCEL).length

  it('streams a plain turn', async () => {
    const { events, text, error, call } = await executed(backend)
    expect(error).to.equal(undefined)
    expect(text).to.equal(ANSWER)
    expect(events.slice(0, 2).map(({ type }) => type)).to.deep.equal(['thinking', 'thinking'])
    expect(call.seen).to.deep.equal(['connected', 'headers'])
    expect(cancels()).to.equal(0)
  })

  it('maps every event of a tool turn', async () => {
    const { events } = await executed(backend, sampleTurn({ message: 'use a tool' }))
    for (const event of events) messageBodySchema.parse(event)
    const types = new Set(events.map(({ type }) => type))
    expect([...types]).to.include.members([
      'plan',
      'plan_step',
      'tool_call',
      'tool_result',
      'skill_call',
      'skill_result',
      'mcp_call',
      'mcp_result',
      'file',
      'text',
    ])
    const file = events.find((event) => event.type === 'file')
    expect(file?.data).to.include({ url: `${simulator.url}/api/v1/files/session-1/summary.md` })
  })

  it('passes on no file at a foreign place, and tells of it', async () => {
    const file = (url: string) =>
      `data: ${JSON.stringify({ event: 'file_created', data: { filename: 'f', url } })}\n\n`
    const server = createServer((_request, response) => {
      response.setHeader('content-type', 'text/event-stream')
      response.end(`${file('https://evil.example/f')}${file('https://cdn.example/f')}data: [DONE]\n\n`)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    let dropped = 0
    const strict = createRuntimeOrchestrator(
      { url: `http://127.0.0.1:${port}`, fileOrigins: ['https://cdn.example'] },
      { onFileDropped: () => (dropped += 1) },
    )
    try {
      const { events, error } = await executed(strict)
      const urls = events.flatMap((event) => (event.type === 'file' ? [event.data.url] : []))
      expect([error, urls, dropped]).to.deep.equal([undefined, ['https://cdn.example/f'], 1])
    } finally {
      strict.close()
      server.close()
    }
  })

  it('keeps its connection for the next turn', async () => {
    for (let n = 0; n < 5; n += 1) {
      await executed(backend)
      await settled()
    }
    expect(simulator.accepted).to.equal(1)
  })

  describe('takes the wire as it comes', () => {
    const wires: Faults[] = [
      { chunkBytes: 3 },
      { chunkBytes: 7, bom: true },
      { newline: 'lf' },
      { noDone: true },
      { garbage: 9 },
      { oversizedFrame: 500_000 },
    ]
    for (const faults of wires) {
      it(JSON.stringify(faults), async () => {
        simulator.faults = faults
        const message = '你好 😀'
        const { text, error } = await executed(backend, sampleTurn({ message }))
        expect(error).to.equal(undefined)
        expect(text.replace(/^x+/, '')).to.equal(`[runtime] Answer 1 to: ${message}`)
      })
    }
  })

  describe('names what went wrong', () => {
    const cases: [Faults, string, string, boolean][] = [
      [{ status: 401 }, 'runtime_unauthorized', 'headers', false],
      [{ status: 403 }, 'runtime_unauthorized', 'headers', false],
      [{ status: 429 }, 'runtime_rate_limited', 'headers', false],
      [{ status: 400 }, 'runtime_bad_request', 'headers', false],
      [{ status: 422 }, 'runtime_bad_request', 'headers', false],
      [{ status: 500 }, 'runtime_http_error', 'headers', false],
      [{ status: 302 }, 'runtime_http_error', 'headers', false],
      [{ refuse: true }, 'runtime_unreachable', 'headers', true],
      [{ headersDelayMs: 5000 }, 'headers_timeout', 'headers', true],
      [{ errorEvent: true }, 'runtime_error', 'streaming', false],
      [{ errorEvent: { code: 'LLM_TIMEOUT', afterEvents: 3 } }, 'runtime_timeout', 'streaming', false],
      [{ errorEvent: { code: 'EXECUTION_CANCELLED' } }, 'runtime_cancelled', 'streaming', false],
      [{ dropAfterEvents: 0 }, 'runtime_disconnected', 'streaming', true],
      [{ dropAfterEvents: 4 }, 'runtime_disconnected', 'streaming', true],
      [{ noTerminal: true }, 'runtime_disconnected', 'streaming', true],
      [{ garbage: true }, 'runtime_protocol_error', 'streaming', true],
      [{ oversizedFrame: 17_000_000 }, 'runtime_frame_too_large', 'streaming', true],
      [{ softFailure: true, endless: true }, 'runtime_soft_failure', 'streaming', true],
    ]
    for (const [faults, code, phase, cancelled] of cases) {
      it(`${JSON.stringify(faults)} → ${code}${cancelled ? ', and cancels' : ''}`, async () => {
        simulator.faults = faults
        const { error } = await executed(
          backend,
          sampleTurn(),
          sampleCall(code === 'headers_timeout' ? { headersMs: 100 } : {}),
        )
        expect(error).to.include({ code, phase, timeout: code.endsWith('_timeout') })
        // A runtime that refuses connections cannot be told.
        if (faults.refuse !== true) expect(cancels()).to.equal(cancelled ? 1 : 0)
      })
    }

    it('no connection → runtime_unreachable in phase connect, and nothing to cancel', async () => {
      await simulator.close()
      const { error, call } = await executed(backend)
      expect(error).to.include({ code: 'runtime_unreachable', phase: 'connect' })
      expect(call.tasks).to.have.length(0)
    })

    it('a wrong body → what FastAPI says, without the input', async () => {
      simulator.faults = { status: 422 }
      const { error } = await executed(backend, sampleTurn({ message: 'a secret' }))
      expect(error?.message).to.equal('HTTP 422: body.user_message: Field required')
      expect(error?.details).to.deep.equal({ httpStatus: 422 })
    })

    it('an execution_error → its code, status and trace', async () => {
      simulator.faults = { errorEvent: { error: 'a secret', code: 'DOWN', httpStatus: 503, traceId: 't-9' } }
      const { error } = await executed(backend)
      expect(error?.details).to.deep.equal({ upstreamCode: 'DOWN', httpStatus: 503, traceId: 't-9' })
      expect(error?.message).not.to.contain('secret')
    })
  })

  it('yields what came before a cut', async () => {
    simulator.faults = { dropAfterEvents: 4 }
    const { text, events } = await executed(backend)
    expect(events).to.have.length(4)
    expect(text).to.equal('[runtime] Answer ')
  })

  it('sends no soft failure, not even one after good text', async () => {
    const failing = 'I completed the task but encountered an issue generating the response: Connection error.'
    simulator.faults = { softFailure: { after: 'Some good text.', text: failing } }
    const { text, error } = await executed(backend)
    expect(text).to.equal('Some good text.')
    expect(error).to.include({ code: 'runtime_soft_failure' })
  })

  describe('given up', () => {
    it('frees its connection and tells the runtime', async () => {
      simulator.faults = { endless: true }
      const call = sampleCall()
      const answer = pulledAnswer(backend, sampleTurn(), call)
      await answer.next()
      const at = performance.now()
      call.controller.abort()
      await answer.return(undefined)
      await Promise.all(call.tasks)
      expect(cancels()).to.equal(1)
      backend.close()
      await until('every connection closed', () => simulator.connections === 0)
      expect(performance.now() - at).to.be.below(SOON_MS)
    })

    it('ends a read that waits', async () => {
      simulator.faults = { hang: 'body' }
      const call = sampleCall()
      const done = executed(backend, sampleTurn(), call)
      await until('the response head', () => call.seen.includes('headers'))
      call.controller.abort()
      expect((await done).error?.code).to.equal('runtime_disconnected')
      expect(cancels()).to.equal(1)
    })

    it('cancels a request whose head has not come', async () => {
      simulator.faults = { hang: 'headers' }
      const call = sampleCall()
      const done = executed(backend, sampleTurn(), call)
      await until('the request', () => simulator.requests.length === 1)
      call.controller.abort()
      await done
      expect(cancels()).to.equal(1)
    })

    it('does nothing when it was given up before it began', async () => {
      const call = sampleCall()
      call.controller.abort()
      const { call: after } = await executed(backend, sampleTurn(), call)
      expect(simulator.accepted).to.equal(0)
      expect(after.tasks).to.have.length(0)
    })

    it('bounds a cancel that is not answered', async () => {
      simulator.faults = { hang: 'body' }
      const call = sampleCall()
      const done = executed(backend, sampleTurn(), call)
      await until('the response head', () => call.seen.includes('headers'))
      await simulator.close()
      await done
      await Promise.all(call.tasks)
    })
  })

  describe('takes the runtime as it is', () => {
    const history = [
      { role: 'user' as const, content: 'first' },
      { role: 'assistant' as const, content: 'one' },
    ]

    it('gets the answer to the present message, whatever came before', async () => {
      const { text } = await executed(backend, sampleTurn({ message: 'second', history }))
      expect(text).to.contain('Answer 2 to: second')
    })

    it('with NaN, blanks around [DONE], and a large result', async () => {
      simulator.faults = { nan: true, largeResult: 3_000_000, doneBlanks: true }
      const { events, error } = await executed(backend)
      expect(error).to.equal(undefined)
      expect(events).to.deep.include({
        type: 'tool_call',
        data: { toolName: 'pay', arguments: { amount: null, most: null, note: 'NaN' }, status: 'calling' },
      })
      const result = events.find(({ type }) => type === 'tool_result')
      expect(result?.data).to.include({ toolName: 'export', truncated: true })
    })

    it('never shows an apology in mid-sentence', async () => {
      const sorry = 'I encountered an error: Connection error.'
      simulator.faults = { softFailure: { after: 'One sentence ', text: sorry } }
      const { text, error } = await executed(backend)
      expect(error).to.include({ code: 'runtime_soft_failure' })
      expect(text).to.equal('One sentence ')
    })

    it('shows what was held as a possible apology where the stream ends behind it', async () => {
      const sorry = 'I encountered an error: Connection error.'
      for (const how of [{ noTerminal: true }, { dropAfterEvents: 4 }]) {
        simulator.faults = { softFailure: { after: 'One sentence ', text: sorry }, ...how }
        const { text, error } = await executed(backend)
        expect(error).to.include({ code: 'runtime_disconnected' })
        expect(text, JSON.stringify(how)).to.equal(`One sentence ${sorry}`)
      }
    })
  })
})
