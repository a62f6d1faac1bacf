import { createServer, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { expect } from 'chai'
import { type Clock, systemClock } from '../../src/core/clock.js'
import { silentLogger } from '../../src/core/logger.js'
import type { ExecutionLimits } from '../../src/execution/execution.js'
import { createDirectLlm } from '../../src/execution/llm/direct-llm.js'
import type { Outcome } from '../../src/execution/outcome.js'
import { createRuntimeOrchestrator } from '../../src/execution/runtime/runtime-orchestrator.js'
import { TurnAborted, type TurnResult } from '../../src/execution/turn-result.js'
import { llmEndpoint } from '../../src/llm/endpoint.js'
import type { MessageBody } from '../../src/protocol/events.js'
import type { Faults } from '../../src/simulator/faults.js'
import { startLlmSimulator } from '../../src/simulator/llm.js'
import { startRuntimeSimulator } from '../../src/simulator/runtime.js'
import type { Simulator } from '../../src/simulator/simulator-server.js'
import { manualClock } from '../support/manual-clock.js'
import { pulledTurn } from '../support/pulled.js'
import { sampleLimits, sampleTurn } from '../support/sample-turn.js'
import { SOON_MS, until } from '../support/until.js'

const DIRECT = '[direct] Answer 1 to: hello'
const CANCEL = '/api/v1/execute/cancel'

describe('turns on loopback servers', () => {
  let llm: Simulator
  let runtime: Simulator
  let direct: ReturnType<typeof createDirectLlm>
  let orchestrator: ReturnType<typeof createRuntimeOrchestrator>
  let outcomes: Outcome[]
  let tasks: Promise<void>[]
  let controller: AbortController
  let clock: Clock

  function openBackends(by: Clock): void {
    clock = by
    direct = createDirectLlm(llmEndpoint({ baseUrl: llm.url, model: 'm' }), { clock })
    orchestrator = createRuntimeOrchestrator({ url: runtime.url }, { clock })
  }

  beforeEach(async () => {
    llm = await startLlmSimulator()
    runtime = await startRuntimeSimulator()
    openBackends(systemClock)
    outcomes = []
    tasks = []
    controller = new AbortController()
  })
  afterEach(async () => {
    await Promise.all(tasks)
    direct.close()
    orchestrator.close()
    await llm.close()
    await runtime.close()
  })

  function start(limits: Partial<ExecutionLimits> = {}, backend = orchestrator) {
    return pulledTurn(
      sampleTurn(),
      'runtime_orchestrator',
      { direct_llm: direct, runtime_orchestrator: backend },
      { ...sampleLimits, ...limits },
      {
        clock,
        logger: silentLogger,
        signal: controller.signal,
        record: (outcome) => void outcomes.push(outcome),
        after: (task) => void tasks.push(task),
      },
    )
  }

  async function run(limits: Partial<ExecutionLimits> = {}): Promise<{ text: string; result: TurnResult }> {
    const turn = start(limits)
    let text = ''
    for (;;) {
      const next = await turn.next()
      if (next.done === true) return { text, result: next.value }
      for (const event of next.value) if (event.type === 'text') text += event.data.content
    }
  }

  describe('fail over unseen', () => {
    const DEADLINES: ReadonlySet<string> = new Set(['headers_timeout', 'first_content_timeout'])
    const cases: [Faults, string, string][] = [
      [{ hang: 'headers' }, 'headers_timeout', 'headers'],
      [{ headersDelayMs: 5000 }, 'headers_timeout', 'headers'],
      [{ hang: 'body' }, 'first_content_timeout', 'first_content'],
      [{ pingOnly: true }, 'first_content_timeout', 'first_content'],
      [{ firstContentDelayMs: 5000 }, 'first_content_timeout', 'first_content'],
      [{ status: 503 }, 'runtime_http_error', 'headers'],
      [{ refuse: true }, 'runtime_unreachable', 'headers'],
      [{ errorEvent: true }, 'runtime_error', 'first_content'],
      [{ errorEvent: { afterEvents: 2, code: 'TIMEOUT' } }, 'runtime_timeout', 'first_content'],
      [{ dropAfterEvents: 0 }, 'runtime_disconnected', 'first_content'],
      [{ dropAfterEvents: 2 }, 'runtime_disconnected', 'first_content'],
      [{ garbage: true }, 'runtime_protocol_error', 'first_content'],
      [{ oversizedFrame: 17_000_000 }, 'runtime_frame_too_large', 'first_content'],
      [{ softFailure: true }, 'runtime_soft_failure', 'first_content'],
      [{ events: 0 }, 'empty_answer', 'first_content'],
    ]
    for (const [faults, cause, phase] of cases) {
      it(`${JSON.stringify(faults)} → ${cause} in phase ${phase}`, async () => {
        runtime.faults = faults
        // What no deadline finds is found without any waiting: on a clock that stands still.
        if (!DEADLINES.has(cause)) openBackends(manualClock())
        const { text, result } = await run({
          headersMs: 150,
          firstContentMs: 150,
          gapMs: 5000,
          totalMs: 20_000,
        })
        expect(text).to.equal(DIRECT)
        expect(result).to.deep.include({ kind: 'answered', executionMode: 'direct_llm' })
        expect(result.failover).to.include({ from: 'runtime_orchestrator', cause, phase })
        expect(outcomes.map((outcome) => outcome.result)).to.deep.equal([
          cause.endsWith('_timeout') ? 'timeout' : 'error',
          'ok',
        ])
      })
    }

    it('no connection within connectMs → connect_timeout', async () => {
      // The connection stands only after the TLS handshake, which this server never answers.
      const silent = createTcpServer((socket) => void socket.on('error', () => {}).resume())
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
      const { port } = silent.address() as AddressInfo
      const unanswered = createRuntimeOrchestrator({ url: `https://127.0.0.1:${port}` })
      const { result } = await readToEnd(start({ connectMs: 50 }, unanswered))
      expect(result.failover).to.include({ cause: 'connect_timeout', phase: 'connect' })
      unanswered.close()
      await new Promise((resolve) => silent.close(resolve))
    })
  })

  describe('fail honestly after the commit point', () => {
    const cases: [Faults, string, Partial<ExecutionLimits>][] = [
      [{ dropAfterEvents: 4 }, 'runtime_disconnected', {}],
      [{ errorEvent: { afterEvents: 4 } }, 'runtime_error', {}],
      [{ gapMs: 5000 }, 'gap_timeout', { gapMs: 150 }],
      [{ endless: true }, 'total_timeout', { totalMs: 1000, firstContentMs: 100 }],
      [{ softFailure: { after: 'Good.', text: 'I encountered an error: x' } }, 'runtime_soft_failure', {}],
    ]
    for (const [faults, code, limits] of cases) {
      it(`${JSON.stringify(faults)} → ${code}`, async () => {
        runtime.faults = faults
        const { text, result } = await run(limits)
        expect(result).to.deep.include({
          kind: 'failed',
          executionMode: 'runtime_orchestrator',
          code,
          phase: 'streaming',
        })
        expect(text).not.to.contain('[direct]').and.not.to.contain('encountered')
        expect(llm.requests).to.have.length(0)
      })
    }
  })

  it('tells the runtime to cancel on a failover without waiting for it', async () => {
    runtime.faults = { hang: 'body' }
    const { text } = await run({ firstContentMs: 100 })
    expect(text).to.equal(DIRECT)
    await Promise.all(tasks)
    expect(runtime.requests.filter(({ path }) => path === CANCEL)).to.have.length(1)
  })

  for (const code of ['client_gone', 'stopped'] as const) {
    it(`frees everything when the turn is given up (${code}), and cancels`, async () => {
      runtime.faults = { endless: true }
      const turn = start()
      await turn.next()
      await turn.next()
      const at = performance.now()
      controller.abort(new TurnAborted(code))
      expect((await readToEnd(turn)).result).to.deep.include({ kind: 'aborted', code })
      await Promise.all(tasks)
      await until('the cancel', () => runtime.requests.some(({ path }) => path === CANCEL))
      orchestrator.close()
      await until('the connections closed', () => runtime.connections === 0)
      expect(performance.now() - at).to.be.below(SOON_MS)
    })
  }

  describe('with a reader that holds a batch', () => {
    let server: Server
    let written: number
    let response: ServerResponse | undefined

    beforeEach(async () => {
      written = 0
      const frame = `data: ${JSON.stringify({ event: 'text_chunk', data: { content: 'x'.repeat(4000) } })}\r\n\r\n`
      server = createServer((_request, answer) => {
        response = answer
        answer.writeHead(200, { 'content-type': 'text/event-stream' })
        const fill = (): void => {
          while (!answer.destroyed) {
            written += frame.length
            if (!answer.write(frame)) return
          }
        }
        answer.on('drain', fill)
        fill()
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    })
    afterEach(async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    })

    it('pauses the upstream, lets time stand still, and goes on afterwards', async () => {
      const { port } = server.address() as AddressInfo
      const backend = createRuntimeOrchestrator({ url: `http://127.0.0.1:${port}` })
      const turn = start({ gapMs: 300 }, backend)
      await turn.next()
      // The kernel takes some megabytes; then the upstream waits for us, through several gaps.
      let before = -1
      let since = 0
      await until('the upstream to stand still', () => {
        if (before !== written) since = performance.now()
        before = written
        return response?.writableNeedDrain === true && performance.now() - since > 200
      })
      const stood = written
      const heldAt = performance.now()
      await until('two gaps', () => performance.now() - heldAt > 700)
      expect(written).to.equal(stood)
      expect(stood).to.be.below(32 * 1024 * 1024)
      let events: readonly MessageBody[] = []
      for (let n = 0; n < 2000 && written === stood; n += 1) {
        const next = await turn.next()
        expect(next.done).to.equal(false)
        if (next.done !== true) events = next.value
      }
      expect(events.length).to.be.greaterThan(0)
      expect(written).to.be.greaterThan(stood)
      expect(outcomes).to.have.length(0)
      controller.abort(new TurnAborted('client_gone'))
      await readToEnd(turn)
      backend.close()
    })
  })

  it('waits for the usage of a complete answer longer than a gap may last', async () => {
    runtime.faults = { status: 500 }
    llm.faults = { usageDelayMs: 300 }
    const { text, result } = await run({ gapMs: 100 })
    expect(text).to.equal(DIRECT)
    expect(result).to.deep.include({ kind: 'answered' })
    expect(result.kind === 'answered' && result.usage.estimated).to.equal(false)
  })

  it('bounds a cancel that nobody answers', async () => {
    runtime.faults = { hang: 'body' }
    const turn = start()
    const ended = readToEnd(turn)
    await until('the execution', () => runtime.requests.length === 1)
    await new Promise((resolve) => setImmediate(resolve))
    const silent = createServer(() => {})
    await runtime.close()
    await new Promise<void>((resolve) => silent.listen(runtime.port, '127.0.0.1', resolve))
    await ended
    const at = performance.now()
    await Promise.all(tasks)
    expect(performance.now() - at).to.be.below(SOON_MS)
    silent.closeAllConnections()
    await new Promise((resolve) => silent.close(resolve))
  })
})

async function readToEnd(turn: ReturnType<typeof pulledTurn>): Promise<{ result: TurnResult }> {
  for (;;) {
    const next = await turn.next()
    if (next.done === true) return { result: next.value }
  }
}
