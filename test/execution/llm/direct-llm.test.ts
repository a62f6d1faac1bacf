import { expect } from 'chai'
import { createDirectLlm } from '../../../src/execution/llm/direct-llm.js'
import { llmEndpoint } from '../../../src/llm/endpoint.js'
import type { Faults } from '../../../src/simulator/faults.js'
import { startLlmSimulator } from '../../../src/simulator/llm.js'
import type { Simulator } from '../../../src/simulator/simulator-server.js'
import { executed } from '../../support/executed.js'
import { manualClock } from '../../support/manual-clock.js'
import { pulledAnswer } from '../../support/pulled.js'
import { sampleCall, sampleTurn } from '../../support/sample-turn.js'
import { settled } from '../../support/turn-runner.js'
import { until } from '../../support/until.js'

const ANSWER = '[direct] Answer 1 to: hello'

describe('direct LLM', () => {
  let simulator: Simulator
  let backend: ReturnType<typeof createDirectLlm>

  beforeEach(async () => {
    simulator = await startLlmSimulator()
    backend = createDirectLlm(llmEndpoint({ baseUrl: `${simulator.url}/v1`, model: 'm' }))
  })
  afterEach(async () => {
    backend.close()
    await simulator.close()
  })

  it('streams an answer with its usage', async () => {
    const { events, text, error, call } = await executed(backend)
    expect(error).to.equal(undefined)
    expect(text).to.equal(ANSWER)
    const usage = { tokens: 6, estimated: false, promptTokens: 1, completionTokens: 5 }
    expect(events.at(-1)).to.deep.equal({ type: 'usage', data: usage })
    expect(call.seen).to.deep.equal(['connected', 'headers'])
    expect(call.tasks).to.have.length(0)
  })

  it('keeps its connection for the next turn', async () => {
    for (let n = 0; n < 5; n += 1) {
      await executed(backend)
      await settled()
    }
    expect(simulator.accepted).to.equal(1)
  })

  for (const faults of [
    { noDone: true },
    { chunkBytes: 3 },
    { bom: true, newline: 'crlf' },
    { noUsage: true },
  ] as Faults[]) {
    it(`answers all the same with ${JSON.stringify(faults)}`, async () => {
      simulator.faults = faults
      const { text, error } = await executed(backend)
      expect(error).to.equal(undefined)
      expect(text).to.equal(ANSWER)
    })
  }

  it('waits a second for the usage and no longer, the answer being complete', async () => {
    const clock = manualClock()
    const patient = createDirectLlm(llmEndpoint({ baseUrl: simulator.url, model: 'm' }), { clock })
    simulator.faults = { usageDelayMs: 60_000 }
    let ended = false
    const done = executed(patient).then((result) => {
      ended = true
      return result
    })
    await until('the usage to be waited for', () => clock.pending() === 1 && simulator.requests.length === 1)
    // connect and headers timers are gone once the answer streams; what is pending is the wait for the usage
    await until('the answer', () => clock.pending() === 1)
    await settled()
    while (!ended) {
      clock.advance(500)
      await settled()
    }
    const { text, events, error } = await done
    expect({ text, error }).to.deep.equal({ text: ANSWER, error: undefined })
    expect(events.some(({ type }) => type === 'usage')).to.equal(false)
    patient.close()
  })

  const cases: [Faults, string, string][] = [
    [{ status: 401 }, 'llm_unauthorized', 'headers'],
    [{ status: 429 }, 'llm_rate_limited', 'headers'],
    [{ status: 400 }, 'llm_bad_request', 'headers'],
    [{ status: 503 }, 'llm_http_error', 'headers'],
    [{ refuse: true }, 'llm_unreachable', 'headers'],
    [{ headersDelayMs: 5000 }, 'headers_timeout', 'headers'],
    [{ errorEvent: true }, 'llm_error', 'streaming'],
    [{ errorEvent: { code: 'timeout' } }, 'llm_timeout', 'streaming'],
    [{ dropAfterEvents: 3 }, 'llm_disconnected', 'streaming'],
    [{ noTerminal: true }, 'llm_disconnected', 'streaming'],
    [{ garbage: true }, 'llm_protocol_error', 'streaming'],
    [{ oversizedFrame: 17_000_000 }, 'llm_frame_too_large', 'streaming'],
  ]
  for (const [faults, code, phase] of cases) {
    it(`${JSON.stringify(faults)} → ${code}`, async () => {
      simulator.faults = faults
      const { error } = await executed(
        backend,
        sampleTurn(),
        sampleCall(code === 'headers_timeout' ? { headersMs: 100 } : {}),
      )
      expect(error).to.include({ code, phase, timeout: code.endsWith('_timeout') })
    })
  }

  it('says the status and the code of an error body, not its message', async () => {
    simulator.faults = { status: 429 }
    const { error } = await executed(backend)
    expect(error?.message).to.equal('HTTP 429: simulated_error')
    expect(error?.details).to.deep.equal({ httpStatus: 429, upstreamCode: 'simulated_error' })
  })

  it('no connection → llm_unreachable in phase connect', async () => {
    await simulator.close()
    expect((await executed(backend)).error).to.include({ code: 'llm_unreachable', phase: 'connect' })
  })

  it('frees its connection when it is given up', async () => {
    simulator.faults = { endless: true }
    const call = sampleCall()
    const answer = pulledAnswer(backend, sampleTurn(), call)
    await answer.next()
    call.controller.abort()
    await answer.return(undefined)
    await until('the connection closed', () => simulator.connections === 0)
  })
})
