import { expect } from 'chai'
import type { BackendEvent, HistoryMessage } from '../../../src/execution/backend.js'
import { createDirectLlm } from '../../../src/execution/llm/direct-llm.js'
import { createRuntimeOrchestrator } from '../../../src/execution/runtime/runtime-orchestrator.js'
import { type LlmEndpoint, llmEndpoint } from '../../../src/llm/endpoint.js'
import { executed } from '../../support/executed.js'
import { useNock } from '../../support/nock.js'
import { sampleCall, sampleTurn } from '../../support/sample-turn.js'

const SSE = { 'content-type': 'text/event-stream' }

const turn = sampleTurn({
  message: 'and now?',
  history: [
    { role: 'user', content: 'hi' },
    { role: 'assistant', content: 'hello' },
  ],
  profile: { systemPrompt: 'Be kind.', model: 'profile-model', temperature: 0.5, maxTokens: 100 },
})

describe('requests to the backends', () => {
  const nock = useNock()

  async function sent(path: string, frames: string, run: () => Promise<unknown>) {
    let body: unknown
    let headers: Record<string, string | string[]> = {}
    nock('http://upstream:8000')
      .post(path, (received) => {
        body = received
        return true
      })
      .reply(function () {
        headers = this.req.headers as typeof headers
        return [200, frames, SSE]
      })
    await run()
    return { body, headers }
  }

  const done = 'data: [DONE]\n\n'

  it('to the runtime carry everything the turn has, in snake_case', async () => {
    const backend = createRuntimeOrchestrator({ url: 'http://upstream:8000' })
    const { body, headers } = await sent('/api/v1/execute/stream', done, () => executed(backend, turn))
    expect(body).to.deep.equal({
      session_id: 'session-1',
      agent_id: 'agent-1',
      org_id: 'org-1',
      user_message: 'and now?',
      history_messages: [
        { role: 'user', content: 'hi' },
        { role: 'assistant', content: 'hello' },
        { role: 'user', content: 'and now?' },
      ],
      agent_config: {
        system_prompt: 'Be kind.',
        model: 'profile-model',
        temperature: 0.5,
        max_tokens: 100,
      },
      metadata: { user_id: 'user-1', message_id: 'message-1' },
    })
    expect(headers['x-request-id']).to.deep.equal('request-1')
    expect(headers['content-type']).to.equal('application/json')
    expect(headers.accept).to.equal('text/event-stream')
  })

  it('to the runtime leave out what the turn has not', async () => {
    const backend = createRuntimeOrchestrator({ url: 'http://upstream:8000' })
    const { body } = await sent('/api/v1/execute/stream', done, () => executed(backend))
    expect(body).to.have.all.keys(
      'session_id',
      'agent_id',
      'org_id',
      'user_message',
      'history_messages',
      'metadata',
    )
    const { user_message, history_messages } = body as { user_message: string; history_messages: unknown }
    expect(history_messages).to.deep.equal([{ role: 'user', content: user_message }])
  })

  it("are the user's fault where the answer blames the message, ours otherwise", async () => {
    const runtime = createRuntimeOrchestrator({ url: 'http://upstream:8000' })
    const llm = createDirectLlm(llmEndpoint({ baseUrl: 'http://upstream:8000/v1', model: 'm' }))
    const long = { detail: [{ type: 'string_too_long', loc: ['body', 'user_message'], msg: 'x' }] }
    nock('http://upstream:8000').post('/api/v1/execute/stream').reply(422, long)
    nock('http://upstream:8000')
      .post('/v1/chat/completions')
      .reply(400, { error: { code: 'content_filter' } })
    expect((await executed(runtime)).error?.details).to.include({ rejected: true, httpStatus: 422 })
    expect((await executed(llm)).error?.details).to.include({ rejected: true, httpStatus: 400 })
    nock('http://upstream:8000')
      .post('/v1/chat/completions')
      .reply(400, { error: { param: 'temperature' } })
    expect((await executed(llm)).error?.details).not.to.have.property('rejected')
  })

  it('cancel by session id', async () => {
    const backend = createRuntimeOrchestrator({ url: 'http://upstream:8000' })
    const frames = 'data: {"event":"text_chunk","data":{"content":"a"}}\n\n'
    const cancel = nock('http://upstream:8000')
      .post('/api/v1/execute/cancel', { session_id: 'session-1' })
      .matchHeader('x-request-id', 'request-1')
      .reply(200, { cancelled: true, session_id: 'session-1' })
    await sent('/api/v1/execute/stream', frames, () => executed(backend))
    expect(cancel.isDone()).to.equal(true)
  })

  it('to the LLM are chat completions that stream and count', async () => {
    const endpoint = llmEndpoint({
      baseUrl: 'http://upstream:8000/v1',
      model: 'default-model',
      auth: { kind: 'bearer', key: 'key' },
    })
    const { body, headers } = await sent('/v1/chat/completions', done, () =>
      executed(createDirectLlm(endpoint), turn),
    )
    expect(body).to.deep.equal({
      model: 'profile-model',
      messages: [
        { role: 'system', content: 'Be kind.' },
        { role: 'user', content: 'hi' },
        { role: 'assistant', content: 'hello' },
        { role: 'user', content: 'and now?' },
      ],
      temperature: 0.5,
      max_tokens: 100,
      stream: true,
      stream_options: { include_usage: true },
    })
    expect(headers.authorization).to.equal('Bearer key')
    expect(headers['x-request-id']).to.equal('request-1')
  })

  it('to the LLM name the configured model and no key where there is none', async () => {
    const backend = createDirectLlm(llmEndpoint({ baseUrl: 'http://upstream:8000', model: 'default-model' }))
    const { body, headers } = await sent('/chat/completions', done, () => executed(backend))
    expect(body).to.deep.equal({
      model: 'default-model',
      messages: [{ role: 'user', content: 'hello' }],
      stream: true,
      stream_options: { include_usage: true },
    })
    expect(headers).not.to.have.property('authorization')
  })

  it('to the LLM keep the query of the base URL', async () => {
    const backend = createDirectLlm(
      llmEndpoint({ baseUrl: 'http://upstream:8000/openai?api-version=1', model: 'm' }),
    )
    await sent('/openai/chat/completions?api-version=1', done, () => executed(backend))
  })

  describe('to an LLM endpoint', () => {
    const base = { baseUrl: 'http://upstream:8000/v1?api-version=1', model: 'm' }
    async function shaped(given: Partial<LlmEndpoint>, path = '/v1/chat/completions?api-version=1') {
      const { body, headers } = await sent(path, done, () =>
        executed(createDirectLlm(llmEndpoint({ ...base, ...given })), turn),
      )
      return { body: body as Record<string, unknown>, headers }
    }

    it('carry its key in a header of its own', async () => {
      const { headers } = await shaped({ auth: { kind: 'api-key', key: 'k' } })
      expect(headers).to.include({ 'api-key': 'k' }).and.not.have.property('authorization')
    })

    it('carry its headers, and none of them instead of ours', async () => {
      const { headers } = await shaped({ headers: { 'X-Title': 'chat', 'User-Agent': 'mine' } })
      expect(headers).to.include({ 'x-title': 'chat', 'user-agent': 'mine', accept: 'text/event-stream' })
    })

    it('have its query beside that of the base URL, over the same name', async () => {
      const query = { 'api-version': '2', deployment: 'a b' }
      await shaped({ query }, '/v1/chat/completions?api-version=2&deployment=a+b')
    })

    it('have its names for parameters, and none that it omits', async () => {
      const { body } = await shaped({
        rename: { max_tokens: 'max_completion_tokens' },
        omit: ['temperature', 'stream_options'],
      })
      expect(body).to.have.keys('model', 'messages', 'max_completion_tokens', 'stream')
      expect(body.max_completion_tokens).to.equal(100)
    })

    it('have its fields, which win over ours', async () => {
      const extra = { temperature: 1, reasoning: { effort: 'low' } }
      expect((await shaped({ body: extra })).body).to.deep.include({ ...extra, max_tokens: 100 })
      const renamed = { rename: { max_tokens: 'limit' }, body: { limit: 7 } }
      expect((await shaped(renamed)).body).to.include({ limit: 7 })
    })
  })

  it('to the LLM leave out the oldest turns that do not fit its context, and say so', async () => {
    const endpoint = { baseUrl: 'http://upstream:8000', model: 'm' }
    const history = ['a', 'b', 'c'].flatMap((name): HistoryMessage[] => [
      { role: 'user', content: name.repeat(10) },
      { role: 'assistant', content: name.repeat(10) },
    ])
    const long = sampleTurn({ message: 'x'.repeat(10), history, profile: { systemPrompt: 'y'.repeat(10) } })
    const answer = 'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    const kept = async (contextCharacters?: number) => {
      const limit = contextCharacters === undefined ? {} : { contextCharacters }
      const backend = createDirectLlm(llmEndpoint({ ...endpoint, ...limit }))
      let events: readonly BackendEvent[] = []
      const { body } = await sent('/chat/completions', answer, async () => {
        events = (await executed(backend, long)).events
      })
      const { messages } = body as { messages: HistoryMessage[] }
      const trimmed = events.some((event) => event.type === 'facts' && event.data.trimmed === true)
      return [messages.map(({ content }) => content[0]).join(''), trimmed]
    }
    expect(await kept()).to.deep.equal(['yaabbccx', false])
    expect(await kept(80)).to.deep.equal(['yaabbccx', false])
    expect(await kept(79)).to.deep.equal(['ybbccx', true])
    expect(await kept(40)).to.deep.equal(['yccx', true])
    expect(await kept(1)).to.deep.equal(['yx', true])
  })

  it('are not taken for an answer when it is no event stream', async () => {
    nock('http://upstream:8000').post('/chat/completions').reply(200, { choices: [] })
    const llm = await executed(createDirectLlm(llmEndpoint({ baseUrl: 'http://upstream:8000', model: 'm' })))
    expect(llm.error).to.include({ code: 'llm_protocol_error', phase: 'headers' })
    nock('http://upstream:8000').post('/api/v1/execute/stream').reply(200, 'hi')
    nock('http://upstream:8000').post('/api/v1/execute/cancel').reply(200, {})
    const runtime = await executed(
      createRuntimeOrchestrator({ url: 'http://upstream:8000' }),
      turn,
      sampleCall(),
    )
    expect(runtime.error).to.include({ code: 'runtime_protocol_error', phase: 'headers' })
  })
})
