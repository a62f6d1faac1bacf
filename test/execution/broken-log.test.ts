import { expect } from 'chai'
import { type Logger, silentLogger } from '../../src/core/logger.js'
import { createDirectLlm } from '../../src/execution/llm/direct-llm.js'
import { createRuntimeOrchestrator } from '../../src/execution/runtime/runtime-orchestrator.js'
import { llmEndpoint } from '../../src/llm/endpoint.js'
import { startLlmSimulator } from '../../src/simulator/llm.js'
import { startRuntimeSimulator } from '../../src/simulator/runtime.js'
import { executed } from '../support/executed.js'
import { sampleCall, sampleTurn } from '../support/sample-turn.js'
import { settled } from '../support/turn-runner.js'
import { until } from '../support/until.js'

const broken = (): never => {
  throw new Error('the log broke')
}
const logger: Logger = Object.assign(Object.create(silentLogger), {
  debug: broken,
  info: broken,
  warn: broken,
  error: broken,
})

describe('a backend whose log throws', () => {
  it('of the direct LLM answers, though it learnt that a parameter is refused', async () => {
    const llm = await startLlmSimulator()
    llm.faults = { refuseParameters: ['stream_options'] }
    const backend = createDirectLlm(llmEndpoint({ baseUrl: llm.url, model: 'm' }), { logger })
    const { text, error } = await executed(backend)
    expect({ text, error }).to.deep.equal({ text: '[direct] Answer 1 to: hello', error: undefined })
    backend.close()
    await llm.close()
  })

  it('of the runtime has a cancel that never rejects', async () => {
    const runtime = await startRuntimeSimulator()
    runtime.faults = { hang: 'body' }
    const backend = createRuntimeOrchestrator({ url: runtime.url }, { logger })
    const call = sampleCall()
    const ran = executed(backend, sampleTurn(), call)
    await until('the request', () => runtime.requests.length === 1 && call.seen.length === 2)
    await settled()
    runtime.faults = { refuse: true }
    call.controller.abort()
    await ran
    expect(call.tasks).to.have.length(1)
    backend.close()
    await runtime.close()
  })
})

describe('a runtime that ends in the read that its sink cannot take', () => {
  it('has ended in the fault of the sink', async () => {
    const runtime = await startRuntimeSimulator()
    const backend = createRuntimeOrchestrator({ url: runtime.url })
    const ends: unknown[] = []
    const fault = new TypeError('stray')
    backend.execute(sampleTurn(), sampleCall(), {
      batch(events) {
        if (events.some(({ type }) => type === 'text')) throw fault
        return true
      },
      end: (failure) => void ends.push(failure),
    })
    await until('its end', () => ends.length > 0)
    expect(ends).to.deep.equal([fault])
    backend.close()
    await runtime.close()
  })
})
