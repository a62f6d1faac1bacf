import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import type { BackendEvent } from '../../../src/execution/backend.js'
import { createDirectLlm } from '../../../src/execution/llm/direct-llm.js'
import { MemoryShare } from '../../../src/execution/parse/memory-share.js'
import { llmEndpoint } from '../../../src/llm/endpoint.js'
import { executed } from '../../support/executed.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'
import { pulledAnswer } from '../../support/pulled.js'
import { sampleCall, sampleTurn } from '../../support/sample-turn.js'
import { MAX_FRAME, SseReader } from '../../support/sse-reader.js'
import { SOON_MS } from '../../support/until.js'

const SSE = { 'content-type': 'text/event-stream' }
const chunk = (content: string, finish: string | null): string =>
  `data: {"choices":[{"index":0,"delta":{"content":"${content}"},"finish_reason":${JSON.stringify(finish)}}]}\n\n`

/** A second of the clock in each round of the event loop, until stopped. */
function secondsPass(clock: ManualClock): { stop(): void } {
  let isOver = false
  const pass = (): void => {
    if (isOver) return
    clock.advance(1_000)
    setImmediate(pass)
  }
  setImmediate(pass)
  return {
    stop() {
      isOver = true
    },
  }
}

describe('an answer of a server that never ends its response', () => {
  let server: Server
  let url: string
  let passing: { stop(): void } | undefined

  async function serve(answer: (response: ServerResponse) => void): Promise<void> {
    server = createServer((request, response) => {
      request.resume()
      answer(response)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  // Where a test fails as well: seconds that go on would take the time of the tests after it.
  afterEach(async () => {
    passing?.stop()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  it('is over a second after its last text, keep-alives or not', async () => {
    await serve((response) => {
      response.writeHead(200, SSE).write(chunk('a', 'stop'))
      setTimeout(() => response.write(chunk('b', 'stop')), 600)
      const beats = setInterval(() => response.write(': ping\n\ndata: ping\n\n'), 50)
      response.once('close', () => clearInterval(beats))
    })
    const backend = createDirectLlm(llmEndpoint({ baseUrl: url, model: 'm' }))
    const startedAt = performance.now()
    const { text, error } = await executed(backend)
    expect({ text, error }).to.deep.equal({ text: 'ab', error: undefined })
    expect(performance.now() - startedAt).to.be.within(1500, SOON_MS)
    backend.close()
  })

  it('is complete for its deadlines once it ended, and not while text goes on after the reason', async () => {
    await serve((response) => {
      response.writeHead(200, SSE).write(chunk('a', 'stop'))
      setTimeout(() => response.write(chunk('b', 'stop')), 50)
    })
    const seen: string[] = []
    const clock = manualClock()
    const backend = createDirectLlm(llmEndpoint({ baseUrl: url, model: 'm' }), { clock })
    const call = sampleCall({ onComplete: () => void seen.push('complete') })
    for await (const batch of pulledAnswer(backend, sampleTurn(), call)) {
      seen.push(
        ...batch.map((event: BackendEvent) => (event.type === 'text' ? event.data.content : event.type)),
      )
      if (seen.at(-1) !== 'b') continue
      expect(seen).to.deep.equal(['a', 'complete', 'b'])
      passing = secondsPass(clock)
    }
    expect(seen).to.deep.equal(['a', 'complete', 'b', 'complete', 'facts'])
    backend.close()
  })

  it('is read line by line where its lines are JSON', async () => {
    let go = (): void => {}
    const line = (content: string, finish: string | null) =>
      `${chunk(content, finish).slice('data: '.length, -1)}`
    await serve((response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' }).write(line('a', null))
      go = () => response.write(line('b', 'stop'))
    })
    const seen: string[] = []
    const clock = manualClock()
    const backend = createDirectLlm(llmEndpoint({ baseUrl: url, model: 'm' }), { clock })
    for await (const batch of pulledAnswer(backend, sampleTurn(), sampleCall())) {
      seen.push(...batch.map((event) => (event.type === 'text' ? event.data.content : event.type)))
      // Were it read at its end alone, this would never come.
      if (seen.length === 1) go()
      // It is over a second after its last text.
      if (seen.length === 2) passing = secondsPass(clock)
    }
    expect(seen).to.deep.equal(['a', 'b', 'facts'])
    backend.close()
  })

  it('may send hints before its head', async () => {
    await serve((response) => {
      response.writeEarlyHints({ link: '</x>; rel=preload' }, () => {
        response.writeHead(200, SSE).end(`${chunk('a', 'stop')}data: [DONE]\n\n`)
      })
    })
    const backend = createDirectLlm(llmEndpoint({ baseUrl: url, model: 'm' }))
    expect((await executed(backend)).text).to.equal('a')
    backend.close()
  })
})

describe('long frames of many turns', () => {
  const piece = Buffer.from('x'.repeat(MAX_FRAME / 2))
  const readerOf = (share: MemoryShare, pieces: number) => {
    const left = [Buffer.from('data: '), ...Array<Buffer>(pieces).fill(piece), Buffer.from('\n\n')]
    return new SseReader({ read: async () => left.shift() }, { maxFrame: 16 * MAX_FRAME, share })
  }
  async function lengths(reader: SseReader): Promise<number[] | string> {
    const out: number[] = []
    try {
      for (let batch = await reader.read(); batch !== undefined; batch = await reader.read())
        out.push(...batch.map(({ length }) => length))
      return out
    } catch (fault) {
      return String(fault)
    } finally {
      reader.close()
    }
  }

  it('share a bound, which is free again when they are read or given up', async () => {
    const share = new MemoryShare(2 * MAX_FRAME)
    for (let n = 0; n < 3; n += 1) expect(await lengths(readerOf(share, 5))).to.deep.equal([2.5 * MAX_FRAME])
    expect(await lengths(readerOf(share, 12))).to.contain('frame_too_large')
    expect(await lengths(readerOf(share, 5))).to.deep.equal([2.5 * MAX_FRAME])
    const other = readerOf(share, 5)
    for (let n = 0; n < 5; n += 1) await other.read()
    expect(await lengths(readerOf(share, 5))).to.contain('frame_too_large')
    other.close()
    expect(await lengths(readerOf(share, 5))).to.deep.equal([2.5 * MAX_FRAME])
  })

  it('takes nothing from it below the usual bound', async () => {
    expect(await lengths(readerOf(new MemoryShare(0), 1))).to.deep.equal([MAX_FRAME / 2])
  })
})
