import { expect } from 'chai'
import { errorOf } from '../../support/answers.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'
import { httpText, rawClient } from '../../support/raw-client.js'

describe('what is not there', () => {
  let edge: Edge
  let authorization: string
  before(async () => {
    edge = await startEdge()
    authorization = await bearer({ role: 'owner' })
  })
  after(() => edge.close())

  const ask = async (method: string, path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(edge.url + path, { method, headers: { authorization, ...headers } })
    return { response, error: method === 'HEAD' ? {} : await errorOf(response) }
  }

  it('is 404: unknown paths, ids that are none, sessions that never were', async () => {
    const paths = [
      '/',
      '/api',
      '/api/v1/chat',
      '/api/v2/chat/start',
      '/api/v1/chat/sessions/1',
      '/api/v1/chat/sessions/%E0%A4%A',
      '/api/v1/chat/sessions/00000000-0000-4000-8000-00000000000g',
      '/api/v1/chat/sessions/00000000-0000-4000-8000-000000000000',
      "/api/v1/chat/sessions/'%20OR%201=1--",
      '/api/v1/chat/sessions/..%2F..%2Fetc%2Fpasswd',
    ]
    for (const path of paths) {
      const { response, error } = await ask('GET', path)
      expect(response.status, path).to.equal(404)
      expect(error.code, path).to.equal('not_found')
    }
    const { response } = await ask('POST', '/api/v1/chat/sessions/%E0%A4%A/stop')
    expect(response.status).to.equal(404)
  })

  it('is 405 for a known path with another method, naming those it takes', async () => {
    const cases: [method: string, path: string, allow: string][] = [
      ['GET', '/api/v1/chat/start', 'POST, OPTIONS'],
      [
        'PUT',
        '/api/v1/chat/sessions/00000000-0000-4000-8000-000000000000',
        'POST, HEAD, GET, DELETE, OPTIONS',
      ],
      ['DELETE', '/health/live', 'HEAD, GET, OPTIONS'],
      ['POST', '/metrics', 'HEAD, GET, OPTIONS'],
      ['PROPFIND', '/metrics', 'HEAD, GET, OPTIONS'],
    ]
    for (const [method, path, allow] of cases) {
      const { response, error } = await ask(method, path)
      expect(response.status, path).to.equal(405)
      expect(error.code, path).to.equal('method_not_allowed')
      expect(response.headers.get('allow'), path).to.equal(allow)
    }
  })

  it('answers OPTIONS with the methods and HEAD without a body', async () => {
    const options = await fetch(`${edge.url}/api/v1/chat/start`, { method: 'OPTIONS' })
    expect(options.status).to.equal(204)
    expect(options.headers.get('allow')).to.equal('POST, OPTIONS')
    const head = await fetch(`${edge.url}/health/live`, { method: 'HEAD' })
    expect([head.status, await head.text()]).to.deep.equal([200, ''])
    const { response } = await ask('HEAD', '/nowhere')
    expect([response.status, await response.text()]).to.deep.equal([404, ''])
  })

  it('takes the language by Accept-Language and its q-values', async () => {
    const cases: [header: string, language: string][] = [
      ['en', 'en'],
      ['en-GB,en;q=0.9', 'en'],
      ['zh', 'zh-CN'],
      ['zh-TW, en;q=0.5', 'zh-CN'],
      ['en;q=0.4, zh-CN;q=0.8', 'zh-CN'],
      ['zh;q=0.2, en;q=0.9', 'en'],
      ['de, en;q=0.1', 'en'],
      ['de', 'zh-CN'],
      ['*', 'zh-CN'],
      ['en;q=0', 'zh-CN'],
      ['', 'zh-CN'],
      [';;;q=,', 'zh-CN'],
    ]
    for (const [header, language] of cases) {
      const { response } = await ask('GET', '/nowhere', { 'accept-language': header })
      expect(response.headers.get('content-language'), header).to.equal(language)
      expect(response.headers.get('vary'), header).to.equal('Accept-Language')
    }
  })
})

describe('the request id', () => {
  let edge: Edge
  before(async () => {
    edge = await startEdge()
  })
  after(() => edge.close())

  const echoed = async (id: string) =>
    (await fetch(`${edge.url}/nowhere`, { headers: { 'x-request-id': id } })).headers.get('x-request-id')

  it('is the one the client sent, where it is sane', async () => {
    expect(await echoed('abc-123_{}')).to.equal('abc-123_{}')
    expect(await echoed('x'.repeat(128))).to.equal('x'.repeat(128))
  })

  it('is made here otherwise', async () => {
    for (const id of ['', 'two words', 'x'.repeat(129), 'ünïcode'])
      expect(await echoed(id)).to.match(/^[\da-f-]{36}$/)
  })
})

describe('a fault of ours', () => {
  const broken = () => Promise.reject(new Error('secret inner detail'))

  it('is 500 in the envelope, without stack trace or inner detail, and one line in the log', async () => {
    const edge = await startEdge({ flagsFor: broken })
    const response = await fetch(`${edge.url}/api/v1/runtime/explain`, {
      headers: {
        authorization: await bearer({ role: 'admin' }),
        'x-request-id': 'req-1',
        'accept-language': 'en',
      },
    })
    const body = await response.text()
    expect(response.status).to.equal(500)
    expect(JSON.parse(body).error.code).to.equal('internal_error')
    expect(body).to.not.match(/secret|stack|at /)
    expect(edge.log).to.have.length(1)
    expect(edge.log[0]).to.include({
      msg: 'request failed',
      requestId: 'req-1',
      error: 'secret inner detail',
    })
    await edge.close()
  })

  it('before the stream is open ends the turn and frees its session', async () => {
    const edge = await startEdge()
    const failing = await startEdge({ sessions: edge.sessions, flagsFor: broken })
    const authorization = await bearer()
    const start = (url: string, path: string, body: object) =>
      fetch(`${url}/api/v1/chat/${path}`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    const first = await start(edge.url, 'start', { agentId: 'a', message: 'Hi' })
    const sessionId = first.headers.get('x-chat-session-id') ?? ''
    await first.text()
    expect((await start(failing.url, `sessions/${sessionId}`, { message: 'Again' })).status).to.equal(500)
    const third = await start(edge.url, `sessions/${sessionId}`, { message: 'And again' })
    expect(third.status).to.equal(200)
    expect(await third.text()).to.include('event: done')
    expect(failing.turns.count).to.equal(0)
    await failing.close()
    await edge.close()
  })
})

describe('bytes that are no HTTP', () => {
  it('are answered with 400 and nothing is logged as a fault', async () => {
    const edge = await startEdge()
    const client = await rawClient(edge.port)
    client.socket.write('\x16\x03\x01\x02\x00\x01')
    await client.waitForClose()
    const other = await rawClient(edge.port)
    other.socket.write(httpText('GET', '/a b', {}))
    await other.waitForClose()
    expect(edge.log).to.deep.equal([])
    await edge.close()
  })
})

describe('a request with two lengths', () => {
  it('is refused with 400 and its connection closed, so that nothing behind it is read as another request', async () => {
    const edge = await startEdge()
    const hidden = httpText('GET', '/health/live', {})
    for (const lengths of [
      { 'Content-Length': '4', 'Transfer-Encoding': 'chunked' },
      { 'Transfer-Encoding': 'chunked, identity' },
      { 'Transfer-Encoding': 'xchunked', 'Content-Length': '4' },
      { 'Content-Length': '4, 5' },
      { 'Content-Length': '+4' },
    ]) {
      const client = await rawClient(edge.port)
      client.socket.write(`${httpText('POST', '/api/v1/chat/start', lengths)}0\r\n\r\n${hidden}`)
      const answer = await client.waitForClose()
      expect(answer, JSON.stringify(lengths)).to.match(/^HTTP\/1\.1 400 /)
      expect(answer.split('HTTP/1.1 ')).to.have.length(2)
    }
    await edge.close()
  })
})
