import { getEventListeners } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import zlib from 'node:zlib'
import { expect } from 'chai'
import { createDirectLlm } from '../../../src/execution/llm/direct-llm.js'
import { createRuntimeOrchestrator } from '../../../src/execution/runtime/runtime-orchestrator.js'
import { TransportError } from '../../../src/execution/transport-error.js'
import { createHttpClient } from '../../../src/execution/upstream/http-client.js'
import { llmEndpoint } from '../../../src/llm/endpoint.js'
import { executed } from '../../support/executed.js'
import { manualClock } from '../../support/manual-clock.js'
import { sampleCall, sampleTurn } from '../../support/sample-turn.js'
import { until } from '../../support/until.js'

const SSE = { 'content-type': 'text/event-stream' }
const CHUNK = 'data: {"choices":[{"delta":{"content":"ok"},"finish_reason":"stop"}]}\n\n'

describe('servers that do not know when to stop', () => {
  let server: Server
  let open: number
  let flooded: number
  let url: string
  let answered: ServerResponse[]

  async function serve(answer: (response: ServerResponse) => void): Promise<void> {
    open = 0
    flooded = 0
    answered = []
    server = createServer((request, response) => {
      request.resume()
      answered.push(response)
      answer(response)
    })
    server.on('connection', (socket) => {
      open += 1
      socket.once('close', () => {
        open -= 1
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  afterEach(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  /** Writes as fast as it is read, for ever. */
  function flood(response: ServerResponse): void {
    const junk = 'x'.repeat(16_384)
    const fill = (): void => {
      do flooded += junk.length
      while (!response.destroyed && response.write(junk))
    }
    response.on('drain', fill)
    fill()
  }

  async function withLlm(check: (run: () => ReturnType<typeof executed>) => Promise<void>): Promise<void> {
    const backend = createDirectLlm(llmEndpoint({ baseUrl: url, model: 'm' }))
    await check(() => executed(backend))
    await until('the connection closed', () => open === 0)
    // What the kernel takes, not what a second of reading would bring.
    expect(flooded).to.be.below(16 * 1024 * 1024)
    backend.close()
  }

  it('an answer that goes on after [DONE] ends there, and its connection with it', async () => {
    await serve((response) => {
      response.writeHead(200, SSE).write(`${CHUNK}data: [DONE]\n\n`)
      flood(response)
    })
    await withLlm(async (run) => {
      const { text, error } = await run()
      expect({ text, error }).to.deep.equal({ text: 'ok', error: undefined })
    })
  })

  it('an answer whose response stays open after [DONE] gives its connection back or up', async () => {
    await serve((response) => void response.writeHead(200, SSE).write(`${CHUNK}data: [DONE]\n\n`))
    await withLlm(async (run) => {
      expect((await run()).text).to.equal('ok')
    })
  })

  it('an error body without end is not waited for', async () => {
    await serve((response) => flood(response.writeHead(500, { 'content-type': 'application/json' })))
    await withLlm(async (run) => {
      expect((await run()).error).to.include({ code: 'llm_http_error' })
    })
  })

  it('an error body that stands still is given a second', async () => {
    await serve((response) => void response.writeHead(422, { 'content-type': 'application/json' }).write('{'))
    const backend = createRuntimeOrchestrator({ url })
    const { error, call } = await executed(backend)
    expect(error).to.include({ code: 'runtime_bad_request' })
    expect(call.tasks).to.have.length(0)
    backend.close()
  })

  it('a compressed answer that has come whole ends where it is given up while its reader is slow', async () => {
    const whole = zlib.gzipSync(CHUNK.repeat(5000))
    await serve((response) => void response.writeHead(200, { ...SSE, 'content-encoding': 'gzip' }).end(whole))
    const backend = createDirectLlm(llmEndpoint({ baseUrl: url, model: 'm' }))
    const call = sampleCall()
    let batches = 0
    let ends = 0
    backend.execute(sampleTurn(), call, {
      batch() {
        batches += 1
        return false
      },
      end() {
        ends += 1
      },
    })
    await until('the first batch', () => batches === 1)
    await until('the whole body', () => answered.every(({ writableFinished }) => writableFinished))
    call.controller.abort()
    await until('the end', () => ends === 1)
    expect({ batches, ends }).to.deep.equal({ batches: 1, ends: 1 })
    backend.close()
  })

  it('something that is not HTTP is a protocol error', async () => {
    await serve((response) => void response.socket?.end('nonsense\r\n\r\n'))
    await withLlm(async (run) => {
      expect((await run()).error).to.include({ code: 'llm_protocol_error', phase: 'headers' })
    })
  })
})

describe('an address that no request can be made for', () => {
  // The HTTP client takes this host for a socket in the file system.
  const url = 'http://unix/v1'
  const backends = [
    ['llm_unreachable', () => createDirectLlm(llmEndpoint({ baseUrl: url, model: 'm' }))],
    ['runtime_unreachable', () => createRuntimeOrchestrator({ url })],
  ] as const
  for (const [code, make] of backends)
    it(`ends in ${code}`, async () => {
      const backend = make()
      const { error } = await executed(backend)
      expect(error).to.include({ code })
      backend.close()
    })

  it('leaves no timer behind, and nothing that listens to the signal', async () => {
    const clock = manualClock()
    const client = createHttpClient(clock)
    const { signal } = new AbortController()
    const request = { url, headers: {}, body: '{}', signal, connectMs: 1_000, headersMs: 1_000 }
    const thrown = await client.post(request).catch((error: unknown) => error)
    expect(thrown).to.be.instanceOf(TransportError).and.to.include({ fault: 'unreachable', connected: false })
    expect(clock.pending()).to.equal(0)
    expect(getEventListeners(signal, 'abort')).to.have.length(0)
    client.close()
  })
})
