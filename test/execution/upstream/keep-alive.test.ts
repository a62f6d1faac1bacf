import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import type { ChatBackend } from '../../../src/execution/backend.js'
import { createDirectLlm } from '../../../src/execution/llm/direct-llm.js'
import { createRuntimeOrchestrator } from '../../../src/execution/runtime/runtime-orchestrator.js'
import { llmEndpoint } from '../../../src/llm/endpoint.js'
import { executed } from '../../support/executed.js'
import { settled } from '../../support/turn-runner.js'

const RUNTIME_ANSWER = `data: {"event":"text_chunk","data":{"content":"ok"}}\r\n\r\ndata: [DONE]\r\n\r\n`
const LLM_ANSWER = `data: {"choices":[{"delta":{"content":"ok"}}]}\n\ndata: [DONE]\n\n`

describe('a kept connection', () => {
  let server: Server
  let backend: ChatBackend & { close(): void }
  /** turns read on each connection, in the order the connections came; a cancel is not counted */
  let seen: number[]
  let cancels: number

  async function serve(
    kind: 'runtime' | 'llm',
    closesAt: (connection: number, request: number) => boolean,
    worksMs = 0,
  ): Promise<void> {
    const connections: unknown[] = []
    seen = []
    cancels = 0
    server = createServer((request, response) => {
      request.resume().once('end', () => {
        if (request.url?.endsWith('/cancel')) {
          cancels += 1
          response.writeHead(200, { 'content-type': 'application/json' }).end('{"cancelled":true}')
          return
        }
        let at = connections.indexOf(request.socket)
        if (at < 0) at = connections.push(request.socket) - 1
        seen[at] = (seen[at] ?? 0) + 1
        if (closesAt(at + 1, seen[at] ?? 0)) setTimeout(() => request.socket.resetAndDestroy(), worksMs)
        else
          response
            .writeHead(200, { 'content-type': 'text/event-stream' })
            .end(kind === 'runtime' ? RUNTIME_ANSWER : LLM_ANSWER)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    backend =
      kind === 'runtime'
        ? createRuntimeOrchestrator({ url })
        : createDirectLlm(llmEndpoint({ baseUrl: url, model: 'm' }))
  }
  afterEach(async () => {
    backend.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  describe('to the runtime', () => {
    // 60 ms: it has read the request and its tools may run by then.
    for (const worksMs of [0, 60])
      it(`that is reset ${worksMs} ms after the request was read: the turn is sent once`, async () => {
        await serve('runtime', (connection, request) => connection === 1 && request === 2, worksMs)
        expect((await executed(backend)).text).to.equal('ok')
        await settled()
        const second = await executed(backend)
        expect(second.error).to.include({ code: 'runtime_unreachable', phase: 'headers' })
        expect(seen).to.deep.equal([2])
        // What may still run is told to stop, before the session takes its next turn.
        expect(cancels).to.equal(1)
      })

    it('that is not reset serves turn after turn', async () => {
      await serve('runtime', () => false)
      for (let turn = 1; turn <= 3; turn += 1) {
        expect((await executed(backend)).text).to.equal('ok')
        await settled()
      }
      expect(seen).to.deep.equal([3])
    })

    it('makes no difference to a first connection that is reset', async () => {
      await serve('runtime', () => true)
      expect((await executed(backend)).error).to.include({ code: 'runtime_unreachable' })
      expect(seen).to.deep.equal([1])
    })
  })

  describe('to the direct LLM, which runs no tools', () => {
    it('that the server closes as we write to it is replaced by a fresh one, unseen', async () => {
      await serve('llm', (connection, request) => connection === 1 && request === 2)
      expect((await executed(backend)).text).to.equal('ok')
      await settled()
      const second = await executed(backend)
      expect(second).to.include({ text: 'ok', error: undefined })
      expect(seen).to.deep.equal([2, 1])
    })

    it('is replaced by a fresh one, not by another kept one that may be as stale', async () => {
      await serve('llm', (connection, request) => connection <= 3 && request === 2)
      await Promise.all([executed(backend), executed(backend), executed(backend)])
      await settled()
      expect(seen).to.deep.equal([1, 1, 1])
      expect((await executed(backend)).text).to.equal('ok')
      expect(seen[3]).to.equal(1)
    })

    it('is replaced once, not again and again', async () => {
      await serve('llm', (connection, request) => connection > 1 || request === 2)
      await executed(backend)
      await settled()
      expect((await executed(backend)).error).to.include({ code: 'llm_unreachable', phase: 'headers' })
      expect(seen).to.deep.equal([2, 1])
    })
  })
})
