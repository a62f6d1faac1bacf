import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { createRuntimeOrchestrator } from '../../src/execution/runtime-orchestrator.js'
import { executed } from '../support/executed.js'
import { settled } from '../support/turn-runner.js'

const ANSWER = `data: {"event":"text_chunk","data":{"content":"ok"}}\r\n\r\ndata: [DONE]\r\n\r\n`

describe('a kept connection', () => {
  let server: Server
  let backend: ReturnType<typeof createRuntimeOrchestrator>
  /** requests seen on each connection, in the order the connections came */
  let seen: number[]

  async function serve(closesAt: (connection: number, request: number) => boolean): Promise<void> {
    const connections: unknown[] = []
    seen = []
    server = createServer((request, response) => {
      let at = connections.indexOf(request.socket)
      if (at < 0) at = connections.push(request.socket) - 1
      seen[at] = (seen[at] ?? 0) + 1
      if (closesAt(at + 1, seen[at] ?? 0)) request.socket.resetAndDestroy()
      else
        request
          .resume()
          .once('end', () => response.writeHead(200, { 'content-type': 'text/event-stream' }).end(ANSWER))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    backend = createRuntimeOrchestrator({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  }
  afterEach(async () => {
    backend.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  it('that the server closes as we write to it is replaced by a fresh one, unseen', async () => {
    await serve((connection, request) => connection === 1 && request === 2)
    expect((await executed(backend)).text).to.equal('ok')
    await settled()
    const second = await executed(backend)
    expect(second).to.include({ text: 'ok', error: undefined })
    expect(seen).to.deep.equal([2, 1])
    expect(second.call.tasks).to.have.length(0)
  })

  it('is replaced by a fresh one, not by another kept one that may be as stale', async () => {
    await serve((connection, request) => connection <= 3 && request === 2)
    await Promise.all([executed(backend), executed(backend), executed(backend)])
    await settled()
    expect(seen).to.deep.equal([1, 1, 1])
    expect((await executed(backend)).text).to.equal('ok')
    expect(seen[3]).to.equal(1)
  })

  it('is replaced once, not again and again', async () => {
    await serve((connection, request) => connection > 1 || request === 2)
    await executed(backend)
    await settled()
    expect((await executed(backend)).error).to.include({ code: 'runtime_unreachable', phase: 'headers' })
    // The third is the cancel: the request may have reached the runtime.
    expect(seen.slice(0, 2)).to.deep.equal([2, 1])
  })

  it('is not the fault of a first connection', async () => {
    await serve(() => true)
    expect((await executed(backend)).error).to.include({ code: 'runtime_unreachable' })
    expect(seen[0]).to.equal(1)
  })
})
