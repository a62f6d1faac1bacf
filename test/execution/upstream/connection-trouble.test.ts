import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { createRuntimeOrchestrator } from '../../../src/execution/runtime/runtime-orchestrator.js'
import type { Faults } from '../../../src/simulator/faults.js'
import { startRuntimeSimulator } from '../../../src/simulator/runtime.js'
import type { Simulator } from '../../../src/simulator/simulator-server.js'
import { executed } from '../../support/executed.js'
import { sampleCall, sampleTurn } from '../../support/sample-turn.js'
import { settled } from '../../support/turn-runner.js'
import { until } from '../../support/until.js'

describe('trouble with the connection to the runtime', () => {
  let simulator: Simulator
  let backend: ReturnType<typeof createRuntimeOrchestrator>
  let troubles: number

  function backendAt(url: string): ReturnType<typeof createRuntimeOrchestrator> {
    const onConnectionTrouble = (): void => {
      troubles += 1
    }
    return createRuntimeOrchestrator({ url }, { onConnectionTrouble })
  }

  beforeEach(async () => {
    troubles = 0
    simulator = await startRuntimeSimulator()
    backend = backendAt(simulator.url)
  })
  afterEach(async () => {
    backend.close()
    await simulator.close()
  })

  it('is told when the connection is refused', async () => {
    await simulator.close()
    await executed(backend)
    expect(troubles).to.equal(1)
  })

  const told: Faults[] = [
    { refuse: true },
    { dropAfterEvents: 0 },
    { dropAfterEvents: 4 },
    { noTerminal: true },
  ]
  for (const faults of told) {
    it(`is told for ${JSON.stringify(faults)}`, async () => {
      simulator.faults = faults
      await executed(backend)
      // The cancel that follows meets the same trouble where every connection is reset.
      expect(troubles).to.equal(faults.refuse === true ? 2 : 1)
    })
  }

  const untold: [Faults, number][] = [
    [{}, 2000],
    [{ status: 503 }, 2000],
    [{ status: 401 }, 2000],
    [{ hang: 'headers' }, 50],
    [{ errorEvent: true }, 2000],
    [{ garbage: true }, 2000],
    [{ oversizedFrame: 17_000_000 }, 2000],
    [{ softFailure: true, endless: true }, 2000],
  ]
  for (const [faults, headersMs] of untold) {
    it(`is not told for ${JSON.stringify(faults)}`, async () => {
      simulator.faults = faults
      await executed(backend, sampleTurn(), sampleCall({ headersMs }))
      expect(troubles).to.equal(0)
    })
  }

  for (const hang of ['headers', 'body'] as const) {
    it(`is not told when we give up while the ${hang} hangs`, async () => {
      simulator.faults = { hang }
      const call = sampleCall()
      const done = executed(backend, sampleTurn(), call)
      await until('the request', () => simulator.requests.length === 1)
      if (hang === 'body') await until('the response head', () => call.seen.includes('headers'))
      call.controller.abort()
      await done
      expect(troubles).to.equal(0)
    })
  }

  it('is not told for what our own close breaks', async () => {
    simulator.faults = { endless: true }
    const call = sampleCall()
    const done = executed(backend, sampleTurn(), call)
    await until('the response head', () => call.seen.includes('headers'))
    backend.close()
    expect((await done).error).to.include({ code: 'runtime_disconnected' })
    expect(troubles).to.equal(0)
  })

  it('is told when the runtime that should cancel is gone', async () => {
    simulator.faults = { hang: 'headers' }
    const call = sampleCall()
    const done = executed(backend, sampleTurn(), call)
    await until('the request', () => simulator.requests.length === 1)
    simulator.faults = { refuse: true }
    call.controller.abort()
    await done
    expect(troubles).to.equal(1)
  })

  describe('over connections that are kept', () => {
    let server: Server

    async function serve(answer: (response: ServerResponse, connection: number) => void): Promise<string> {
      const connections: unknown[] = []
      server = createServer((request, response) => {
        let at = connections.indexOf(request.socket)
        if (at < 0) at = connections.push(request.socket) - 1
        request.resume().once('end', () => answer(response, at + 1))
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    }
    afterEach(async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    })

    const ANSWER = `data: {"event":"text_chunk","data":{"content":"ok"}}\r\n\r\ndata: [DONE]\r\n\r\n`
    const SSE = { 'content-type': 'text/event-stream' }

    it('is told once for a kept one that the server reset: the turn is not sent again', async () => {
      let answers = 0
      const url = await serve((response, connection) => {
        answers += 1
        if (connection === 1 && answers === 2) response.socket?.resetAndDestroy()
        else response.writeHead(200, SSE).end(ANSWER)
      })
      const kept = backendAt(url)
      await executed(kept)
      await settled()
      expect((await executed(kept)).error).to.include({ code: 'runtime_unreachable' })
      // The third is the cancel.
      expect({ answers, troubles }).to.deep.equal({ answers: 3, troubles: 1 })
      kept.close()
    })

    it('is told when an answer without a length ends with its connection', async () => {
      const url = await serve((response) => {
        response.socket?.end(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {}\r\n\r\n`)
      })
      const other = backendAt(url)
      expect((await executed(other)).error).to.include({ code: 'runtime_disconnected' })
      expect(troubles).to.be.at.least(1)
      other.close()
    })
  })
})
