import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { sessionSchema, stopResponseSchema } from '../../../src/protocol/api.js'
import { createMemorySessionStore } from '../../../src/sessions/memory-session-store.js'
import {
  type Keeping,
  type SessionStore,
  SessionStoreUnavailable,
} from '../../../src/sessions/session-store.js'
import { dataOf, errorOf } from '../../support/answers.js'
import { nextTurn, postTurn, readTurn, startTurn } from '../../support/chat-client.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'
import { manualClock } from '../../support/manual-clock.js'
import { aborted, answering, hanging, scripted, text } from '../../support/scripted-backend.js'
import { until } from '../../support/until.js'

const historyOf = async (edge: Edge, authorization: string, sessionId: string) =>
  sessionSchema.parse(
    await dataOf(
      await fetch(`${edge.url}/api/v1/chat/sessions/${sessionId}`, { headers: { authorization } }),
    ),
  )

const pressStop = (edge: Edge, authorization: string, sessionId: string, init: RequestInit = {}) =>
  fetch(`${edge.url}/api/v1/chat/sessions/${sessionId}/stop`, {
    method: 'POST',
    ...init,
    headers: { authorization, ...init.headers },
  })

const memoryStore = () => createMemorySessionStore({ clock: systemClock })

/** A store that does as `changed` says and otherwise as the memory's. */
function storeWith(changed: (inner: SessionStore) => Partial<SessionStore>): SessionStore {
  const inner = memoryStore()
  const other = changed(inner)
  return {
    isAvailable: true,
    lost: 0,
    create: inner.create.bind(inner),
    scan: inner.scan.bind(inner),
    eraseIdle: inner.eraseIdle.bind(inner),
    newestTurnAt: inner.newestTurnAt.bind(inner),
    begin: inner.begin.bind(inner),
    holder: inner.holder.bind(inner),
    renew: inner.renew.bind(inner),
    stopRequested: inner.stopRequested.bind(inner),
    finish: inner.finish.bind(inner),
    release: inner.release.bind(inner),
    requestStop: inner.requestStop.bind(inner),
    read: inner.read.bind(inner),
    list: inner.list.bind(inner),
    delete: inner.delete.bind(inner),
    readTrace: inner.readTrace.bind(inner),
    close: inner.close.bind(inner),
    ...other,
  }
}

const down = () => Promise.reject(new SessionStoreUnavailable('the disk is gone'))

describe('a conversation', () => {
  it('goes on in its session: the backend gets the history, the client its turns', async () => {
    const backend = answering('direct_llm', 'Hel', 'lo')
    const edge = await startEdge({ backends: { direct_llm: backend } })
    const authorization = await bearer()
    const first = await startTurn(edge.url, authorization, 'Hi')
    const second = await nextTurn(edge.url, authorization, first.sessionId, 'And?')
    expect(second.sessionId).to.equal(first.sessionId)
    expect(second.terminal?.event).to.equal('done')
    expect(backend.turns[1]).to.deep.include({
      message: 'And?',
      history: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Hello' },
      ],
    })
    const { messages, agentId } = await historyOf(edge, authorization, first.sessionId)
    expect(agentId).to.equal('assistant')
    expect(messages.map(({ role, content }) => [role, content])).to.deep.equal([
      ['user', 'Hi'],
      ['assistant', 'Hello'],
      ['user', 'And?'],
      ['assistant', 'Hello'],
    ])
    expect(messages[1]).to.include({ status: 'answered', executionMode: 'direct_llm' })
    await edge.close()
  })

  it('gives the backend as much of the history as the store does', async () => {
    const backend = answering('direct_llm', 'Hello')
    const sessions = createMemorySessionStore({ clock: systemClock, historyBudget: 12 })
    const edge = await startEdge({ backends: { direct_llm: backend }, sessions })
    const authorization = await bearer()
    const { sessionId } = await startTurn(edge.url, authorization, 'One')
    await nextTurn(edge.url, authorization, sessionId, 'Two')
    await nextTurn(edge.url, authorization, sessionId, 'Three')
    expect(backend.turns[2]?.history.map(({ content }) => content)).to.deep.equal(['Two', 'Hello'])
    await edge.close()
  })

  it('tells in done and in the history why an answer ended', async () => {
    const direct_llm = scripted('direct_llm', async function* () {
      yield [text('Hel')]
      yield [{ type: 'facts', data: { finishReason: 'length' } }]
    })
    const edge = await startEdge({ backends: { direct_llm } })
    const authorization = await bearer()
    const { sessionId, terminal } = await startTurn(edge.url, authorization, 'Hi')
    expect(terminal?.data).to.include({ finishReason: 'length' })
    const { messages } = await historyOf(edge, authorization, sessionId)
    expect(messages[1]).to.include({ status: 'answered', finishReason: 'length' })
    await edge.close()
  })

  it('takes an answer of white space for none, and leaves it out of the next request', async () => {
    const blank = answering('direct_llm', '\n\n', ' ')
    const edge = await startEdge({ backends: { direct_llm: blank } })
    const authorization = await bearer()
    const first = await startTurn(edge.url, authorization, 'Hi')
    expect(first.terminal).to.deep.include({ event: 'error' })
    expect(first.terminal?.data).to.include({ code: 'empty_answer' })
    await nextTurn(edge.url, authorization, first.sessionId, 'And?')
    expect(blank.turns[1]).to.deep.include({ message: 'And?', history: [] })
    await edge.close()
  })

  it('sends no half of a surrogate pair upstream', async () => {
    const backend = answering('direct_llm', 'ok')
    const edge = await startEdge({ backends: { direct_llm: backend } })
    await startTurn(edge.url, await bearer(), 'a\ud83d b🦊')
    expect(backend.turns[0]?.message).to.equal('a\ufffd b🦊')
    await edge.close()
  })

  it('belongs to one user of one org; to everybody else it does not exist', async () => {
    const edge = await startEdge()
    const { sessionId } = await startTurn(edge.url, await bearer())
    const others = [
      { sub: 'user-2' },
      { org_id: 'org-2' },
      { sub: 'user-2', role: 'owner' },
      { org_id: 'org-2', role: 'owner' },
    ]
    for (const claims of others) {
      const authorization = await bearer(claims)
      const answers = await Promise.all([
        fetch(`${edge.url}/api/v1/chat/sessions/${sessionId}`, { headers: { authorization } }),
        postTurn(edge.url, authorization, `sessions/${sessionId}`, { message: 'Hi' }),
        pressStop(edge, authorization, sessionId),
      ])
      for (const response of answers) {
        expect(response.status).to.equal(404)
        expect((await errorOf(response)).code).to.equal('not_found')
      }
    }
    await edge.close()
  })

  it('takes one turn at a time', async () => {
    const edge = await startEdge({
      timing: { releasingMs: 60_000 },
      backends: { direct_llm: hanging('direct_llm', 'a') },
    })
    const authorization = await bearer()
    const running = await postTurn(edge.url, authorization, 'start', { agentId: 'a', message: 'Hi' })
    const sessionId = running.headers.get('x-chat-session-id') ?? ''
    const second = await postTurn(edge.url, authorization, `sessions/${sessionId}`, { message: 'Hi' })
    expect(second.status).to.equal(409)
    expect((await errorOf(second)).code).to.equal('turn_running')
    await running.body?.cancel()
    await until('the turn to end', () => edge.turns.count === 0)
    const third = await postTurn(edge.url, authorization, `sessions/${sessionId}`, { message: 'Hi' })
    expect(third.status).to.equal(200)
    await third.body?.cancel()
    await edge.close()
  })

  it('waits for the cancel of the turn before, then goes on', async () => {
    let cancelled: () => void = () => undefined
    const backend = scripted('direct_llm', async function* (turn, call) {
      if (turn.message === 'first') {
        call.after(
          new Promise((resolve) => {
            cancelled = resolve
          }),
        )
      }
      yield [text(turn.message)]
    })
    const edge = await startEdge({ backends: { direct_llm: backend } })
    const authorization = await bearer()
    const { sessionId } = await startTurn(edge.url, authorization, 'first')
    const second = nextTurn(edge.url, authorization, sessionId, 'second')
    await until('both turns to be there', () => edge.turns.count === 2)
    expect(backend.turns).to.have.length(1)
    cancelled()
    expect((await second).text).to.equal('second')
    await edge.close()
  })

  it('waits by reads: two tries to begin, however long the wait', async () => {
    let cancelled: () => void = () => undefined
    let begun = 0
    let looks = 0
    const backend = scripted('direct_llm', async function* (turn, call) {
      if (turn.message === 'first')
        call.after(
          new Promise((resolve) => {
            cancelled = resolve
          }),
        )
      yield [text(turn.message)]
    })
    const edge = await startEdge({
      backends: { direct_llm: backend },
      sessions: storeWith((inner) => ({
        begin(turn) {
          begun += 1
          return inner.begin(turn)
        },
        holder(sessionId) {
          looks += 1
          return inner.holder(sessionId)
        },
      })),
    })
    const authorization = await bearer()
    const { sessionId } = await startTurn(edge.url, authorization, 'first')
    const second = nextTurn(edge.url, authorization, sessionId, 'second')
    await until('several looks', () => looks >= 4)
    cancelled()
    expect((await second).text).to.equal('second')
    expect(begun).to.equal(2)
    await edge.close()
  })

  it('does not wait for ever: 409 when the session is not released in time', async () => {
    const clock = manualClock(Date.now())
    const looks: number[] = []
    const edge = await startEdge({
      clock,
      timing: { releasingMs: 120 },
      sessions: storeWith((inner) => ({
        holder(sessionId) {
          looks.push(clock.monotonic())
          return inner.holder(sessionId)
        },
        release: () => Promise.resolve(),
        finish: (messageId, end) => inner.finish(messageId, end),
      })),
    })
    const authorization = await bearer()
    const { sessionId } = await startTurn(edge.url, authorization, 'first')
    let status = 0
    const second = postTurn(edge.url, authorization, `sessions/${sessionId}`, { message: 'Hi' }).then(
      (answer) => {
        status = answer.status
      },
    )
    await until('the answer', () => {
      clock.advance(10)
      return status !== 0
    })
    await second
    // from the first look to the last
    expect((looks.at(-1) ?? 0) - (looks[0] ?? 0)).to.be.within(80, 200)
    expect(status).to.equal(409)
    await edge.close()
  })
})

describe('stop', () => {
  it('ends the stream with done and stopped, the partial answer kept; needs neither body nor content type', async () => {
    const backend = hanging('direct_llm', 'half ', 'an answer')
    const edge = await startEdge({ backends: { direct_llm: backend }, timing: { stopLookMs: 60_000 } })
    const authorization = await bearer()
    const response = await postTurn(edge.url, authorization, 'start', { agentId: 'a', message: 'Hi' })
    const sessionId = response.headers.get('x-chat-session-id') ?? ''
    await until('the execution to begin', () => backend.turns.length === 1)
    const stop = await pressStop(edge, authorization, sessionId)
    expect(stopResponseSchema.parse(await dataOf(stop))).to.deep.equal({ stopped: true })
    const { terminal } = await readTurn(response)
    expect(terminal?.event).to.equal('done')
    expect(terminal?.data).to.include({ stopped: true, executionMode: 'direct_llm' })
    const { messages } = await historyOf(edge, authorization, sessionId)
    expect(messages[1]).to.include({ status: 'stopped' })
    expect(edge.outcomes[0]).to.include({ result: 'aborted', code: 'stopped' })
    for (const init of [{}, { body: 'anything', headers: { 'content-type': 'text/plain' } }, { body: '{' }]) {
      const again = await pressStop(edge, authorization, sessionId, init)
      expect(stopResponseSchema.parse(await dataOf(again))).to.deep.equal({ stopped: false })
    }
    await edge.close()
  })

  it('pressed at another replica is found at the next look', async () => {
    const sessions = memoryStore()
    const here = await startEdge({ sessions, backends: { direct_llm: hanging('direct_llm', 'a') } })
    const there = await startEdge({ sessions })
    const authorization = await bearer()
    const response = await postTurn(here.url, authorization, 'start', { agentId: 'a', message: 'Hi' })
    const stop = await pressStop(there, authorization, response.headers.get('x-chat-session-id') ?? '')
    expect(stopResponseSchema.parse(await dataOf(stop))).to.deep.equal({ stopped: true })
    expect((await readTurn(response)).terminal?.data).to.include({ stopped: true })
    await here.close()
    await there.close()
  })
})

describe('a session store in trouble', () => {
  it('that cannot do without the database refuses with 503', async () => {
    const edge = await startEdge({ sessions: storeWith(() => ({ create: down, read: down, begin: down })) })
    const authorization = await bearer()
    const id = '00000000-0000-4000-8000-000000000000'
    const answers = [
      await postTurn(edge.url, authorization, 'start', { agentId: 'a', message: 'Hi' }),
      await postTurn(edge.url, authorization, `sessions/${id}`, { message: 'Hi' }),
      await fetch(`${edge.url}/api/v1/chat/sessions/${id}`, { headers: { authorization } }),
    ]
    for (const response of answers) {
      expect(response.status).to.equal(503)
      expect(response.headers.get('retry-after')).to.equal('1')
      expect((await errorOf(response)).code).to.equal('store_unavailable')
    }
    expect(edge.turns.count).to.equal(0)
    await edge.close()
  })

  it('that cannot keep an answer leaves it to its reader: done says that the history lacks it', async () => {
    for (const finish of [down, () => new Promise<Keeping>(() => undefined)]) {
      const edge = await startEdge({ sessions: storeWith(() => ({ finish })), timing: { finishMs: 50 } })
      const turn = await startTurn(edge.url, await bearer())
      expect(turn.text).to.equal('Hello from direct')
      expect(turn.terminal?.event).to.equal('done')
      expect(turn.terminal?.data).to.include({ history: 'unavailable' })
      expect(edge.log.find(({ msg }) => msg === 'turn not kept')).to.include({ level: 50 })
      await edge.close()
    }
  })

  it('that fails for a while does not disturb a running turn, and is told once', async () => {
    let looks = 0
    const sessions = storeWith(() => ({
      stopRequested: () => {
        looks += 1
        return down()
      },
    }))
    const backend = scripted('direct_llm', async function* () {
      yield [text('a')]
      await until('three looks', () => looks >= 3)
      yield [text('b')]
    })
    const edge = await startEdge({ sessions, timing: { stopLookMs: 5 }, backends: { direct_llm: backend } })
    const turn = await startTurn(edge.url, await bearer())
    expect([turn.text, turn.terminal?.event]).to.deep.equal(['ab', 'done'])
    expect(edge.log.filter(({ msg }) => msg === 'reservation not renewed')).to.have.length(1)
    await edge.close()
  })

  it('that gave the session to another replica ends the stream with superseded', async () => {
    const sessions = storeWith(() => ({ renew: async () => 'lost' as const }))
    const backend = hanging('direct_llm', 'a')
    const edge = await startEdge({
      sessions,
      timing: { stopLookMs: 5, renewMs: 10 },
      backends: { direct_llm: backend },
    })
    const turn = await startTurn(edge.url, await bearer())
    expect(turn.terminal?.event).to.equal('error')
    expect(turn.terminal?.data).to.include({ code: 'superseded', recoverable: true })
    await edge.close()
  })

  it('gets the partial answer at every renewal', async () => {
    const kept: string[] = []
    const sessions = storeWith((inner) => ({
      renew(messageId, partial) {
        kept.push(partial)
        return inner.renew(messageId, partial)
      },
    }))
    const backend = scripted('direct_llm', async function* (_turn, call) {
      yield [text('one ')]
      await until('a renewal', () => kept.includes('one '))
      yield [text('two')]
      await until('another renewal', () => kept.includes('one two'))
      if (!call.signal.aborted) yield [text('!')]
    })
    const edge = await startEdge({
      sessions,
      timing: { stopLookMs: 5, renewMs: 10 },
      backends: { direct_llm: backend },
    })
    expect((await startTurn(edge.url, await bearer())).text).to.equal('one two!')
    await edge.close()
  })
})

describe('the log of a turn', () => {
  it('is one line at its end with ids, decision and times, and never a word of the conversation', async () => {
    const backend = scripted('direct_llm', async function* (_turn, call) {
      yield [text('streng geheim')]
      await aborted(call.signal)
    })
    const edge = await startEdge({ backends: { direct_llm: backend } })
    const authorization = await bearer()
    const response = await postTurn(
      edge.url,
      authorization,
      'start',
      { agentId: 'assistant', message: 'mein Kennwort' },
      { 'x-request-id': 'req-7' },
    )
    const sessionId = response.headers.get('x-chat-session-id')
    await until('the execution to begin', () => backend.turns.length === 1)
    await pressStop(edge, authorization, sessionId ?? '')
    await response.text()
    await until('the turn to end', () => edge.turns.count === 0)
    expect(edge.log).to.have.length(1)
    expect(edge.log[0]).to.include({
      msg: 'turn ended',
      requestId: 'req-7',
      orgId: 'org-1',
      sessionId,
      executionMode: 'direct_llm',
      decisionMode: 'direct_llm',
      decisionReason: 'code_default',
      outcome: 'stopped',
      code: 'stopped',
    })
    expect(edge.log[0]).to.include.keys('latencyMs', 'firstContentMs')
    expect(JSON.stringify(edge.log)).to.not.match(/geheim|Kennwort|Bearer|eyJ/)
    await edge.close()
  })
})
