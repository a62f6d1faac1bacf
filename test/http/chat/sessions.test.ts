import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { sessionListSchema } from '../../../src/protocol/session-list.js'
import { createMemorySessionStore } from '../../../src/sessions/memory-session-store.js'
import { dataOf, errorOf } from '../../support/answers.js'
import { postTurn, readTurn, startTurn } from '../../support/chat-client.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'
import { answering, hanging } from '../../support/scripted-backend.js'
import { until } from '../../support/until.js'

const call = (edge: Edge, authorization: string, path = '', init: RequestInit = {}) =>
  fetch(`${edge.url}/api/v1/chat/sessions${path}`, { ...init, headers: { authorization } })

const listOf = async (edge: Edge, authorization: string, query = '') =>
  sessionListSchema.parse(await dataOf(await call(edge, authorization, query)))

const erase = (edge: Edge, authorization: string, sessionId: string) =>
  call(edge, authorization, `/${sessionId}`, { method: 'DELETE' })

describe('the list of conversations', () => {
  let edge: Edge
  beforeEach(async () => {
    edge = await startEdge({ backends: { direct_llm: answering('direct_llm', 'Hello') } })
  })
  afterEach(() => edge.close())

  it('is the own ones alone, page by page', async () => {
    const [mine, other, stranger] = [
      await bearer(),
      await bearer({ sub: 'user-2' }),
      await bearer({ org_id: 'org-2' }),
    ]
    expect(await listOf(edge, mine)).to.deep.equal({ sessions: [], nextCursor: null })
    const started: string[] = []
    for (const message of ['one', 'two', 'three'])
      started.push((await startTurn(edge.url, mine, message)).sessionId)
    const theirs = (await startTurn(edge.url, other, 'not yours')).sessionId
    const first = await listOf(edge, mine, '?limit=2')
    const second = await listOf(edge, mine, `?limit=2&cursor=${first.nextCursor}`)
    const all = [...first.sessions, ...second.sessions]
    expect([first.sessions.length, second.sessions.length, second.nextCursor]).to.deep.equal([2, 1, null])
    expect(all.map(({ sessionId }) => sessionId)).to.have.members(started)
    expect(all.map(({ title, turns, agentId }) => [title, turns, agentId])).to.have.deep.members([
      ['one', 1, 'assistant'],
      ['two', 1, 'assistant'],
      ['three', 1, 'assistant'],
    ])
    const instants = all.map(({ createdAt }) => createdAt)
    expect(instants).to.deep.equal([...instants].sort().reverse())
    expect((await listOf(edge, other)).sessions.map(({ sessionId }) => sessionId)).to.deep.equal([theirs])
    expect((await listOf(edge, stranger)).sessions).to.deep.equal([])
  })

  it('is refused for a wrong limit, a foreign cursor and a parameter that is none', async () => {
    const authorization = await bearer()
    for (const query of [
      'limit=0',
      'limit=101',
      'limit=x',
      'cursor=%27%20OR%201',
      'cursor=zzz.1',
      'cursor=',
      'page=2',
    ]) {
      const response = await call(edge, authorization, `?${query}`)
      expect(response.status, query).to.equal(400)
      expect((await errorOf(response)).details?.[0], query).to.match(/^(limit|cursor|page): /)
    }
    expect((await call(edge, 'Bearer none')).status).to.equal(401)
  })
})

describe('erasing a conversation', () => {
  it('leaves nothing of it, and is its owner’s alone', async () => {
    const edge = await startEdge({ backends: { direct_llm: answering('direct_llm', 'Hello') } })
    const mine = await bearer()
    const { sessionId } = await startTurn(edge.url, mine)
    for (const foreign of [
      await bearer({ sub: 'user-2' }),
      await bearer({ org_id: 'org-2', role: 'owner' }),
    ]) {
      const response = await erase(edge, foreign, sessionId)
      expect([response.status, (await errorOf(response)).code]).to.deep.equal([404, 'not_found'])
    }
    expect((await call(edge, mine, `/${sessionId}`)).status).to.equal(200)
    const erased = await erase(edge, mine, sessionId)
    expect([erased.status, await erased.text()]).to.deep.equal([204, ''])
    expect((await call(edge, mine, `/${sessionId}`)).status).to.equal(404)
    expect((await erase(edge, mine, sessionId)).status).to.equal(404)
    expect((await erase(edge, mine, 'no-uuid')).status).to.equal(404)
    expect((await listOf(edge, mine)).sessions).to.deep.equal([])
    await edge.close()
  })

  it('stops its running turn first: the stream ends with done and stopped', async () => {
    const backend = hanging('direct_llm', 'half ')
    const edge = await startEdge({ backends: { direct_llm: backend } })
    const authorization = await bearer()
    const response = await postTurn(edge.url, authorization, 'start', { agentId: 'a', message: 'Hi' })
    const sessionId = response.headers.get('x-chat-session-id') ?? ''
    await until('the execution to begin', () => backend.turns.length === 1)
    expect((await erase(edge, authorization, sessionId)).status).to.equal(204)
    const { terminal } = await readTurn(response)
    expect(terminal?.event).to.equal('done')
    expect(terminal?.data).to.include({ stopped: true })
    expect((await call(edge, authorization, `/${sessionId}`)).status).to.equal(404)
    await edge.close()
  })

  it('stops one that runs at another replica', async () => {
    const sessions = createMemorySessionStore({ clock: systemClock })
    const here = await startEdge({
      sessions,
      backends: { direct_llm: hanging('direct_llm', 'a') },
      timing: { stopLookMs: 50 },
    })
    const there = await startEdge({ sessions })
    const authorization = await bearer()
    const response = await postTurn(here.url, authorization, 'start', { agentId: 'a', message: 'Hi' })
    const sessionId = response.headers.get('x-chat-session-id') ?? ''
    expect((await erase(there, authorization, sessionId)).status).to.equal(204)
    expect((await readTurn(response)).terminal?.data).to.include({ stopped: true })
    expect((await call(here, authorization, `/${sessionId}`)).status).to.equal(404)
    await here.close()
    await there.close()
  })
})
