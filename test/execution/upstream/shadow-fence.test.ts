import { expect } from 'chai'
import { createDirectLlm } from '../../../src/execution/llm/direct-llm.js'
import { createRuntimeOrchestrator } from '../../../src/execution/runtime/runtime-orchestrator.js'
import { llmEndpoint } from '../../../src/llm/endpoint.js'
import { startLlmSimulator } from '../../../src/simulator/llm.js'
import { startRuntimeSimulator } from '../../../src/simulator/runtime.js'
import type { Simulator } from '../../../src/simulator/simulator-server.js'
import { executed } from '../../support/executed.js'
import { sampleTurn } from '../../support/sample-turn.js'

const shadow = sampleTurn({ sessionId: 'shadow:1', shadow: true })

/** What `/_requests` says, as a test that has only the address of a simulator sees it. */
async function seen(simulator: Simulator): Promise<Record<string, unknown>[]> {
  return (await (await fetch(`${simulator.url}/_requests`)).json()) as Record<string, unknown>[]
}

describe('the fence around shadows, on the wire', () => {
  describe('to the runtime', () => {
    let runtime: Simulator
    let backend: ReturnType<typeof createRuntimeOrchestrator>
    beforeEach(async () => {
      runtime = await startRuntimeSimulator()
      backend = createRuntimeOrchestrator({ url: runtime.url })
    })
    afterEach(async () => {
      backend.close()
      await runtime.close()
    })

    it('is a header and a word in the metadata', async () => {
      await executed(backend, shadow)
      expect(await seen(runtime)).to.deep.equal([
        {
          method: 'POST',
          path: '/api/v1/execute/stream',
          requestId: 'request-1',
          shadow: '1',
          sessionId: 'shadow:1',
          metadata: { user_id: 'user-1', message_id: 'message-1', shadow: true },
        },
      ])
    })

    it('is around the cancel too, which names the session of the shadow', async () => {
      runtime.faults = { noTerminal: true }
      await executed(backend, shadow)
      const [, cancel] = await seen(runtime)
      expect(cancel).to.deep.include({ path: '/api/v1/execute/cancel', shadow: '1', sessionId: 'shadow:1' })
    })

    it("is not around a user's turn", async () => {
      runtime.faults = { noTerminal: true }
      await executed(backend)
      const requests = await seen(runtime)
      expect(requests).to.have.length(2)
      for (const request of requests) expect(request).not.to.have.property('shadow')
      expect(requests[0]?.metadata).to.deep.equal({ user_id: 'user-1', message_id: 'message-1' })
    })
  })

  it('to the direct LLM is a header alone', async () => {
    const llm = await startLlmSimulator()
    const backend = createDirectLlm(llmEndpoint({ baseUrl: llm.url, model: 'm' }))
    await executed(backend, shadow)
    await executed(backend)
    const [first, second] = llm.requests
    expect(first?.headers['x-chat-shadow']).to.equal('1')
    expect(second?.headers).not.to.have.property('x-chat-shadow')
    expect(first?.body).to.equal(second?.body)
    backend.close()
    await llm.close()
  })
})
