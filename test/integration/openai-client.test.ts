import { expect } from 'chai'
import OpenAI from 'openai'
import { type OpenAiRig, startOpenAiRig } from '../support/openai-rig.js'
import { bearer } from '../support/processes.js'
import { rejection } from '../support/rejection.js'
import { until } from '../support/until.js'

const QUESTION = { role: 'user', content: 'Hello' } as const
const ASKED = { model: 'gpt-4o', messages: [QUESTION] }

/** The library `openai` against the running service, pointed at it by its base URL and key alone. */
describe('the library openai', function () {
  this.timeout(60_000)
  let rig: OpenAiRig
  let client: OpenAI

  before(async () => {
    rig = await startOpenAiRig()
    client = new OpenAI({ baseURL: rig.baseUrl, apiKey: rig.apiKey, maxRetries: 0 })
  })
  after(() => rig?.close())
  afterEach(() => Promise.all([rig.runtime({}), rig.llm({})]))

  const streamed = async (fields: object = {}): Promise<string> => {
    let text = ''
    const stream = await client.chat.completions.create({ ...ASKED, ...fields, stream: true })
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
    return text
  }
  const whole = async (): Promise<string | null | undefined> => {
    const answer = await client.chat.completions.create(ASKED)
    return answer.choices[0]?.message.content
  }

  it('is answered by the runtime, whole and streamed', async () => {
    const answer = await client.chat.completions.create(ASKED)
    expect(answer.choices[0]?.message.content).to.match(/^\[runtime\] Answer 1 to: Hello/)
    expect(answer.choices[0]?.finish_reason).to.equal('stop')
    expect(answer.usage?.total_tokens).to.be.greaterThan(0)
    expect(await streamed()).to.equal(answer.choices[0]?.message.content)
  })

  it('is answered by the direct LLM for an org that the flags leave there', async () => {
    const apiKey = (await bearer({ org: 'other' })).replace('Bearer ', '')
    const other = client.withOptions({ apiKey })
    const answer = await other.chat.completions.create({ ...ASKED, stop: ['END'], temperature: 0.1 })
    expect(answer.choices[0]?.message.content).to.match(/^\[direct\] /)
    expect(answer.usage).to.not.have.property('estimated')
  })

  it('sees nothing of a failover, whole and streamed', async () => {
    for (const fault of [{ status: 500 }, { dropAfterEvents: 1 }, { softFailure: true }]) {
      await rig.runtime(fault)
      expect(await whole(), JSON.stringify(fault)).to.match(/^\[direct\] Answer 1 to: Hello/)
      expect(await streamed(), JSON.stringify(fault)).to.match(/^\[direct\] Answer 1 to: Hello/)
    }
  })

  it('brings its history along', async () => {
    const messages = [
      QUESTION,
      { role: 'assistant', content: 'Hi' } as const,
      { role: 'user', content: 'And?' } as const,
    ]
    expect(await streamed({ messages })).to.match(/^\[runtime\] Answer 2 to: And\?/)
  })

  it('throws where an answer breaks in the middle, and where both sides fail', async () => {
    await rig.runtime({ dropAfterEvents: 4, events: 10 })
    const broken = await rejection(streamed())
    expect(broken).to.be.instanceOf(OpenAI.APIError)
    expect(broken).to.include({ code: 'runtime_disconnected', type: 'server_error' })
    await rig.runtime({ status: 500 })
    await rig.llm({ status: 500 })
    for (const ask of [streamed, whole]) {
      const failed = await rejection(ask())
      expect(failed).to.be.instanceOf(OpenAI.InternalServerError)
      expect(failed).to.include({ status: 502, code: 'llm_http_error' })
    }
  })

  it('throws its own errors for a bad key, model and field', async () => {
    const bad = client.withOptions({ apiKey: 'x' })
    expect(await rejection(bad.models.list())).to.be.instanceOf(OpenAI.AuthenticationError)
    const model = await rejection(client.chat.completions.create({ ...ASKED, model: 'gpt-9' }))
    expect(model).to.be.instanceOf(OpenAI.NotFoundError)
    const field = await rejection(client.chat.completions.create({ ...ASKED, n: 2 }))
    expect(field).to.be.instanceOf(OpenAI.BadRequestError)
    expect(field).to.include({ param: 'n', code: 'unsupported_parameter' })
  })

  it('lists the models', async () => {
    const ids: string[] = []
    for await (const { id } of client.models.list()) ids.push(id)
    expect(ids).to.deep.equal(['gpt-4o'])
    expect((await client.models.retrieve('gpt-4o')).id).to.equal('gpt-4o')
  })

  it('gets usage in a stream, and steps as reasoning or not at all', async () => {
    const usages: number[] = []
    let reasoning = ''
    const stream = await client.chat.completions.create({
      ...ASKED,
      messages: [{ role: 'user', content: 'use a tool' }],
      stream: true,
      stream_options: { include_usage: true },
    })
    for await (const { choices, usage } of stream) {
      if (usage) usages.push(usage.total_tokens)
      // OpenAI's own types do not know the field.
      const delta: object = choices[0]?.delta ?? {}
      if ('reasoning_content' in delta) reasoning += String(delta.reasoning_content)
    }
    expect(usages).to.have.length(1)
    expect(reasoning).to.not.equal('')
    const silent = client.withOptions({ defaultQuery: { events: 'none' } })
    const answer = await silent.chat.completions.create(ASKED)
    expect(answer.choices[0]?.message).to.not.have.property('reasoning_content')
  })

  it('ends the turn when it stops reading', async () => {
    await rig.runtime({ endless: true, gapMs: 5 })
    const stream = await client.chat.completions.create({ ...ASKED, stream: true })
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break
    await until('the end of the turn', () =>
      rig.service.log.some((line) => line.msg === 'turn ended' && line.code === 'client_gone'),
    )
  })
})

describe('turns of OpenAI clients', function () {
  this.timeout(60_000)
  let rig: OpenAiRig
  before(async () => {
    rig = await startOpenAiRig({
      CHAT_RUNTIME_SHADOW_PERCENT: '100',
      CHAT_SHADOW_AA_PERCENT: '0',
    })
  })
  after(() => rig?.close())

  it('are shadowed, follow the fallback, and count in the metrics as those of the chat', async () => {
    const client = new OpenAI({ baseURL: rig.baseUrl, apiKey: rig.apiKey, maxRetries: 0 })
    const authorization = await bearer({ role: 'owner' })
    const get = async (path: string, init: RequestInit = {}): Promise<string> => {
      const headers = { authorization, 'content-type': 'application/json' }
      return (await fetch(`${rig.service.url}${path}`, { ...init, headers })).text()
    }
    let turns = 0
    const ask = async (): Promise<string> => {
      turns += 1
      const answer = await client.chat.completions.create(ASKED)
      return answer.choices[0]?.message.content ?? ''
    }
    // On a machine that is busy with other things shadows are dropped: turns are made until one was compared.
    await until(
      'a comparison',
      async () => {
        expect(await ask()).to.match(/^\[runtime\]/)
        return /^chat_shadow_comparisons_total [1-9]/m.test(await get('/metrics'))
      },
      20_000,
    )
    await get('/api/v1/runtime/fallback/trigger', { method: 'POST', body: '{}' })
    expect(await ask()).to.match(/^\[direct\]/)
    const { data } = JSON.parse(await get('/api/v1/runtime/metrics'))
    expect([data.runtime.total, data.direct.total]).to.deep.equal([turns - 1, 1])
    const reasons = () =>
      rig.service.log.filter(({ msg }) => msg === 'turn ended').map((line) => line.decisionReason)
    await until('the log', () => reasons().length === turns)
    expect(reasons().at(-1)).to.equal('fallback')
  })
})
