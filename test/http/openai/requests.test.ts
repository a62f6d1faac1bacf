import { expect } from 'chai'
import type { TurnFlags } from '../../../src/decision/flags.js'
import { bearer, DEFAULT_FLAGS, type Edge, type EdgeOptions, startEdge } from '../../support/edge.js'
import { chunksOf, completionOf, openAiErrorOf, postCompletion } from '../../support/openai.js'
import { answering, hanging } from '../../support/scripted-backend.js'
import { until } from '../../support/until.js'

const TO_RUNTIME: Partial<TurnFlags> = { mode: { value: 'runtime_orchestrator', reason: 'default' } }

describe('a request to the OpenAI-compatible front', () => {
  let edge: Edge
  const start = async (options: EdgeOptions = {}): Promise<Edge> => {
    edge = await startEdge(options)
    return edge
  }
  afterEach(() => edge.close())

  const ask = async (fields: object, headers: Record<string, string> = {}): Promise<Response> =>
    postCompletion(edge.url, await bearer(), fields, { headers })

  it('brings the history and the system prompt, and keeps what the agent profile says beside them', async () => {
    const llm = answering('direct_llm', 'yes')
    await start({
      backends: { direct_llm: llm },
      flags: { profile: { systemPrompt: 'Be kind.', model: 'm', temperature: 1, maxTokens: 9 } },
    })
    const messages = [
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'One' },
          { type: 'text', text: ' two' },
        ],
      },
      { role: 'assistant', content: null },
      { role: 'assistant', content: 'Three' },
      { role: 'developer', content: 'Rhyme.' },
      { role: 'user', content: 'Four\ud800' },
    ]
    const fields = { messages, temperature: 0, max_tokens: 5, max_completion_tokens: 4, stop: null, seed: 3 }
    expect((await ask({ ...fields, metadata: { a: 1 }, n: 1, tools: [] })).status).to.equal(200)
    const turn = llm.turns[0]
    expect(turn?.message).to.equal('Four\ufffd')
    expect(turn?.history).to.deep.equal([
      { role: 'user', content: 'One two' },
      { role: 'assistant', content: 'Three' },
    ])
    expect(turn?.profile).to.deep.equal({
      systemPrompt: 'Be kind.\n\nBe brief.\n\nRhyme.',
      model: 'm',
      temperature: 0,
      maxTokens: 4,
    })
    expect(turn?.parameters).to.deep.equal({ temperature: 0, max_tokens: 4, seed: 3 })
  })

  it('goes to the runtime under an id of its own, so that no cancel hits another turn of the bucket', async () => {
    const runtime = answering('runtime_orchestrator', 'yes')
    await start({ backends: { runtime_orchestrator: runtime }, flags: TO_RUNTIME })
    for (let turn = 0; turn < 2; turn++) await ask({}, { 'x-chat-session-id': 'conversation-7' })
    const [first, second] = runtime.turns
    expect(first?.sessionId).to.equal(first?.messageId)
    expect(first?.sessionId).to.not.equal(second?.sessionId)
    expect(runtime.turns.map(({ caller }) => caller.sessionId)).to.deep.equal([
      'conversation-7',
      'conversation-7',
    ])
    expect(first?.caller.agentId).to.equal('assistant')
  })

  it('stays with the direct LLM where it asks for JSON, without shadow and counted as its decision', async () => {
    await start({ flags: { ...TO_RUNTIME, shadow: true } })
    const json = { response_format: { type: 'json_object' } }
    const answer = await completionOf(await ask(json))
    expect(answer.choices[0].message.content).to.equal('Hello from direct')
    const text = await completionOf(await ask({ response_format: { type: 'text' } }))
    expect(text.choices[0].message.content).to.equal('Hello from runtime')
    expect(edge.decisions.map(({ mode, shadow }) => [mode, shadow])).to.deep.equal([
      ['direct_llm', false],
      ['runtime_orchestrator', true],
    ])
  })

  it('gives a shadow the same turn', async () => {
    const considered: unknown[] = []
    const shadows: EdgeOptions['shadows'] = {
      consider(turn, decision) {
        considered.push([turn.message, turn.parameters, decision.shadow])
        return undefined
      },
    }
    await start({ flags: { shadow: true }, shadows })
    await ask({ stop: ['END'] })
    expect(considered).to.deep.equal([['Hello', { stop: ['END'] }, true]])
  })

  it('is bucketed by its session header, else by its user, else by how the conversation began', async () => {
    const seen: string[] = []
    await start({
      flagsFor: async ({ sessionId }) => {
        seen.push(sessionId)
        return DEFAULT_FLAGS
      },
    })
    const first = { role: 'user', content: 'Begin' }
    const later = [{ role: 'system', content: 's' }, first, { role: 'assistant', content: 'a' }, first]
    const response = await ask({ user: 'u' }, { 'x-chat-session-id': 'abc' })
    expect(response.headers.get('x-chat-session-id')).to.equal('abc')
    await ask({ user: 'ada@example.com' })
    await ask({ user: 'ada@example.com', messages: later })
    await ask({ user: 'bob@example.com' })
    await ask({ messages: [first] })
    await ask({ messages: later })
    await ask({ messages: [{ role: 'user', content: 'Other' }] })
    await ask({}, { 'x-chat-session-id': 'a b' })
    const [header, ada, adaLater, bob, began, beganLater, other, odd] = seen
    expect(header).to.equal('abc')
    expect(ada).to.match(/^user-[\da-f]{16}$/)
    expect(adaLater).to.equal(ada)
    expect(bob).to.not.equal(ada)
    expect(began).to.match(/^conversation-[\da-f]{16}$/)
    expect(beganLater).to.equal(began)
    expect(other).to.not.equal(began)
    expect(odd).to.match(/^session-[\da-f]{16}$/)
  })

  it('is refused with the field that is at fault', async () => {
    await start()
    const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }
    const user = { role: 'user', content: 'x' }
    const refused: [object, string, string][] = [
      [{ messages: [] }, 'messages', 'bad_request'],
      [{ messages: [{ role: 'boss', content: 'x' }] }, 'messages[0].role', 'bad_request'],
      [{ messages: [{ role: 'user', content: 5 }] }, 'messages[0].content', 'bad_request'],
      [{ messages: [{ role: 'user', content: ' ' }] }, 'messages[0].content', 'bad_request'],
      [
        { messages: [{ role: 'user', content: [image] }] },
        'messages[0].content[0].type',
        'unsupported_parameter',
      ],
      [{ messages: [user, { role: 'assistant', content: 'y' }] }, 'messages[1].role', 'bad_request'],
      [
        { messages: [{ role: 'tool', content: 'y', tool_call_id: '1' }, user] },
        'messages[0].role',
        'unsupported_parameter',
      ],
      [
        { messages: [user, { role: 'assistant', content: null, tool_calls: [{}] }, user] },
        'messages[1].tool_calls',
        'unsupported_parameter',
      ],
      [{ model: '' }, 'model', 'bad_request'],
      [{ temperature: 3 }, 'temperature', 'bad_request'],
      [{ max_tokens: 0 }, 'max_tokens', 'bad_request'],
      [{ stream: 'yes' }, 'stream', 'bad_request'],
      [{ tools: [{ type: 'function' }] }, 'tools', 'unsupported_parameter'],
      [{ functions: [{}] }, 'functions', 'unsupported_parameter'],
      [{ n: 2 }, 'n', 'unsupported_parameter'],
      [{ logprobs: true }, 'logprobs', 'unsupported_parameter'],
      [{ top_logprobs: 2 }, 'top_logprobs', 'unsupported_parameter'],
      [{ modalities: ['text', 'audio'] }, 'modalities', 'unsupported_parameter'],
      [{ audio: {} }, 'audio', 'unsupported_parameter'],
      [{ web_search_options: {} }, 'web_search_options', 'unsupported_parameter'],
    ]
    for (const [fields, param, code] of refused) {
      const response = await ask({ ...fields, ...(param === 'stream' ? {} : { stream: true }) })
      const error = await openAiErrorOf(response)
      expect([response.status, error.type, error.param, error.code]).to.deep.equal([
        400,
        'invalid_request_error',
        param,
        code,
      ])
      expect(error.message).to.match(/^[\w.[\]]+[: ]/)
    }
    expect(edge.decisions).to.deep.equal([])
  })

  it('names no model that there is not', async () => {
    await start()
    const response = await ask({ model: 'gpt-5' })
    expect(response.status).to.equal(404)
    expect(await openAiErrorOf(response)).to.include({ code: 'model_not_found', param: 'model' })
  })

  it('is refused in OpenAI’s shape by everything around it', async () => {
    const { url } = await start({ maxStreams: 1, backends: { direct_llm: hanging('direct_llm', 'x') } })
    const post = async (headers: Record<string, string>, body: string) => {
      const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body })
      const { type, code } = await openAiErrorOf(response)
      return [response.status, type, code]
    }
    const authorization = await bearer()
    const json = { 'content-type': 'application/json' }
    expect(await post(json, '{}')).to.deep.equal([401, 'authentication_error', 'invalid_api_key'])
    expect(await post({ ...json, authorization: 'Bearer x.y.z' }, '{}')).to.deep.equal([
      401,
      'authentication_error',
      'invalid_api_key',
    ])
    expect(await post({ ...json, authorization }, '{')).to.deep.equal([
      400,
      'invalid_request_error',
      'bad_request',
    ])
    expect(await post({ ...json, authorization }, `"${'x'.repeat(1_048_576)}"`)).to.deep.equal([
      413,
      'invalid_request_error',
      'payload_too_large',
    ])
    expect(await post({ authorization, 'content-type': 'text/plain' }, '{}')).to.deep.equal([
      415,
      'invalid_request_error',
      'unsupported_media_type',
    ])
    const other = await fetch(`${url}/v1/completions`, { method: 'POST', headers: { authorization } })
    expect([other.status, (await openAiErrorOf(other)).code]).to.deep.equal([404, 'not_found'])
    const get = await fetch(`${url}/v1/chat/completions`, { headers: { authorization } })
    expect(get.status).to.equal(405)
    expect(get.headers.get('allow')).to.include('POST')
    expect((await openAiErrorOf(get)).code).to.equal('method_not_allowed')

    const first = await ask({ stream: true })
    const full = await ask({})
    expect(full.status).to.equal(503)
    expect(full.headers.get('retry-after')).to.equal('1')
    expect((await openAiErrorOf(full)).code).to.equal('overloaded')
    await first.body?.cancel()
    await until('no turn', () => edge.turns.count === 0)

    edge.state = 'draining'
    const draining = await ask({})
    expect([draining.status, draining.headers.get('retry-after')]).to.deep.equal([503, '5'])
    expect((await openAiErrorOf(draining)).code).to.equal('draining')
  })

  it('is refused while the direct LLM has no place, with the seconds to wait', async () => {
    await start({ admission: { admit: () => 3, leave: () => undefined } })
    for (const stream of [true, false]) {
      const response = await ask({ stream })
      expect([response.status, response.headers.get('retry-after')]).to.deep.equal([503, '3'])
      expect((await openAiErrorOf(response)).code).to.equal('overloaded')
    }
    expect(edge.turns.count).to.equal(0)
  })

  it('shares the limit of turns a minute with the chat', async () => {
    const { url } = await start({ turnsPerMinute: 1 })
    const chat = await fetch(`${url}/api/v1/chat/start`, {
      method: 'POST',
      headers: { authorization: await bearer(), 'content-type': 'application/json' },
      body: JSON.stringify({ agentId: 'a', message: 'x' }),
    })
    await chat.text()
    const response = await ask({})
    expect(response.status).to.equal(429)
    expect(Number(response.headers.get('retry-after'))).to.be.greaterThan(0)
    expect(await openAiErrorOf(response)).to.include({
      type: 'rate_limit_error',
      code: 'rate_limit_exceeded',
    })
  })

  it('runs beside others of its bucket', async () => {
    await start({ backends: { direct_llm: hanging('direct_llm', 'x') } })
    const headers = { 'x-chat-session-id': 'one' }
    const responses = await Promise.all([ask({ stream: true }, headers), ask({ stream: true }, headers)])
    expect(responses.map(({ status }) => status)).to.deep.equal([200, 200])
    await edge.turns.drain(0)
    for (const response of responses) expect((await chunksOf(response)).error?.code).to.equal('shutting_down')
  })
})
