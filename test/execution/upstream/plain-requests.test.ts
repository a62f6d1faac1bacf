import http, { type IncomingHttpHeaders } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { PlainRequests } from '../../../src/execution/upstream/plain-requests.js'

interface Asked {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

describe('requests by Node itself', () => {
  const agents = { http: new http.Agent({ keepAlive: true }), https: new https.Agent() }
  const requests = new PlainRequests(agents, { 'user-agent': 'chat-cutover', 'accept-encoding': 'identity' })
  let server: http.Server
  let host: string
  let asked: Asked[]

  before(async () => {
    server = http.createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8')
      request.on('data', (chunk: string) => {
        body += chunk
      })
      request.on('end', () => {
        asked.push({ method: request.method, url: request.url, headers: request.headers, body })
        response.end('well')
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  beforeEach(() => {
    asked = []
  })
  after(() => {
    agents.http.destroy()
    server.close()
  })

  const sent = (request: http.ClientRequest): Promise<void> =>
    new Promise((resolve, reject) => {
      request.on('error', reject)
      request.on('response', (response) => response.resume().on('end', resolve))
    })

  it('send a body as JSON with its length, and the headers of both', async () => {
    const body = JSON.stringify({ text: '你好' })
    await sent(
      requests.begin({ url: `http://${host}/a/b?c=d`, headers: { accept: 'text/event-stream' }, body }),
    )
    expect(asked[0]).to.include({ method: 'POST', url: '/a/b?c=d', body })
    const { headers = {} } = asked[0] ?? {}
    expect(headers).to.include({
      host,
      accept: 'text/event-stream',
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'user-agent': 'chat-cutover',
      'accept-encoding': 'identity',
    })
    expect(headers).not.to.have.property('transfer-encoding')
  })

  it('ask without a body', async () => {
    await sent(requests.begin({ url: `http://${host}/health`, headers: {} }))
    expect(asked).to.have.length(1)
    expect(asked[0]).to.include({ method: 'GET', url: '/health', body: '' })
    expect(asked[0]?.headers).not.to.have.any.keys('content-type', 'content-length', 'transfer-encoding')
  })

  it('take name and password of the address along', async () => {
    await sent(requests.begin({ url: `http://name:p%40ss@${host}/`, headers: {}, body: '{}' }))
    expect(asked[0]?.headers.authorization).to.equal(`Basic ${Buffer.from('name:p@ss').toString('base64')}`)
  })

  it('keep their connections, whatever headers they have', async () => {
    for (const id of ['1', '2']) {
      const request = requests.begin({ url: `http://${host}/`, headers: { 'x-request-id': id }, body: '{}' })
      await sent(request)
      expect(request.reusedSocket).to.equal(true)
    }
    expect(asked.map(({ headers }) => headers['x-request-id'])).to.deep.equal(['1', '2'])
  })

  for (const url of ['ftp://example.com/', 'no address'])
    it(`refuse ${url}`, () => {
      expect(() => requests.begin({ url, headers: {} })).to.throw(TypeError)
    })
})
