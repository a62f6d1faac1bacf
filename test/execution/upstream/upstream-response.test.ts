import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import zlib from 'node:zlib'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import type { ByteSink } from '../../../src/execution/upstream/byte-source.js'
import { decodedBody } from '../../../src/execution/upstream/decoded-body.js'
import { createHttpClient, type HttpClient } from '../../../src/execution/upstream/http-client.js'
import type { UpstreamResponse } from '../../../src/execution/upstream/upstream-response.js'
import { until } from '../../support/until.js'

describe('a response whose reader pauses', () => {
  let server: Server
  let client: HttpClient
  let answered: ServerResponse | undefined
  let controller: AbortController
  let seen: string[]

  beforeEach(async () => {
    server = createServer((request, response) => {
      request.resume()
      response.write('first')
      answered = response
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    client = createHttpClient(systemClock)
    controller = new AbortController()
    seen = []
  })
  afterEach(async () => {
    client.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  /** Pauses at each read; the last one is in, and the end behind it. */
  async function pausedAtTheLast(): Promise<UpstreamResponse> {
    const response = await client.post({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      headers: {},
      body: '{}',
      signal: controller.signal,
      connectMs: 1000,
      headersMs: 1000,
    })
    response.listen({
      data(chunk) {
        response.pause()
        seen.push(chunk.toString())
      },
      end: (fault) => void seen.push(fault === undefined ? 'end' : String(fault)),
    })
    await until('the first read', () => seen.length === 1, 1000)
    answered?.end('last')
    await settled()
    response.resume()
    await until('the last read', () => seen.length >= 2, 1000)
    await settled()
    return response
  }
  const settled = () => new Promise<void>((resolve) => setTimeout(resolve, 50))

  it('tells the end after the next resume', async () => {
    const response = await pausedAtTheLast()
    expect(seen).to.deep.equal(['first', 'last'])
    response.resume()
    await until('the end', () => seen.length === 3, 1000)
    expect(seen[2]).to.equal('end')
    response.release()
  })

  it('tells once that it was given up meanwhile', async () => {
    const response = await pausedAtTheLast()
    controller.abort()
    await until('the end', () => seen.length === 3, 1000)
    response.resume()
    response.destroy()
    expect(seen).to.deep.equal(['first', 'last', 'TransportError: aborted'])
  })
})

describe('a compressed body whose reader pauses', () => {
  const settled = () => new Promise<void>((resolve) => setTimeout(resolve, 30))

  it('tells its end after the next resume, for each end that the response may have', async () => {
    for (const fault of [undefined, new Error('broken')]) {
      let source: ByteSink | undefined
      const body = decodedBody({
        contentEncoding: 'gzip',
        pause: () => undefined,
        resume: () => undefined,
        close: () => undefined,
        listen(sink) {
          source = sink
        },
      })
      let bytes = 0
      const ends: unknown[] = []
      body.listen({
        data(chunk) {
          body.pause()
          bytes += chunk.length
        },
        end: (told) => void ends.push(told),
      })
      source?.data(zlib.gzipSync('x'.repeat(40_000)))
      source?.end(fault)
      await settled()
      while (bytes < 40_000) {
        expect(ends).to.deep.equal([])
        body.resume()
        await settled()
      }
      expect(ends).to.deep.equal([])
      body.resume()
      await settled()
      expect(ends).to.deep.equal([fault])
    }
  })
})
