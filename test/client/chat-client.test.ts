import { expect } from 'chai'
import {
  type ChatClientOptions,
  type ChatEvent,
  createChatClient,
  isRecoverable,
} from '../../src/client/index.js'
import { ExecutionError } from '../../src/execution/execution-error.js'
import { bearer, type Edge, type EdgeOptions, startEdge } from '../support/edge.js'
import { freePort } from '../support/free-port.js'
import { answering, hanging, scripted, text } from '../support/scripted-backend.js'
import { until } from '../support/until.js'

const tokenOf = async (claims = {}): Promise<string> => (await bearer(claims)).replace('Bearer ', '')

async function all(turn: AsyncIterable<ChatEvent>): Promise<ChatEvent[]> {
  const events: ChatEvent[] = []
  for await (const event of turn) events.push(event)
  return events
}

describe('the client against the running service', () => {
  const opened: Edge[] = []
  afterEach(async () => {
    for (const edge of opened.splice(0)) await edge.close()
  })

  async function service(options: EdgeOptions = {}, client: Partial<ChatClientOptions> = {}) {
    const edge = await startEdge(options)
    opened.push(edge)
    const sent: string[] = []
    edge.server.prependListener('request', ({ method, url, headers }) =>
      sent.push(`${method} ${url} ${headers['idempotency-key'] ?? '-'}`),
    )
    const chat = createChatClient({
      baseUrl: `${edge.url}/`,
      token: async () => tokenOf(),
      language: 'en',
      retryDelayMs: 1,
      ...client,
    })
    return { edge, chat, sent }
  }

  it('begins a session, goes on with it, reads it, lists it and erases it', async () => {
    const { chat } = await service({ backends: { direct_llm: answering('direct_llm', 'Hello ', 'there') } })
    const events = await all(chat.start({ agentId: 'assistant', message: 'Hi' }))
    expect(events.map(({ type }) => type)).to.deep.equal(['open', 'message', 'message', 'done'])
    const [open, first] = events
    if (open?.type !== 'open' || first?.type !== 'message') throw new Error('another order')
    expect(open.resumable).to.equal(false)
    expect(first.eventId).to.equal(1)
    expect(first.message).to.deep.include({ type: 'text', data: { content: 'Hello ' } })

    const next = await chat.send(open.sessionId, 'And now?').answer()
    if (!next.ok) throw new Error(next.error.message)
    expect(next.data.text).to.equal('Hello there')
    expect(next.data.done).to.include({ sessionId: open.sessionId, executionMode: 'direct_llm' })

    const session = await chat.session(open.sessionId)
    expect(session.ok && session.data.messages.map(({ content }) => content)).to.deep.equal([
      'Hi',
      'Hello there',
      'And now?',
      'Hello there',
    ])
    const list = await chat.sessions({ limit: 5 })
    expect(list.ok && list.data.sessions.map(({ sessionId }) => sessionId)).to.deep.equal([open.sessionId])
    expect(await chat.erase(open.sessionId)).to.deep.equal({ ok: true, data: undefined })
    const gone = await chat.session(open.sessionId)
    expect(!gone.ok && gone.error).to.include({ kind: 'refused', status: 404, code: 'not_found' })
  })

  it('sends a key with each turn: a new one, or the one it is given', async () => {
    const { chat, sent } = await service()
    const one = chat.start({ agentId: 'a', message: 'Hi' })
    const other = chat.start({ agentId: 'a', message: 'Hi' }, { idempotencyKey: 'mine' })
    expect(one.idempotencyKey).to.match(/^[\da-f]{32}$/)
    await one.answer()
    await other.answer()
    expect(sent).to.deep.equal([
      `POST /api/v1/chat/start ${one.idempotencyKey}`,
      'POST /api/v1/chat/start mine',
    ])
  })

  it('stops a turn, which ends as stopped', async () => {
    const { chat } = await service({ backends: { direct_llm: hanging('direct_llm', 'Well') } })
    const events: ChatEvent[] = []
    let sessionId = ''
    for await (const event of chat.start({ agentId: 'a', message: 'Hi' })) {
      events.push(event)
      if (event.type === 'open') sessionId = event.sessionId
      if (event.type === 'message')
        expect(await chat.stop(sessionId)).to.deep.equal({ ok: true, data: { stopped: true } })
    }
    const last = events.at(-1)
    expect(last?.type === 'done' && last.done.stopped).to.equal(true)
  })

  it('tells how a turn failed', async () => {
    const failing = scripted('direct_llm', async function* (_turn, call) {
      call.onConnected()
      yield [text('Well')]
      throw new ExecutionError('llm_context_too_long', 'streaming', '')
    })
    const { chat } = await service({ backends: { direct_llm: failing } })
    const answer = await chat.start({ agentId: 'a', message: 'Hi' }).answer()
    if (answer.ok) throw new Error('it was answered')
    expect(answer.error).to.include({
      kind: 'turn',
      code: 'llm_context_too_long',
      executionMode: 'direct_llm',
    })
    expect(isRecoverable(answer.error)).to.equal(false)
  })

  it('tells why it was refused, with the lines of each field and the id to name', async () => {
    const { chat } = await service()
    const answer = await chat.start({ agentId: '', message: ' ' }).answer()
    if (answer.ok || answer.error.kind !== 'refused') throw new Error('it was not refused')
    expect(answer.error).to.include({ status: 400, code: 'bad_request' })
    expect(answer.error.details).to.deep.equal(['agentId: must not be empty', 'message: must not be empty'])
    expect(answer.error.requestId).to.be.a('string')
    expect(isRecoverable(answer.error)).to.equal(false)
  })

  it('waits as long as the service asks, then tries again; not for ever, and not for long', async () => {
    const { edge, chat, sent } = await service()
    edge.state = 'starting'
    const events: ChatEvent[] = []
    for await (const event of chat.start({ agentId: 'a', message: 'Hi' })) {
      events.push(event)
      if (event.type === 'retry') edge.state = 'ready'
    }
    expect(events.map(({ type }) => type)).to.deep.equal(['retry', 'open', 'message', 'done'])
    expect(events[0]).to.deep.include({ afterMs: 1000 })
    expect(new Set(sent).size).to.equal(1)
    const limited = await service({ turnsPerMinute: 1 }, { maxRetryWaitMs: 5_000 })
    await limited.chat.start({ agentId: 'a', message: 'Hi' }).answer()
    const refused = await all(limited.chat.start({ agentId: 'a', message: 'Hi' }))
    expect(refused).to.have.length(1)
    expect(refused[0]?.type === 'failed' && refused[0].error).to.include({
      kind: 'refused',
      code: 'rate_limited',
    })
  })

  it('gets a new token once, where the one it has is refused', async () => {
    const asked: boolean[] = []
    const token = async (renew: boolean): Promise<string> => {
      asked.push(renew)
      return renew ? tokenOf() : tokenOf({ exp: 1 })
    }
    const { chat } = await service({}, { token })
    expect((await chat.start({ agentId: 'a', message: 'Hi' }).answer()).ok).to.equal(true)
    expect(asked).to.deep.equal([false, true])
    const stale = await service({}, { token: await tokenOf({ exp: 1 }) })
    const answer = await stale.chat.start({ agentId: 'a', message: 'Hi' }).answer()
    expect(!answer.ok && answer.error).to.include({ kind: 'refused', status: 401 })
    expect(stale.sent).to.have.length(1)
    const failing = await service({}, { token: () => Promise.reject(new Error('signed out')) })
    const none = await failing.chat.start({ agentId: 'a', message: 'Hi' }).answer()
    expect(!none.ok && none.error).to.include({ kind: 'no_token', message: 'signed out' })
  })

  it('tries again where nobody listens, and says so in the end', async () => {
    const baseUrl = `http://127.0.0.1:${await freePort()}`
    const chat = createChatClient({ baseUrl, token: 't', retryDelayMs: 1, retries: 2 })
    const events = await all(chat.start({ agentId: 'a', message: 'Hi' }))
    expect(events.map(({ type }) => type)).to.deep.equal(['retry', 'retry', 'failed'])
    const last = events.at(-1)
    expect(last?.type === 'failed' && last.error.kind).to.equal('unreachable')
  })

  for (const leave of ['abort', 'break', 'signal'] as const)
    it(`frees the turn at once: ${leave}`, async () => {
      const { edge, chat } = await service({ backends: { direct_llm: hanging('direct_llm', 'Well') } })
      const given = new AbortController()
      const turn = chat.start({ agentId: 'a', message: 'Hi' }, { signal: given.signal })
      const events: ChatEvent[] = []
      for await (const event of turn) {
        events.push(event)
        if (event.type !== 'message') continue
        expect(edge.turns.count).to.equal(1)
        if (leave === 'break') break
        if (leave === 'abort') turn.abort()
        else given.abort()
      }
      await until('the turn to be given up', () => edge.turns.count === 0)
      const last = events.at(-1)
      if (leave === 'break') expect(last?.type).to.equal('message')
      else expect(last?.type === 'failed' && last.error.kind).to.equal('aborted')
      // It is over, and asking again makes no new one.
      expect(await all(turn)).to.deep.equal([])
    })

  it('sends nothing where it is aborted before', async () => {
    const { chat, sent } = await service()
    const events = await all(chat.start({ agentId: 'a', message: 'Hi' }, { signal: AbortSignal.abort() }))
    expect(events.map(({ type }) => type)).to.deep.equal(['failed'])
    expect(sent).to.deep.equal([])
  })

  it('reads on only as fast as it is asked', async () => {
    let sent = 0
    const piece = 'x'.repeat(8_000)
    const endless = scripted('direct_llm', async function* (_turn, call) {
      call.onConnected()
      for (; !call.signal.aborted; sent += 1) yield [text(piece)]
    })
    const { edge, chat } = await service({ backends: { direct_llm: endless } })
    let seen = 0
    for await (const event of chat.start({ agentId: 'a', message: 'Hi' })) {
      if (event.type !== 'message') continue
      seen += 1
      if (seen < 3) continue
      // Nobody asks any more: what fits into the buffers of both systems comes, and then nothing.
      let before = -1
      await until('the service to pause', () => {
        const isPaused = before === sent
        before = sent
        return isPaused
      })
      break
    }
    expect(sent * piece.length).to.be.lessThan(64_000_000)
    await until('the turn to be given up', () => edge.turns.count === 0)
  })
})
