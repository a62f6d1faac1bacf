import { expect } from 'chai'
import { createDirectLlm } from '../../src/execution/llm/direct-llm.js'
import { llmEndpoint } from '../../src/llm/endpoint.js'
import { type Faults, parseFaults } from '../../src/simulator/faults.js'
import { startLlmSimulator } from '../../src/simulator/llm.js'
import { CONTENT_FORMS, ENCODINGS, ERROR_FORMS } from '../../src/simulator/llm-faults.js'
import type { Simulator } from '../../src/simulator/simulator-server.js'
import { executed } from '../support/executed.js'
import { sampleTurn } from '../support/sample-turn.js'

const ANSWER = '[direct] Answer 1 to: 🦊?'
const REASONED = ['reasoning', 'reasoning_content', 'thinking', 'think_tags']

describe('the habits of the simulated LLM', () => {
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

  /** As an operator sets them, so that what no call can set is no fault either. */
  async function answerUnder(faults: Faults) {
    const parsed = parseFaults(JSON.stringify(faults))
    if (!('faults' in parsed)) throw new Error(parsed.wrong.join())
    simulator.faults = parsed.faults
    const { events, text, error } = await executed(backend, sampleTurn({ message: '🦊?' }))
    const facts = events.find((event) => event.type === 'facts')?.data
    const thinking = events.map((event) => (event.type === 'thinking' ? event.data.content : '')).join('')
    return { text, thinking, error, finishReason: facts?.finishReason }
  }

  for (const contentForm of CONTENT_FORMS) {
    it(`content as ${contentForm}`, async () => {
      const { text, thinking, error, finishReason } = await answerUnder({ contentForm })
      expect({ text, thinking, error, finishReason }).to.deep.equal({
        text: ANSWER,
        thinking: REASONED.includes(contentForm) ? 'hm' : '',
        error: undefined,
        finishReason: contentForm === 'refusal' ? 'refusal' : 'stop',
      })
    })
  }

  for (const errorForm of ERROR_FORMS) {
    it(`an error as ${errorForm}, after text`, async () => {
      const { text, error } = await answerUnder({ errorForm, errorEvent: { afterEvents: 2, code: 'boom' } })
      expect(error).to.include({ code: 'llm_error' })
      expect(text).not.to.equal('')
      const codes: Partial<Record<typeof errorForm, string | undefined>> = {
        text: undefined,
        detail: undefined,
        finish: 'error',
      }
      expect(error?.details.upstreamCode).to.equal(errorForm in codes ? codes[errorForm] : 'boom')
    })
  }

  for (const encoding of ENCODINGS.filter((name) => name !== 'unknown')) {
    it(`encoded as ${encoding}`, async () => {
      const { text, error } = await answerUnder({ encoding, gapMs: 5 })
      expect({ text, error }).to.deep.equal({ text: ANSWER, error: undefined })
    })
  }

  const answered: [Faults, string | undefined][] = [
    [{ finishEveryChunk: 'stop' }, 'stop'],
    [{ finishEveryChunk: '' }, undefined],
    [{ finishReason: 'max_tokens' }, 'length'],
    [{ keepAliveData: ': keepalive', events: 15 }, 'stop'],
    [{ doneText: ' [DONE] ' }, 'stop'],
    [{ contentType: '' }, 'stop'],
    [{ contentType: 'text/plain' }, 'stop'],
    [{ unstreamed: true }, 'stop'],
    [{ redirect: { status: 307, location: '/moved/chat/completions' } }, 'stop'],
  ]
  for (const [faults, finishReason] of answered) {
    it(`answers with ${JSON.stringify(faults)}`, async () => {
      const answer = await answerUnder(faults)
      expect(answer.error).to.equal(undefined)
      expect(answer.text).not.to.equal('')
      expect(answer.finishReason).to.equal(finishReason)
    })
  }

  const failing: [Faults, string][] = [
    [{ encoding: 'unknown' }, 'llm_protocol_error'],
    [{ html: true }, 'llm_protocol_error'],
    [{ errorWith200: 'insufficient_quota' }, 'llm_error'],
    [{ redirect: { status: 302, location: '/moved/chat/completions' } }, 'llm_http_error'],
    [{ finishReason: '', noDone: true }, 'llm_disconnected'],
    [{ finishReason: 'content_filter', events: 0 }, 'llm_content_filtered'],
  ]
  for (const [faults, code] of failing) {
    it(`fails as ${code} with ${JSON.stringify(faults)}`, async () => {
      expect((await answerUnder(faults)).error).to.include({ code })
    })
  }

  it('sends a text before the others', async () => {
    expect((await answerUnder({ leadingText: '\n\n' })).text).to.equal(`\n\n${ANSWER}`)
  })

  it('sends 8 MiB in one chunk', async () => {
    const { text, error } = await answerUnder({ events: 1, textBytes: 8_388_608 })
    expect(error).to.equal(undefined)
    expect(text.length).to.be.at.least(8_000_000)
  })
})
