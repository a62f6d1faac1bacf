import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import type { BackendEvent } from '../../../src/execution/backend.js'
import { ExecutionError } from '../../../src/execution/execution-error.js'
import { modelListSchema } from '../../../src/protocol/openai.js'
import { createMemorySessionStore } from '../../../src/sessions/memory-session-store.js'
import { bearer, type Edge, type EdgeOptions, startEdge } from '../../support/edge.js'
import { chunksOf, completionOf, openAiErrorOf, postCompletion, readChunks } from '../../support/openai.js'
import { aborted, answering, hanging, scripted, text } from '../../support/scripted-backend.js'
import { until } from '../../support/until.js'

const TO_RUNTIME: EdgeOptions['flags'] = { mode: { value: 'runtime_orchestrator', reason: 'default' } }

/** Sends the events, and then fails where it is told to. */
const sending = (
  mode: 'direct_llm' | 'runtime_orchestrator',
  events: readonly BackendEvent[],
  failure?: ExecutionError,
) =>
  scripted(mode, async function* (_turn, call) {
    call.onConnected()
    call.onHeaders()
    for (const event of events) yield [event]
    if (failure !== undefined) throw failure
  })

const refusing = (mode: 'direct_llm' | 'runtime_orchestrator') =>
  sending(mode, [], new ExecutionError(mode === 'direct_llm' ? 'llm_error' : 'runtime_error', 'headers', ''))

describe('the OpenAI-compatible front', () => {
  let edge: Edge
  const start = async (options: EdgeOptions = {}): Promise<Edge> => {
    edge = await startEdge(options)
    return edge
  }
  afterEach(() => edge.close())

  it('answers whole, keeps no session, and counts the turn as any other', async () => {
    const { url, outcomes, endedTurns, decisions, journal } = await start({
      backends: { direct_llm: answering('direct_llm', 'Hello ', 'there') },
    })
    const response = await postCompletion(url, await bearer())
    expect(response.status).to.equal(200)
    const answer = await completionOf(response)
    expect(answer.choices[0]).to.deep.equal({
      index: 0,
      message: { role: 'assistant', content: 'Hello there', refusal: null },
      logprobs: null,
      finish_reason: 'stop',
    })
    expect(answer.model).to.equal('gpt-4o')
    expect(answer.id).to.equal(`chatcmpl-${response.headers.get('x-chat-stream-id')}`)
    expect(answer.usage.total_tokens).to.equal(7)
    await until('the end', () => endedTurns.length === 1)
    expect(endedTurns[0]).to.include({ mode: 'direct_llm', outcome: 'answered' })
    expect(decisions).to.have.length(1)
    expect(outcomes.map(({ result, agentId }) => [result, agentId])).to.deep.equal([['ok', 'assistant']])
    expect(journal.executions).to.have.length(1)
    const session = response.headers.get('x-chat-session-id') ?? ''
    expect(await edge.sessions.read(session, { orgId: 'org-1', userId: 'user-1' })).to.equal(undefined)
    expect(edge.requests).to.deep.equal(['200 POST /v1/chat/completions'])
  })

  it('never touches the session store', async () => {
    const touched: string[] = []
    const sessions = new Proxy(createMemorySessionStore({ clock: systemClock }), {
      get(store, name) {
        if (name !== 'close') touched.push(String(name))
        const value: unknown = Reflect.get(store, name)
        return typeof value === 'function' ? value.bind(store) : value
      },
    })
    const { url, endedTurns } = await start({ sessions, timing: { stopLookMs: 1, renewMs: 1 } })
    for (const stream of [true, false]) await (await postCompletion(url, await bearer(), { stream })).text()
    await until('both ends', () => endedTurns.length === 2 && edge.turns.count === 0)
    expect(touched).to.deep.equal([])
  })

  it('streams chunks that begin with the role and end with a reason, the usage and [DONE]', async () => {
    const { url } = await start({ backends: { direct_llm: answering('direct_llm', 'Hel', 'lo\u2028') } })
    const fields = { stream: true, stream_options: { include_usage: true } }
    const response = await postCompletion(url, await bearer(), fields)
    expect(response.headers.get('content-type')).to.equal('text/event-stream; charset=utf-8')
    const body = await response.clone().text()
    expect(body).to.not.include('\u2028')
    const seen = await chunksOf(response)
    expect(seen.content).to.equal('Hello\u2028')
    expect(seen.chunks[0]?.choices[0]?.delta).to.deep.equal({ role: 'assistant', content: '' })
    expect(seen.finishReasons).to.deep.equal(['stop'])
    expect(seen.done).to.equal(true)
    const last = seen.chunks.at(-1)
    expect(last?.choices).to.deep.equal([])
    expect(last?.usage?.total_tokens).to.equal(7)
    expect(seen.chunks.slice(0, -1).every(({ usage }) => usage === null)).to.equal(true)
    expect(new Set(seen.chunks.map(({ id }) => id)).size).to.equal(1)
  })

  it('leaves the usage out of a stream that did not ask for it', async () => {
    const { url } = await start()
    const seen = await chunksOf(await postCompletion(url, await bearer(), { stream: true }))
    expect(seen.chunks.every((chunk) => chunk.usage === undefined)).to.equal(true)
    expect(seen.chunks.at(-1)?.choices).to.have.length(1)
  })

  it('hides a failover, streamed and whole', async () => {
    const { url, failovers, outcomes } = await start({
      flags: TO_RUNTIME,
      backends: { runtime_orchestrator: refusing('runtime_orchestrator') },
    })
    const seen = await chunksOf(await postCompletion(url, await bearer(), { stream: true }))
    expect(seen).to.include({ content: 'Hello from direct', done: true, error: undefined })
    const whole = await completionOf(await postCompletion(url, await bearer()))
    expect(whole.choices[0].message.content).to.equal('Hello from direct')
    await until('both turns', () => failovers.length === 2)
    expect(failovers.map(({ cause }) => cause)).to.deep.equal(['runtime_error', 'runtime_error'])
    expect(outcomes.map(({ mode }) => mode)).to.deep.equal([
      'runtime_orchestrator',
      'direct_llm',
      'runtime_orchestrator',
      'direct_llm',
    ])
  })

  it('tells a failure in mid-answer as an error, and neither a reason nor [DONE] after it', async () => {
    const broken = new ExecutionError('runtime_disconnected', 'streaming', '')
    const { url } = await start({
      flags: TO_RUNTIME,
      backends: { runtime_orchestrator: sending('runtime_orchestrator', [text('Half an')], broken) },
    })
    const seen = await chunksOf(await postCompletion(url, await bearer(), { stream: true }))
    expect(seen.content).to.equal('Half an')
    expect(seen.finishReasons).to.deep.equal([])
    expect(seen.done).to.equal(false)
    expect(seen.error).to.include({ code: 'runtime_disconnected', type: 'server_error', param: null })

    const whole = await postCompletion(url, await bearer())
    expect(whole.status).to.equal(502)
    expect((await openAiErrorOf(whole)).code).to.equal('runtime_disconnected')
  })

  it('tells a failure before the first chunk by its status, streamed too', async () => {
    const { url } = await start({
      flags: TO_RUNTIME,
      backends: {
        runtime_orchestrator: refusing('runtime_orchestrator'),
        direct_llm: sending('direct_llm', [], new ExecutionError('headers_timeout', 'headers', '', true)),
      },
    })
    const response = await postCompletion(url, await bearer(), { stream: true })
    expect(response.status).to.equal(504)
    expect(response.headers.get('content-language')).to.equal('en')
    const error = await openAiErrorOf(response)
    expect(error).to.include({ code: 'headers_timeout', type: 'server_error' })
    expect(error.message).to.equal('The AI service took too long. Try again in a moment')
    expect(edge.requests).to.deep.equal(['504 POST /v1/chat/completions'])
  })

  it('gives OpenAI’s own codes for what the user sent', async () => {
    const rejected = { rejected: true } as const
    const { url } = await start({
      backends: {
        direct_llm: scripted('direct_llm', async function* (turn) {
          yield* []
          const { message } = turn
          if (message === 'long')
            throw new ExecutionError('llm_context_too_long', 'headers', '', false, rejected)
          if (message === 'bad')
            throw new ExecutionError('llm_content_filtered', 'headers', '', false, rejected)
          const refusedParameter = 'stop'
          throw new ExecutionError('llm_bad_request', 'headers', '', false, { ...rejected, refusedParameter })
        }),
      },
    })
    const codes = ['long', 'bad', 'other'].map(async (content) => {
      const response = await postCompletion(url, await bearer(), { messages: [{ role: 'user', content }] })
      const { code, type, param } = await openAiErrorOf(response)
      return [response.status, type, code, param]
    })
    expect(await Promise.all(codes)).to.deep.equal([
      [400, 'invalid_request_error', 'context_length_exceeded', null],
      [400, 'invalid_request_error', 'content_filter', null],
      [400, 'invalid_request_error', 'llm_bad_request', 'stop'],
    ])
  })

  it('keeps a connection alive by comments while nothing is to be told', async () => {
    let answerNow = (): void => undefined
    const commentSeen = new Promise<void>((resolve) => {
      answerNow = resolve
    })
    const { url } = await start({
      timing: { heartbeatMs: 10 },
      backends: {
        direct_llm: scripted('direct_llm', async function* (_turn, call) {
          call.onHeaders()
          await commentSeen
          yield [text('late')]
        }),
      },
    })
    const response = await postCompletion(url, await bearer(), { stream: true })
    let body = ''
    for await (const piece of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
      body += piece
      if (body.includes(': keep-alive\n')) answerNow()
    }
    expect(body).to.not.include('keep-alive\n\n')
    expect(readChunks(body)).to.include({ content: 'late', done: true })
  })

  it('gives steps and calls as reasoning, or leaves them out', async () => {
    const events: BackendEvent[] = [
      { type: 'thinking', data: { content: 'I look it up.', stage: 'planning' } },
      { type: 'plan', data: { steps: [{ id: '1', title: 'Search', status: 'pending' }], currentStep: 0 } },
      { type: 'plan_step', data: { stepId: '1', title: 'Search', status: 'running', tool: 'web' } },
      { type: 'tool_call', data: { toolName: 'web', arguments: { q: 'x' }, status: 'calling' } },
      { type: 'tool_result', data: { toolName: 'web', result: ['y'], success: true } },
      text('Found'),
      { type: 'file', data: { url: 'http://r/a b.pdf', filename: 'a.pdf', mimeType: 'application/pdf' } },
    ]
    const { url } = await start({
      flags: TO_RUNTIME,
      backends: { runtime_orchestrator: sending('runtime_orchestrator', events) },
    })
    const answered = 'Found\n\n[a.pdf](<http://r/a%20b.pdf>)\n\n'
    const ask = async (query: string, stream: boolean) => {
      const response = await postCompletion(url, await bearer(), { stream }, { query })
      if (stream) return chunksOf(response)
      const { message } = (await completionOf(response)).choices[0]
      return { content: message.content, reasoning: message.reasoning_content ?? '' }
    }
    const all = 'I look it up.\nPlan:\n1. Search\nStarted: Search\nTool: web {"q":"x"}\nCompleted: web\n'
    for (const stream of [true, false]) {
      expect(await ask('', stream)).to.include({ content: answered, reasoning: all })
      const thinking = await ask('?events=thinking', stream)
      expect(thinking).to.include({ content: answered, reasoning: 'I look it up.\n' })
      expect(await ask('?events=none', stream)).to.include({ content: answered, reasoning: '' })
    }
    const wrong = await postCompletion(url, await bearer(), {}, { query: '?events=some' })
    expect(wrong.status).to.equal(400)
    expect((await openAiErrorOf(wrong)).param).to.equal('events')
  })

  it('tells each finish reason in OpenAI’s words', async () => {
    const reasons = ['stop', 'length', 'content_filter', 'tool_calls', 'refusal', 'other'] as const
    const { url } = await start({
      backends: {
        direct_llm: scripted('direct_llm', async function* (turn) {
          const finishReason = reasons.find((reason) => reason === turn.message) ?? 'stop'
          yield [text('x'), { type: 'facts', data: { finishReason } }]
        }),
      },
    })
    const told = await Promise.all(
      reasons.map(async (content) => {
        const response = await postCompletion(url, await bearer(), { messages: [{ role: 'user', content }] })
        return (await completionOf(response)).choices[0].finish_reason
      }),
    )
    expect(told).to.deep.equal(['stop', 'length', 'content_filter', 'stop', 'stop', 'stop'])
  })

  it('aborts the turn when the client leaves, streamed or whole', async () => {
    const { url, outcomes, turns } = await start({ backends: { direct_llm: hanging('direct_llm', 'begun') } })
    for (const stream of [true, false]) {
      const leaving = new AbortController()
      const asking = postCompletion(url, await bearer(), { stream }, { signal: leaving.signal })
      if (stream) await asking
      else await until('a running turn', () => turns.count === 1)
      leaving.abort()
      await asking.catch(() => undefined)
      await until('no turn', () => turns.count === 0)
    }
    expect(outcomes.map((outcome) => [outcome.result, 'code' in outcome && outcome.code])).to.deep.equal([
      ['aborted', 'client_gone'],
      ['aborted', 'client_gone'],
    ])
    expect(edge.openStreams()).to.equal(0)
  })

  it('tells both kinds of clients when a drain runs out', async () => {
    const { url, turns } = await start({
      backends: {
        direct_llm: scripted('direct_llm', async function* (turn, call) {
          call.onHeaders()
          if (turn.message === 'begun') yield [text('Half')]
          await aborted(call.signal)
        }),
      },
    })
    const ask = async (content: string, stream: boolean) =>
      postCompletion(url, await bearer(), { stream, messages: [{ role: 'user', content }] })
    const begun = await ask('begun', true)
    const waiting = [ask('waiting', true), ask('waiting', false)]
    await until('three turns', () => turns.count === 3)
    await turns.drain(0)
    const seen = await chunksOf(begun)
    expect(seen).to.include({ content: 'Half', done: false })
    expect(seen.error?.code).to.equal('shutting_down')
    for (const response of await Promise.all(waiting)) {
      expect(response.status).to.equal(503)
      expect(response.headers.get('retry-after')).to.equal('5')
      expect((await openAiErrorOf(response)).code).to.equal('shutting_down')
    }
  })

  it('lists its models and shows each', async () => {
    const models = [
      { id: 'gpt-4o', agentId: 'assistant' },
      { id: 'org/coder', agentId: 'coder' },
    ]
    const { url } = await start({ models })
    const get = async (path: string) =>
      fetch(`${url}/v1${path}`, { headers: { authorization: await bearer(), 'accept-language': 'en' } })
    const list = modelListSchema.parse(await (await get('/models')).json())
    expect(list.data.map(({ id }) => id)).to.deep.equal(['gpt-4o', 'org/coder'])
    for (const path of ['/models/org/coder', '/models/org%2Fcoder'])
      expect(await (await get(path)).json()).to.deep.equal(list.data[1])
    const unknown = await get('/models/gpt-9')
    expect(unknown.status).to.equal(404)
    expect(await openAiErrorOf(unknown)).to.include({ code: 'model_not_found', param: 'model' })
    expect((await fetch(`${url}/v1/models`)).status).to.equal(401)
  })
})
