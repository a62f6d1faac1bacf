import { expect } from 'chai'
import type { HistoryMessage } from '../../../src/execution/backend.js'
import { ExecutionError } from '../../../src/execution/execution-error.js'
import { createDirectLlm } from '../../../src/execution/llm/direct-llm.js'
import { LlmRequests } from '../../../src/execution/llm/llm-requests.js'
import { type LlmEndpoint, llmEndpoint } from '../../../src/llm/endpoint.js'
import { RefusedParameters } from '../../../src/llm/refused-parameters.js'
import type { Faults } from '../../../src/simulator/faults.js'
import { startLlmSimulator } from '../../../src/simulator/llm.js'
import { CONTEXT_FORMS, REFUSE_FORMS } from '../../../src/simulator/llm-faults.js'
import type { Simulator } from '../../../src/simulator/simulator-server.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { executed } from '../../support/executed.js'
import { sampleCall, sampleTurn } from '../../support/sample-turn.js'

const profile = { temperature: 0.2, maxTokens: 50 }
/** turns of ten characters each */
const historyOf = (turns: number): HistoryMessage[] =>
  Array.from({ length: turns }, (_, at): HistoryMessage[] => [
    { role: 'user', content: `${at}`.padEnd(5, 'q') },
    { role: 'assistant', content: `${at}`.padEnd(5, 'a') },
  ]).flat()

describe('the requests of one execution', () => {
  let simulator: Simulator
  let refused: RefusedParameters
  let log: ReturnType<typeof capturingLogger>
  const backends: { close(): void }[] = []

  beforeEach(async () => {
    simulator = await startLlmSimulator()
    refused = new RefusedParameters()
    log = capturingLogger()
  })
  afterEach(async () => {
    for (const backend of backends.splice(0)) backend.close()
    await simulator.close()
  })

  function open(given: Partial<LlmEndpoint> = {}) {
    const endpoint = llmEndpoint({ baseUrl: `${simulator.url}/v1`, model: 'm', ...given })
    const backend = createDirectLlm(endpoint, { logger: log.logger, refused })
    backends.push(backend)
    return backend
  }

  async function ask(
    faults: Faults,
    backend = open(),
    turn = sampleTurn({ profile }),
    call = sampleCall({ headersMs: 5000 }),
  ) {
    simulator.faults = faults
    const before = simulator.requests.length
    const { events, text, error } = await executed(backend, turn, call)
    const facts = Object.assign({}, ...events.map((event) => (event.type === 'facts' ? event.data : {})))
    const sent = simulator.requests.slice(before).map(({ body }) => JSON.parse(body))
    return { text, error, facts, sent, seen: call.seen }
  }

  const told = () => log.lines.filter(({ msg }) => String(msg).startsWith('[LLM]'))

  describe('where a parameter is refused', () => {
    for (const refuseForm of REFUSE_FORMS)
      it(`by ${refuseForm}: once more without it, remembered, said once`, async () => {
        const faults: Faults = { refuseParameters: ['stream_options'], refuseForm }
        const backend = open()
        const first = await ask(faults, backend)
        expect(first.error).to.equal(undefined)
        expect(first.text).not.to.equal('')
        expect(first.sent.map((body) => 'stream_options' in body)).to.deep.equal([true, false])
        expect(first.facts).to.include({ attempts: 2 })
        expect(first.seen).to.deep.equal(['connected', 'headers'])
        const second = await ask(faults, backend)
        expect(second.sent.map((body) => 'stream_options' in body)).to.deep.equal([false])
        expect(second.facts).not.to.have.property('attempts')
        expect(told()).to.have.length(1)
        expect(told()[0]).to.include({ endpoint: 'default', model: 'm', parameter: 'stream_options' })
      })

    it('one after the other, each once', async () => {
      const { sent, facts, error } = await ask({ refuseParameters: ['temperature', 'max_tokens', 'stream'] })
      expect(error).to.equal(undefined)
      expect(sent.map((body) => Object.keys(body).sort().join())).to.deep.equal([
        'max_tokens,messages,model,stream,stream_options,temperature',
        'max_tokens,messages,model,stream,stream_options',
        'messages,model,stream,stream_options',
        'messages,model',
      ])
      expect(facts).to.include({ attempts: 4 })
      expect(told()).to.have.length(3)
    })

    it('under its name there, of a field of the endpoint too', async () => {
      const backend = open({ rename: { max_tokens: 'limit' }, body: { seed: 1 } })
      const { sent } = await ask({ refuseParameters: ['limit', 'seed'] }, backend)
      expect(sent.at(-1)).to.not.have.any.keys('limit', 'seed', 'max_tokens')
    })

    it('for that model and endpoint alone, and for users and shadows together', async () => {
      const faults: Faults = { refuseParameters: ['temperature'] }
      await ask(faults)
      expect((await ask(faults, open())).sent).to.have.length(1)
      const other = sampleTurn({ profile: { ...profile, model: 'n' } })
      expect((await ask(faults, open(), other)).sent).to.have.length(2)
      expect((await ask(faults, open({ name: 'b' }))).sent).to.have.length(2)
    })

    it('and something else fails then: nothing is remembered', async () => {
      const { error, sent } = await ask({ refuseParameters: ['temperature'], contextCharacters: 1 })
      expect(error).to.include({ code: 'llm_context_too_long' })
      expect(sent).to.have.length(2)
      expect(error?.details).to.include({ attempts: 2 })
      expect(told()).to.deep.equal([])
      expect(refused.of('default', 'm').size).to.equal(0)
    })

    it('that the client asked for: left out of this turn, and never remembered', async () => {
      const parameters = { temperature: 0.2, max_tokens: 50, seed: 1 }
      const turn = sampleTurn({ profile, parameters })
      const backend = open({ rename: { max_tokens: 'limit' } })
      const { sent, error } = await ask({ refuseParameters: ['seed', 'limit'] }, backend, turn)
      expect(error).to.equal(undefined)
      expect(sent[0]).to.include({ temperature: 0.2, limit: 50, seed: 1 })
      expect(sent.at(-1)).to.not.have.any.keys('seed', 'limit', 'max_tokens')
      expect(refused.of('default', 'm').size).to.equal(0)
      expect(told()).to.deep.equal([])
    })

    it('that the client cannot do without: refused to the client, by its name', async () => {
      for (const parameter of ['stop', 'response_format']) {
        const turn = sampleTurn({ parameters: { [parameter]: 'wrong' } })
        const { sent, error } = await ask({ refuseParameters: [parameter] }, open(), turn)
        expect(sent).to.have.length(1)
        expect(error).to.include({ code: 'llm_bad_request' })
        expect(error?.details).to.include({ rejected: true, refusedParameter: parameter })
      }
      expect(refused.of('default', 'm').size).to.equal(0)
    })

    it('that was not sent: the failure is told', async () => {
      const { error, sent } = await ask({ refuseParameters: ['model'] })
      expect(error).to.include({ code: 'llm_bad_request' })
      expect(sent).to.have.length(1)
    })
  })

  describe('where the prompt is too long', () => {
    const turn = sampleTurn({ history: historyOf(8) })

    for (const contextForm of CONTEXT_FORMS)
      it(`in the words of ${contextForm}: once more with half the history, told as trimmed`, async () => {
        const { text, error, facts, sent } = await ask({ contextCharacters: 50, contextForm }, open(), turn)
        expect(error).to.equal(undefined)
        expect(text).not.to.equal('')
        expect(sent.map(({ messages }) => messages.length)).to.deep.equal([17, 9])
        expect(sent[1].messages).to.deep.equal(sent[0].messages.slice(8))
        expect(facts).to.deep.include({ attempts: 2, trimmed: true })
      })

    for (const contextForm of CONTEXT_FORMS)
      it(`still, in the words of ${contextForm}: an eighth, nothing, then the user's own code`, async () => {
        const { error, sent } = await ask({ contextCharacters: 1, contextForm }, open(), turn)
        expect(error).to.include({ code: 'llm_context_too_long', timeout: false })
        expect(error?.details).to.include({ rejected: true, attempts: 4 })
        if (contextForm === 'gemini')
          expect(error?.details.upstreamCode, 'out of a list').to.equal('INVALID_ARGUMENT')
        expect(sent.map(({ messages }) => messages.length)).to.deep.equal([17, 9, 3, 1])
      })

    it('many times over: a conversation goes on with its newest turns, or with the message alone', async () => {
      const long = sampleTurn({ history: historyOf(40) })
      const eighth = await ask({ contextCharacters: 80 }, open(), long)
      expect(eighth.error).to.equal(undefined)
      expect(eighth.facts).to.deep.include({ attempts: 3, trimmed: true })
      expect(eighth.sent.at(-1).messages.length).to.be.within(9, 15)
      const alone = await ask({ contextCharacters: 6 }, open(), long)
      expect(alone.error).to.equal(undefined)
      expect(alone.facts).to.deep.include({ attempts: 4, trimmed: true })
      expect(alone.sent.at(-1).messages).to.deep.equal([{ role: 'user', content: long.message }])
    })

    it('says once for each model what the server took, without content', async () => {
      const backend = open()
      for (const model of ['m', 'm', 'n'])
        await ask({ contextCharacters: 50 }, backend, { ...turn, profile: { ...turn.profile, model } })
      const characters = 4 * (5 + 5) + turn.message.length
      expect(
        told().map(({ endpoint, model, characters }) => ({ endpoint, model, characters })),
      ).to.deep.equal([
        { endpoint: 'default', model: 'm', characters },
        { endpoint: 'default', model: 'n', characters },
      ])
      expect(told()[0]?.msg).to.contain('too long').and.to.contain('contextCharacters')
      await ask({ contextCharacters: 1 }, open({ name: 'other' }), turn)
      expect(told(), 'nothing was taken').to.have.length(2)
    })

    it('without a history: at once', async () => {
      const { error, sent } = await ask({ contextCharacters: 1 }, open(), sampleTurn())
      expect(error).to.include({ code: 'llm_context_too_long' })
      expect(error?.details).to.include({ rejected: true }).and.not.have.property('attempts')
      expect(sent).to.have.length(1)
    })

    it('and something was shown: no second request', async () => {
      const error = "This model's maximum context length is 5 tokens"
      const seen = await ask({ errorEvent: { afterEvents: 3, error } }, open(), turn)
      expect(seen.text).not.to.equal('')
      expect(seen.error).to.include({ code: 'llm_context_too_long' })
      expect(seen.sent).to.have.length(1)
    })

    it('for the limit of the answer: once more without it, this time alone', () => {
      const requests = new LlmRequests(
        sampleTurn({ profile, history: historyOf(2) }),
        llmEndpoint({ baseUrl: 'http://llm.test', model: 'm' }),
        refused,
      )
      const details = { refusedParameter: 'max_tokens' }
      const failure = new ExecutionError('llm_context_too_long', 'headers', 'x', false, details)
      expect(requests.next()).to.have.property('max_tokens')
      expect(requests.again(failure)).to.equal(true)
      const second = requests.next()
      expect(second).not.to.have.property('max_tokens')
      expect(second.messages).to.have.length(5)
      expect(requests.accepted()).to.deep.equal([])
      expect(requests.again(failure), 'half the history').to.equal(true)
      expect(requests.next().messages).to.have.length(3)
      expect(requests.again(failure), 'less than the newest turn: nothing').to.equal(true)
      expect(requests.next().messages).to.have.length(1)
      expect(requests.again(failure)).to.equal(false)
    })

    it('after what the endpoint can take was cut already: half of that', async () => {
      const backend = open({ contextCharacters: 45 })
      const { sent, facts } = await ask({ contextCharacters: 30 }, backend, turn)
      expect(sent.map(({ messages }) => messages.length)).to.deep.equal([9, 5])
      expect(facts).to.deep.include({ attempts: 2, trimmed: true })
    })
  })

  it('share one time for their heads', async () => {
    // The first has 400 ms to spare on a busy machine; both together have none.
    const slow: Faults = { refuseParameters: ['temperature'], headersDelayMs: 500 }
    const { error, sent } = await ask(slow, open(), sampleTurn({ profile }), sampleCall({ headersMs: 900 }))
    expect(error).to.include({ code: 'headers_timeout' })
    expect(sent).to.have.length(2)
  })

  it('reach a server that wants its key and its version elsewhere', async () => {
    const faults: Faults = { requireApiKey: 'k', requireQuery: 'api-version' }
    expect((await ask(faults)).error).to.include({ code: 'llm_unauthorized' })
    const key = { auth: { kind: 'api-key', key: 'k' } } as const
    expect((await ask(faults, open(key))).error).to.include({ code: 'llm_http_error' })
    const good = await ask(faults, open({ ...key, query: { 'api-version': '2024-10-21' } }))
    expect(good.error).to.equal(undefined)
  })
})
