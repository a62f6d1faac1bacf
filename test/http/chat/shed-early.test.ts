import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import Koa from 'koa'
import { silentLogger } from '../../../src/core/logger.js'
import { shedEarly } from '../../../src/http/chat/shed-early.js'
import { answerErrors } from '../../../src/http/edge/error-handler.js'
import { Problem } from '../../../src/http/edge/problems.js'

const START = '/api/v1/chat/start'

describe('a new session in an overload', () => {
  const limits = { sheds: true, refuses: true }
  const asked: string[] = []
  let server: Server
  let url: string
  beforeEach((done) => {
    Object.assign(limits, { sheds: true, refuses: true })
    asked.length = 0
    const app = new Koa()
    app.use(async (ctx, next) => {
      await next()
      ctx.set('X-Route', String(ctx._matchedRoute))
    })
    app.use(answerErrors(silentLogger))
    const authenticate = async (ctx: Koa.Context) => {
      if (ctx.get('Authorization') === '') throw new Problem('token_missing')
      return { orgId: 'org-1', userId: 'user-1', role: 'member', expiresAt: 0 } as const
    }
    const shedding = {
      isShedding: () => limits.sheds,
      refusedAtOnce: async ({ orgId }: { orgId: string }) => {
        asked.push(orgId)
        return limits.refuses
      },
    }
    app.use(shedEarly(START, authenticate, shedding))
    app.use((ctx) => {
      ctx.body = 'on its way'
    })
    server = app.listen(0, '127.0.0.1', () => {
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      done()
    })
  })
  afterEach(() => {
    server.close()
    server.closeAllConnections()
  })

  const post = (headers: Record<string, string> = {}, path = START) =>
    fetch(`${url}${path}`, { method: 'POST', body: '{', headers: { authorization: 'Bearer t', ...headers } })

  it('is refused before its body is read, in the form of every refusal, and counted by its route', async () => {
    const refused = await post({ 'accept-language': 'en' })
    expect(refused.status).to.equal(503)
    const told = ['retry-after', 'content-language', 'x-route'].map((name) => refused.headers.get(name))
    expect(told).to.deep.equal(['3', 'en', START])
    expect(await refused.json()).to.have.nested.property('error.code', 'overloaded')
    expect(asked).to.deep.equal(['org-1'])
  })

  it('is told first what is wrong with its token', async () => {
    expect((await post({ authorization: '' })).status).to.equal(401)
    expect(asked).to.deep.equal([])
  })

  it('goes on where it may get a place, where its key may stand for a turn, and without an overload', async () => {
    expect((await post({ 'idempotency-key': 'k' })).status).to.equal(200)
    expect((await post({}, `${START}/`)).status).to.equal(200)
    expect((await fetch(`${url}${START}`)).status).to.equal(200)
    limits.refuses = false
    expect((await post()).status).to.equal(200)
    limits.sheds = false
    expect((await post()).status).to.equal(200)
    expect(asked).to.deep.equal(['org-1'])
  })
})
