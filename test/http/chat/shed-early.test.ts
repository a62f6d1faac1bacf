import { once } from 'node:events'
import { Agent, createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { expect } from 'chai'
import { NO_TRACING } from '../../../src/core/tracing/tracing.js'
import { shedEarly } from '../../../src/http/chat/shed-early.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'
import { rejection } from '../../support/rejection.js'
import { spansInMemory } from '../../support/spans.js'
import { until } from '../../support/until.js'

const START = '/api/v1/chat/start'
const OVERLOAD = { level: 3, places: 0, onLook: () => undefined, turnedAway: () => undefined } as const

describe('a new session in an overload', () => {
  const limits = { sheds: true, refuses: true, throws: false }
  const asked: string[] = []
  const counted: string[] = []
  let lines: Record<string, unknown>[]
  let recognized: () => Promise<void>
  let server: Server
  let url: string
  beforeEach(async () => {
    Object.assign(limits, { sheds: true, refuses: true, throws: false })
    asked.length = 0
    counted.length = 0
    recognized = async () => undefined
    const log = capturingLogger()
    lines = log.lines
    const deps = {
      startPath: START,
      recognize: async ({ headers }: IncomingMessage) => {
        await recognized()
        return headers.authorization === undefined
          ? undefined
          : ({ orgId: 'org-1', userId: 'user-1', role: 'member', expiresAt: 0 } as const)
      },
      limits: {
        isShedding: () => limits.sheds,
        refusedAtOnce: async ({ orgId }: { orgId: string }) => {
          asked.push(orgId)
          if (limits.throws) throw new Error('no limits')
          return limits.refuses
        },
      },
      ids: { newId: () => 'id-1' },
      corsOrigins: [],
      languageOf: () => 'en' as const,
      logger: log.logger,
      metrics: { recordRequest: (route: string, code: number) => void counted.push(`${route} ${code}`) },
      tracing: NO_TRACING,
    }
    server = createServer(shedEarly(deps, (_request, response) => void response.end('on its way')))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterEach(() => {
    server.close()
    server.closeAllConnections()
  })

  const post = (headers: Record<string, string> = {}, path = START) =>
    fetch(`${url}${path}`, { method: 'POST', body: '{', headers: { authorization: 'Bearer t', ...headers } })

  it('is refused before anything else sees it', async () => {
    expect((await post()).status).to.equal(503)
    expect((await post({}, `${START}?a=b`)).status).to.equal(503)
    expect(asked).to.deep.equal(['org-1', 'org-1'])
  })

  it('goes on without a good token, where it may get a place, where its key may stand for a turn, and without an overload', async () => {
    const unknown = await fetch(`${url}${START}`, { method: 'POST', body: '{' })
    expect(unknown.status).to.equal(200)
    expect((await post({ 'idempotency-key': 'k' })).status).to.equal(200)
    expect((await post({}, `${START}/`)).status).to.equal(200)
    expect((await post({}, `${START}s`)).status).to.equal(200)
    expect((await fetch(`${url}${START}`)).status).to.equal(200)
    expect(asked).to.deep.equal([])
    limits.refuses = false
    expect((await post()).status).to.equal(200)
    limits.sheds = false
    expect((await post()).status).to.equal(200)
    expect(asked).to.deep.equal(['org-1'])
  })

  it('is counted as one whose client left, where it leaves before it is recognized', async () => {
    let goOn = (): void => undefined
    const begun = new Promise<void>((resolve) => {
      recognized = () => {
        resolve()
        return new Promise((go) => {
          goOn = go
        })
      }
    })
    const client = httpRequest(url + START, { method: 'POST', headers: { authorization: 'Bearer t' } })
    client.on('error', () => undefined)
    client.end('{')
    const [socket] = (await once(server, 'connection')) as [Socket]
    await begun
    client.destroy()
    await once(socket, 'close')
    goOn()
    await until('the refusal to be counted', () => counted.length > 0)
    expect(counted).to.deep.equal([`POST ${START} 499`])
  })

  it('loses its connection where the limits fail, which is logged', async () => {
    limits.throws = true
    expect(await rejection(post())).to.be.instanceOf(Error)
    expect(lines.map(({ msg, error }) => [msg, error])).to.deep.equal([['request edge failed', 'no limits']])
    expect(counted).to.deep.equal([])
  })
})

describe('the refusal of a new session in an overload', () => {
  const traced = spansInMemory()
  let edge: Edge
  let authorization: string
  before(async () => {
    const corsOrigins = ['https://app.example']
    edge = await startEdge({ overload: OVERLOAD, corsOrigins, tracing: traced.tracing })
    authorization = await bearer({ role: 'member' })
  })
  after(() => edge.close())

  const post = (headers: Record<string, string> = {}, body = '{') =>
    fetch(edge.url + START, { method: 'POST', body, headers: { authorization, ...headers } })

  const seen = async (response: Response) => {
    const headers = Object.fromEntries(response.headers)
    return { status: response.status, headers: { ...headers, date: '' }, body: await response.text() }
  }

  it('looks like the one of a request that went through the routes, in each language and for each origin', async () => {
    const body = JSON.stringify({ agentId: 'a', message: 'Hi' })
    const cases: Record<string, string>[] = [
      {},
      { 'accept-language': 'en' },
      { 'accept-language': 'de, en;q=0.5, zh;q=0.1' },
      { 'accept-language': 'zh-CN', origin: 'https://app.example' },
      { 'accept-language': 'en', origin: 'https://other.example' },
    ]
    for (const one of cases) {
      const headers = { ...one, 'x-request-id': 'id-1', 'content-type': 'application/json' }
      const early = await seen(await post(headers, body))
      const usual = await seen(await post({ ...headers, 'idempotency-key': `k-${cases.indexOf(one)}` }, body))
      expect(early.status).to.equal(503)
      expect(early.headers).to.include({ 'retry-after': '3', 'x-request-id': 'id-1' })
      expect(early).to.deep.equal(usual)
    }
  })

  it('has an id of its own where the client sends none that is sane', async () => {
    expect((await post()).headers.get('x-request-id')).to.match(/^[\da-f-]{36}$/)
    expect((await post({ 'x-request-id': 'a b' })).headers.get('x-request-id')).to.match(/^[\da-f-]{36}$/)
  })

  it('is counted and traced by its route, with its client as the parent', async () => {
    const [requests, refusals] = [edge.requests.length, edge.refusals.length]
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    await post({ traceparent: `00-${traceId}-b7ad6b7169203331-01`, 'x-request-id': 'id-2' })
    expect(edge.requests.slice(requests)).to.have.length(1)
    expect(edge.requests.at(-1)).to.include(START).and.include('503')
    expect(edge.refusals.slice(refusals)).to.deep.equal(['overload'])
    const span = traced.finished().find((one) => one.spanContext().traceId === traceId)
    expect(span?.name).to.equal(`POST ${START}`)
    expect(span?.attributes).to.deep.equal({
      'http.request.method': 'POST',
      'url.scheme': 'http',
      'chat.request.id': 'id-2',
      'http.route': START,
      'url.path': START,
      'http.response.status_code': 503,
      'error.type': '503',
    })
  })

  it('is a 401 for a token that is not good, and counted as no refusal', async () => {
    const before = edge.refusals.length
    const missing = await fetch(edge.url + START, { method: 'POST', body: '{' })
    const wrong = await post({ authorization: 'Bearer a.b.c' })
    expect([missing.status, wrong.status]).to.deep.equal([401, 401])
    expect(wrong.headers.get('www-authenticate')).to.include('invalid_token')
    expect(edge.refusals).to.have.length(before)
  })

  it('verifies a bad token once', async () => {
    let verified = 0
    const verify = async (): Promise<never> => {
      verified += 1
      throw new Error('not a token')
    }
    const strict = await startEdge({ overload: OVERLOAD, signingKeys: { verify } })
    const answered = await fetch(strict.url + START, {
      method: 'POST',
      body: '{',
      headers: { authorization },
    })
    await strict.close()
    expect([answered.status, verified]).to.deep.equal([401, 1])
  })

  it('leaves the connection for the next request, however long the body', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ports: (number | undefined)[] = []
    for (const size of [500_000, 10]) {
      const sent = httpRequest(edge.url + START, { method: 'POST', agent, headers: { authorization } })
      sent.end('x'.repeat(size))
      const [response] = (await once(sent, 'response')) as [IncomingMessage]
      ports.push(sent.socket?.localPort)
      response.resume()
      await once(response, 'end')
      expect(response.statusCode).to.equal(503)
    }
    agent.destroy()
    expect(ports[0]).to.equal(ports[1])
  })
})
