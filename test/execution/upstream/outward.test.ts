import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import zlib from 'node:zlib'
import { expect } from 'chai'
import { createDirectLlm } from '../../../src/execution/llm/direct-llm.js'
import { ProxyAgents } from '../../../src/execution/upstream/proxy-agents.js'
import { llmEndpoint } from '../../../src/llm/endpoint.js'
import { executed } from '../../support/executed.js'
import { pulledAnswer } from '../../support/pulled.js'
import { sampleCall, sampleTurn } from '../../support/sample-turn.js'

const SSE = { 'content-type': 'text/event-stream' }
const BODY = 'data: {"choices":[{"delta":{"content":"ok"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
type Answer = (request: IncomingMessage, response: ServerResponse) => void

describe('the head of an answer of the direct LLM', () => {
  const servers: Server[] = []

  async function serve(answer: Answer): Promise<{ url: string; server: Server }> {
    const server = createServer((request, response) => {
      request.resume()
      answer(request, response)
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
  }
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  })

  async function ask(baseUrl: string) {
    const backend = createDirectLlm(
      llmEndpoint({ baseUrl, model: 'm', auth: { kind: 'bearer', key: 'key' } }),
    )
    try {
      return await executed(backend)
    } finally {
      backend.close()
    }
  }

  const encodings: [string, (text: string) => Buffer][] = [
    ['gzip', zlib.gzipSync],
    ['x-gzip', zlib.gzipSync],
    ['deflate', zlib.deflateSync],
    ['deflate', zlib.deflateRawSync],
    ['br', zlib.brotliCompressSync],
    ['identity', (text) => Buffer.from(text)],
  ]
  for (const [encoding, encode] of encodings) {
    it(`is read as ${encoding}`, async () => {
      const { url } = await serve((_request, response) => {
        response.writeHead(200, { ...SSE, 'content-encoding': encoding }).end(encode(BODY))
      })
      const { text, error } = await ask(url)
      expect({ text, error }).to.deep.equal({ text: 'ok', error: undefined })
    })
  }

  it('flushes encoded text as it comes', async () => {
    let finish = (): void => undefined
    const { url } = await serve((_request, response) => {
      const gzip = zlib.createGzip()
      response.writeHead(200, { ...SSE, 'content-encoding': 'gzip' })
      gzip.pipe(response)
      gzip.write('data: {"choices":[{"delta":{"content":"first"}}]}\n\n')
      gzip.flush()
      finish = () => gzip.end('data: [DONE]\n\n')
    })
    const backend = createDirectLlm(llmEndpoint({ baseUrl: url, model: 'm' }))
    const answer = pulledAnswer(backend, sampleTurn(), sampleCall())
    const first = await answer.next()
    expect(first.value).to.deep.equal([{ type: 'text', data: { content: 'first' } }])
    finish()
    expect(await answer.next()).to.include({ done: true })
    backend.close()
  })

  it('names an encoding it does not know, and one that is a lie', async () => {
    const odd = await serve((_request, response) => {
      response.writeHead(200, { ...SSE, 'content-encoding': 'squeeze' }).end(BODY)
    })
    const { error } = await ask(odd.url)
    expect(error).to.include({ code: 'llm_protocol_error', message: 'unknown content encoding squeeze' })
    const lie = await serve((_request, response) => {
      response.writeHead(200, { ...SSE, 'content-encoding': 'gzip' }).end(BODY)
    })
    expect((await ask(lie.url)).error).to.include({
      code: 'llm_protocol_error',
      message: 'the answer is no gzip',
    })
  })

  it('does not take a body that was cut for a whole one', async () => {
    const long = BODY.replace('ok', 'x'.repeat(5000)).replace('"stop"', 'null')
    const { url } = await serve((_request, response) => {
      response
        .writeHead(200, { ...SSE, 'content-encoding': 'gzip' })
        .end(zlib.gzipSync(long).subarray(0, -30))
    })
    expect((await ask(url)).error).to.include({ code: 'llm_disconnected' })
  })

  for (const status of [307, 308]) {
    it(`is followed once within its origin by ${status}`, async () => {
      const seen: string[] = []
      const { url } = await serve((request, response) => {
        seen.push(`${request.url} ${request.headers.authorization}`)
        if (request.url === '/there') response.writeHead(200, SSE).end(BODY)
        else response.writeHead(status, { location: '/there' }).end()
      })
      expect((await ask(url)).text).to.equal('ok')
      expect(seen).to.deep.equal(['/chat/completions Bearer key', '/there Bearer key'])
    })
  }

  it('is not followed twice, nor by 302, nor to another origin, and says where it pointed', async () => {
    const asked: string[] = []
    const other = await serve((request, response) => {
      asked.push(String(request.url))
      response.writeHead(200, SSE).end(BODY)
    })
    const targets: [number, string, string][] = [
      [307, '/again?key=secret', '/again'],
      [302, '/elsewhere', '/elsewhere'],
      [308, `${other.url.replace('//', '//user:secret@')}/x?key=secret`, `${other.url}/x`],
    ]
    for (const [status, location, pointed] of targets) {
      const { url } = await serve((_request, response) => response.writeHead(status, { location }).end())
      const { error } = await ask(url)
      expect(error).to.include({ code: 'llm_http_error' })
      expect(error?.details).to.deep.equal({ httpStatus: status })
      expect(error?.message).to.contain(pointed).and.not.contain('secret')
    }
    expect(asked).to.deep.equal([])
  })

  it('tells a filter by its code, also where its body is encoded, as no fault of the server', async () => {
    const { url } = await serve((_request, response) => {
      const body = zlib.gzipSync(JSON.stringify({ error: { code: 'content_filter', message: 'secret' } }))
      response.writeHead(400, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(body)
    })
    const { error } = await ask(url)
    expect(error).to.include({ code: 'llm_content_filtered', phase: 'headers' })
    expect(error?.details).to.deep.equal({ httpStatus: 400, upstreamCode: 'content_filter', rejected: true })
  })

  describe('by way of a proxy', () => {
    const NAMES = [
      'HTTP_PROXY',
      'HTTPS_PROXY',
      'NO_PROXY',
      'http_proxy',
      'https_proxy',
      'no_proxy',
      'all_proxy',
      'ALL_PROXY',
    ]
    const before = NAMES.map((name) => [name, process.env[name]] as const)
    beforeEach(() => {
      for (const name of NAMES) delete process.env[name]
    })
    after(() => {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    })

    /** Leads every tunnel to the one server, and remembers where it was to go. */
    async function tunnels(target: string) {
      const asked: string[] = []
      const proxy = await serve((_request, response) => response.writeHead(405).end())
      proxy.server.on('connect', (request: IncomingMessage, socket: Socket) => {
        asked.push(String(request.url))
        if (target === '') return void socket.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n')
        const onward = connect(Number(new URL(target).port), '127.0.0.1', () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n')
          socket.pipe(onward).pipe(socket)
        })
        onward.on('error', () => socket.destroy())
        socket.on('error', () => onward.destroy())
      })
      return { url: proxy.url, asked }
    }

    it('goes where HTTP_PROXY says, but not to loopback nor to what NO_PROXY names', async () => {
      const requests: string[] = []
      const own = await serve((request, response) => {
        requests.push(`${request.headers.host}${request.url}`)
        response.writeHead(200, SSE).end(BODY)
      })
      const { url, asked } = await tunnels(own.url)
      process.env.HTTP_PROXY = url
      process.env.NO_PROXY = 'spared.invalid'
      const backend = createDirectLlm(llmEndpoint({ baseUrl: 'http://llm.invalid/v1', model: 'm' }))
      for (let n = 0; n < 2; n += 1) {
        expect((await executed(backend)).text).to.equal('ok')
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      backend.close()
      // the tunnel is kept for the next turn
      expect(asked).to.deep.equal(['llm.invalid:80'])
      expect(requests).to.deep.equal(Array(2).fill('llm.invalid/v1/chat/completions'))
      expect((await ask('http://spared.invalid/v1')).error).to.include({ code: 'llm_unreachable' })
      expect((await ask(own.url)).text).to.equal('ok')
      expect(asked).to.have.length(1)
    })

    it('asks the proxy of HTTPS_PROXY for a tunnel, and tells its refusal', async () => {
      const { url, asked } = await tunnels('')
      process.env.HTTPS_PROXY = url
      const { error } = await ask('https://llm.invalid/v1')
      expect(asked).to.deep.equal(['llm.invalid:443'])
      expect(error).to.deep.include({ code: 'llm_http_error', details: { httpStatus: 502 } })
    })

    it('never for loopback, and says so where the proxy is no address', async () => {
      process.env.HTTP_PROXY = 'http://proxy.invalid'
      const agents = new ProxyAgents({})
      for (const host of ['localhost', 'a.localhost', '127.1.2.3', '[::1]'])
        expect(agents.for(`http://${host}:1/`), host).to.equal(undefined)
      expect(agents.for('http://127.example/')).to.not.equal(undefined)
      process.env.HTTP_PROXY = 'http://['
      expect((await ask('http://llm.invalid')).error).to.include({ code: 'llm_unreachable' })
    })
  })
})
