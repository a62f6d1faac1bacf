import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import zlib from 'node:zlib'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import type { ByteSink } from '../../../src/execution/upstream/byte-source.js'
import { decodedBody } from '../../../src/execution/upstream/decoded-body.js'
import { createHttpClient, type HttpClient } from '../../../src/execution/upstream/http-client.js'
import { UpstreamResponse } from '../../../src/execution/upstream/upstream-response.js'
import { manualClock } from '../../support/manual-clock.js'
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
    await until('the first read', () => seen.length === 1)
    answered?.end('last')
    await settled()
    response.resume()
    await until('the last read', () => seen.length >= 2)
    await settled()
    return response
  }
  const settled = () => new Promise<void>((resolve) => setTimeout(resolve, 50))

  it('tells the end after the next resume', async () => {
    const response = await pausedAtTheLast()
    expect(seen).to.deep.equal(['first', 'last'])
    response.resume()
    await until('the end', () => seen.length === 3)
    expect(seen[2]).to.equal('end')
    response.release()
  })

  it('tells once that it was given up meanwhile', async () => {
    const response = await pausedAtTheLast()
    controller.abort()
    await until('the end', () => seen.length === 3)
    response.resume()
    response.destroy()
    expect(seen).to.deep.equal(['first', 'last', 'TransportError: aborted'])
  })
})

describe('a response that is given up while a read waits for its microtask', () => {
  it('tells that alone, also a sink that would pause at the read', () => {
    const incoming = Object.assign(new PassThrough(), { statusCode: 200, headers: {} })
    const response = new UpstreamResponse(incoming as unknown as IncomingMessage, manualClock(), () => {})
    const seen: string[] = []
    response.listen({
      data(chunk) {
        seen.push(chunk.toString())
        response.pause()
      },
      end: (fault) => void seen.push(String(fault)),
    })
    incoming.emit('data', Buffer.from('read'))
    response.destroy()
    expect(seen).to.deep.equal(['TransportError: aborted'])
  })
})

describe('the HTTP chunks of an answer', () => {
  function opened() {
    const clock = manualClock()
    const incoming = Object.assign(new PassThrough(), { statusCode: 200, headers: {} })
    const response = new UpstreamResponse(incoming as unknown as IncomingMessage, clock, () => {})
    const seen: string[] = []
    response.listen({ data: (chunk) => void seen.push(chunk.toString()), end: () => undefined })
    /** One network read, some ms after the one before it. */
    const read = (...texts: string[]): void => {
      clock.advance(50)
      for (const text of texts) incoming.emit('data', Buffer.from(text))
    }
    return { response, seen, read }
  }

  /** Four reads of one alone. */
  async function readFour(read: (...texts: string[]) => void): Promise<void> {
    for (const text of ['1', '2', '3', '4']) {
      read(text)
      await Promise.resolve()
    }
  }

  it('are joined with the others of their read', async () => {
    const { seen, read } = opened()
    read('1a', '1b', '1c')
    await Promise.resolve()
    read('2a', '2b')
    expect(seen).to.deep.equal(['1a1b1c'])
    await Promise.resolve()
    expect(seen).to.deep.equal(['1a1b1c', '2a2b'])
  })

  it('go on at once after four reads of one alone', async () => {
    const { seen, read } = opened()
    await readFour(read)
    read('5')
    expect(seen).to.deep.equal(['1', '2', '3', '4', '5'])
  })

  it('are joined again from the second on that comes close behind another', async () => {
    const { seen, read } = opened()
    await readFour(read)
    read('5a', '5b', '5c')
    await Promise.resolve()
    read('6a', '6b')
    await Promise.resolve()
    expect(seen.slice(4)).to.deep.equal(['5a', '5b5c', '6a6b'])
  })

  it('wait in order while the reader pauses', () => {
    const { response, seen, read } = opened()
    response.pause()
    read('one')
    read('two', 'three')
    expect(seen).to.deep.equal([])
    response.resume()
    expect(seen).to.deep.equal(['onetwothree'])
  })
})

describe('a compressed body whose reader pauses', () => {
  /** Pauses at each piece. */
  function pausing() {
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
    const seen = { bytes: 0, ends: [] as unknown[] }
    body.listen({
      data(chunk) {
        body.pause()
        seen.bytes += chunk.length
      },
      end: (told) => void seen.ends.push(told),
    })
    return { body, seen, source }
  }
  // The decoder works in a thread of its own, and nothing tells from outside that it has come to its end.
  const settled = () => new Promise<void>((resolve) => setTimeout(resolve, 30))

  it('tells its end after the next resume, for each end that the response may have', async () => {
    for (const fault of [undefined, new Error('broken')]) {
      const { body, seen, source } = pausing()
      source?.data(zlib.gzipSync('x'.repeat(40_000)))
      source?.end(fault)
      await settled()
      while (seen.bytes < 40_000) {
        expect(seen.ends).to.deep.equal([])
        body.resume()
        await settled()
      }
      expect(seen.ends).to.deep.equal([])
      body.resume()
      await settled()
      expect(seen.ends).to.deep.equal([fault])
    }
  })

  it('tells after the next resume too that it cannot be decoded', async () => {
    const { body, seen, source } = pausing()
    source?.data(zlib.gzipSync('x'.repeat(1000), { finishFlush: zlib.constants.Z_SYNC_FLUSH }))
    await until('the first piece', () => seen.bytes > 0)
    source?.data(Buffer.alloc(1000, 0xff))
    await settled()
    source?.end()
    await settled()
    expect(seen.ends).to.deep.equal([])
    body.resume()
    await until('the end', () => seen.ends.length === 1)
    expect(seen.ends[0]).to.include({ code: 'llm_protocol_error' })
  })
})
