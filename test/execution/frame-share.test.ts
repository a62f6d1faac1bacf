import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import type { ChatBackend } from '../../src/execution/backend.js'
import { createDirectLlm } from '../../src/execution/llm/direct-llm.js'
import { FRAME_SHARE } from '../../src/execution/parse/memory-share.js'
import { createRuntimeOrchestrator } from '../../src/execution/runtime/runtime-orchestrator.js'
import { llmEndpoint } from '../../src/llm/endpoint.js'
import { executed } from '../support/executed.js'

const LONG = 'x'.repeat(3_000_000)
const JSON_TYPE = { 'content-type': 'application/json' }
const SSE = { 'content-type': 'text/event-stream' }
const frame = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`

const whole = JSON.stringify({ choices: [{ message: { content: LONG }, finish_reason: 'stop' }] })
const answers: [string, Record<string, string>, string, 'llm' | 'runtime'][] = [
  ['a chunk', SSE, frame({ choices: [{ delta: { content: LONG }, finish_reason: 'stop' }] }), 'llm'],
  ['a whole completion as JSON', JSON_TYPE, whole, 'llm'],
  [
    "a runtime's frame",
    SSE,
    `${frame({ event: 'text_chunk', data: { content: LONG } })}${frame({ event: 'execution_complete', data: {} })}`,
    'runtime',
  ],
]

describe('the share of long frames', () => {
  let server: Server
  let url: string
  let answer: (typeof answers)[number]

  before(async () => {
    server = createServer((request, response) => {
      request.resume()
      response.writeHead(200, answer[1]).end(answer[2])
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  after(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  function backendOf(kind: 'llm' | 'runtime'): ChatBackend & { close(): void } {
    if (kind === 'runtime') return createRuntimeOrchestrator({ url })
    return createDirectLlm(llmEndpoint({ baseUrl: url, model: 'm' }))
  }

  /** All that is left of it. */
  function takeRest(): number {
    let taken = 0
    for (let amount = 2 ** 40; amount >= 1; amount /= 2) if (FRAME_SHARE.take(amount)) taken += amount
    return taken
  }

  for (const of of answers) {
    const [what, , , kind] = of
    it(`is asked by ${what}, and has it back`, async () => {
      answer = of
      const backend = backendOf(kind)
      const left = takeRest()
      const refused = await executed(backend)
      expect(refused.error).to.include({ code: `${kind}_frame_too_large` })
      FRAME_SHARE.give(left)
      for (let n = 0; n < 2; n += 1) {
        const { text, error } = await executed(backend)
        expect(text.length).to.equal(LONG.length)
        expect(error).to.equal(undefined)
      }
      const again = takeRest()
      FRAME_SHARE.give(again)
      expect(again).to.equal(left)
      backend.close()
    })
  }
})
