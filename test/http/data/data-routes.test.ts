import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { eraseAnswerSchema, exportSchema } from '../../../src/protocol/user-data.js'
import { createMemorySessionStore } from '../../../src/sessions/memory-session-store.js'
import { SessionStoreUnavailable } from '../../../src/sessions/session-store.js'
import { dataOf, errorOf } from '../../support/answers.js'
import { postTurn, readTurn, startTurn } from '../../support/chat-client.js'
import { sampleComparison } from '../../support/comparisons.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'
import { httpText, rawClient } from '../../support/raw-client.js'
import { answering, hanging } from '../../support/scripted-backend.js'
import { until } from '../../support/until.js'

const SECRET = 'marmalade'

describe('data of users', () => {
  let edge: Edge
  afterEach(() => edge.close())

  const user = (sub: string, org_id = 'org-1') => bearer({ sub, org_id })
  const admin = (org_id = 'org-1') => bearer({ sub: 'admin', role: 'admin', org_id })
  const owner = () => bearer({ sub: 'boss', role: 'owner', org_id: 'org-1' })
  const erase = (authorization: string, body: unknown) =>
    fetch(`${edge.url}/api/v1/runtime/erase`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json', 'accept-language': 'en' },
      body: JSON.stringify(body),
    })
  const erased = async (authorization: string, body: unknown) =>
    eraseAnswerSchema.parse(await dataOf(await erase(authorization, body)))
  const exported = (authorization: string, query: string) =>
    fetch(`${edge.url}/api/v1/runtime/export?${query}`, {
      headers: { authorization, 'accept-language': 'en' },
    })
  const sessionsOf = async (authorization: string, query: string) =>
    exportSchema.parse(await dataOf(await exported(authorization, query))).sessions
  const audits = (msg: string) => edge.log.filter((line) => line.msg === msg)

  describe('of two orgs', () => {
    beforeEach(async () => {
      edge = await startEdge({ backends: { direct_llm: answering('direct_llm', 'Hello ', SECRET) } })
      for (const org of ['org-1', 'org-2'])
        for (const sub of ['ann', 'bob']) {
          const { sessionId } = await startTurn(edge.url, await user(sub, org), `${SECRET} of ${sub}`)
          await postTurn(edge.url, await user(sub, org), `sessions/${sessionId}`, { message: 'And?' }).then(
            readTurn,
          )
        }
    })

    it('are erased by an admin within its own org alone, counted in the log without content', async () => {
      edge.journal.keepComparison(sampleComparison({ userId: 'ann' }))
      expect(await erased(await admin(), { userId: 'ann' })).to.deep.equal({
        sessions: 1,
        comparisons: 1,
        contents: 0,
        executions: 2,
      })
      expect(await sessionsOf(await owner(), 'userId=ann')).to.have.length(1)
      expect(await sessionsOf(await admin(), 'userId=ann')).to.deep.equal([])
      expect(await sessionsOf(await admin(), 'userId=bob')).to.have.length(1)
      expect(audits('[Data] erased')).to.have.length(1)
      expect(audits('[Data] erased')[0]).to.deep.include({
        by: { userId: 'admin', orgId: 'org-1' },
        of: { orgId: 'org-1', userId: 'ann' },
        erased: { sessions: 1, comparisons: 1, contents: 0, executions: 2 },
      })
      expect(JSON.stringify(edge.log)).not.to.include(SECRET)
    })

    it('are erased by an owner in every org, or of a whole one', async () => {
      expect(await erased(await owner(), { userId: 'ann' })).to.include({ sessions: 2, executions: 4 })
      expect(await erased(await owner(), { orgId: 'org-2' })).to.include({ sessions: 1, executions: 2 })
      expect(await sessionsOf(await owner(), 'userId=bob')).to.have.length(1)
      expect(await erased(await owner(), { orgId: 'org-2' })).to.deep.equal({
        sessions: 0,
        comparisons: 0,
        contents: 0,
        executions: 0,
      })
    })

    it('are an export with everything that is kept of the user, in one org or in all', async () => {
      const [session] = await sessionsOf(await admin(), 'userId=ann')
      expect(session?.messages.map(({ role, content }) => `${role}: ${content}`)).to.deep.equal([
        `user: ${SECRET} of ann`,
        `assistant: Hello ${SECRET}`,
        'user: And?',
        `assistant: Hello ${SECRET}`,
      ])
      expect(session?.traces).to.have.length(2)
      expect(session?.orgId).to.equal('org-1')
      const everywhere = await sessionsOf(await owner(), 'userId=ann')
      expect(everywhere.map(({ orgId }) => orgId)).to.have.members(['org-1', 'org-2'])
      expect(await sessionsOf(await owner(), 'userId=ann&orgId=org-2')).to.have.length(1)
      expect(await sessionsOf(await owner(), 'userId=nobody')).to.deep.equal([])
      expect(audits('[Data] exported')[0]).to.deep.include({
        by: { userId: 'admin', orgId: 'org-1' },
        of: { orgId: 'org-1', userId: 'ann' },
        exported: 1,
      })
    })

    it('are neither for members, nor for admins of another org, nor for nobody', async () => {
      const body = { userId: 'ann', orgId: 'org-1' }
      for (const authorization of [await user('ann'), await admin('org-2')]) {
        expect((await erase(authorization, body)).status).to.equal(403)
        expect((await exported(authorization, 'userId=ann&orgId=org-1')).status).to.equal(403)
      }
      expect(await erased(await admin('org-2'), { userId: 'nobody' })).to.include({ sessions: 0 })
      for (const wrong of [{}, { userId: '' }, { userId: 7 }, { userId: 'ann', all: true }, []])
        expect((await erase(await owner(), wrong)).status, JSON.stringify(wrong)).to.equal(400)
      expect((await exported(await owner(), '')).status).to.equal(400)
      expect(await sessionsOf(await owner(), 'userId=ann')).to.have.length(2)
    })
  })

  it('are erased with a turn that runs: it is stopped first, and nothing of it comes back', async () => {
    edge = await startEdge({ backends: { direct_llm: hanging('direct_llm', SECRET) } })
    const running = startTurn(edge.url, await user('ann'))
    await until('the turn to run', () => edge.openStreams() === 1)
    expect(await erased(await admin(), { userId: 'ann' })).to.include({ sessions: 1 })
    expect((await running).terminal).to.deep.include({ event: 'done' })
    expect(await sessionsOf(await admin(), 'userId=ann')).to.deep.equal([])
  })

  it('are held for no reader that takes nothing', async () => {
    const sessions = createMemorySessionStore({ clock: systemClock })
    const who = { orgId: 'org-1', userId: 'ann' }
    for (let n = 0; n < 60; n += 1) {
      await sessions.create(
        { sessionId: `s-${n}`, messageId: `m-${n}`, owner: who, message: 'x'.repeat(500_000) },
        'a',
      )
      await sessions.finish(`m-${n}`, { status: 'answered', text: 'a', executionMode: 'direct_llm' }, true)
    }
    edge = await startEdge({ sessions, timing: { slowReaderMs: 200 } })
    const reader = await rawClient(edge.port)
    reader.socket.write(
      httpText('GET', '/api/v1/runtime/export?userId=ann', { Authorization: await admin() }),
    )
    await reader.waitFor('"sessions":[')
    reader.socket.pause()
    const open = () =>
      new Promise<number>((resolve, reject) =>
        edge.server.getConnections((fault, count) => (fault === null ? resolve(count) : reject(fault))),
      )
    await until('the connection to be cut off', async () => (await open()) === 0, 10_000)
    expect(audits('[Data] exported')).to.deep.equal([])
    reader.socket.destroy()
  })

  it('are cut off in mid-export where the database fails, and refused where it fails from the start', async () => {
    const inner = createMemorySessionStore({ clock: systemClock })
    let works = 0
    const sessions = new Proxy(inner, {
      get(store, name) {
        const value: unknown = Reflect.get(store, name)
        if (name === 'read' || name === 'scan')
          return (...given: never[]) => {
            works -= 1
            if (works < 0) return Promise.reject(new SessionStoreUnavailable('gone'))
            return Reflect.apply(value as () => unknown, store, given)
          }
        return typeof value === 'function' ? value.bind(store) : value
      },
    })
    edge = await startEdge({ sessions })
    works = 1_000
    await startTurn(edge.url, await user('ann'))
    works = 0
    expect((await errorOf(await exported(await owner(), 'userId=ann'))).code).to.equal('store_unavailable')
    works = 1
    const cut = await exported(await owner(), 'userId=ann')
      .then((response) => response.text())
      .catch(() => 'cut')
    expect(cut).to.equal('cut')
  })
})
