import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { createModelsRequest, type ModelsAnswer } from '../../../src/execution/llm/llm-models.js'
import { llmEndpoint } from '../../../src/llm/endpoint.js'

describe('the list of models of an LLM endpoint', () => {
  let server: Server
  let status = 200
  const seen: {
    readonly url: string
    readonly authorization: string | undefined
    readonly method: string
  }[] = []

  before(async () => {
    server = createServer((request, response) => {
      const { url = '', method = '', headers } = request
      seen.push({ url, method, authorization: headers.authorization })
      if (status === 0) response.socket?.resetAndDestroy()
      else response.writeHead(status).end('{"data":[]}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })

  async function answered(with_: number, baseUrl?: string): Promise<ModelsAnswer> {
    status = with_
    seen.length = 0
    const { port } = server.address() as AddressInfo
    const endpoint = llmEndpoint({
      baseUrl: baseUrl ?? `http://127.0.0.1:${port}/v1`,
      model: 'm',
      auth: { kind: 'bearer', key: 'secret' },
      query: { 'api-version': '1' },
    })
    const request = createModelsRequest(endpoint, systemClock)
    try {
      return await request.ask(new AbortController().signal)
    } finally {
      request.close()
    }
  }

  it('is asked for with the key, beside chat completions', async () => {
    expect(await answered(200)).to.deep.equal({ usable: true })
    expect(seen).to.deep.equal([
      { url: '/v1/models?api-version=1', method: 'GET', authorization: 'Bearer secret' },
    ])
  })

  it('need not be there, and may be refused by a busy server', async () => {
    for (const code of [404, 405, 400, 429])
      expect(await answered(code), `${code}`).to.deep.equal({ usable: true })
  })

  it('tells that the key is of no use, or the server', async () => {
    for (const code of [401, 402, 403, 500, 503])
      expect(await answered(code), `${code}`).to.deep.equal({
        usable: false,
        code: 'http_status',
        status: code,
      })
    expect(await answered(0)).to.deep.equal({ usable: false, code: 'ECONNRESET' })
    expect(await answered(200, 'http://127.0.0.1:1/v1')).to.deep.equal({
      usable: false,
      code: 'ECONNREFUSED',
    })
  })
})
