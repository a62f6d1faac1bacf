import { expect } from 'chai'
import fc from 'fast-check'
import { TransportError } from '../../../src/execution/transport-error.js'
import { type ChunkSource, MAX_FRAME, SseReader } from '../../support/sse-reader.js'

function source(chunks: readonly (Buffer | Error)[]): ChunkSource {
  const left = [...chunks]
  return {
    async read() {
      const next = left.shift()
      if (next instanceof Error) throw next
      return next
    },
  }
}

async function readAll(
  ...chunks: (Buffer | string | Error)[]
): Promise<{ events: string[]; fault?: string }> {
  const reader = new SseReader(
    source(chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk))),
  )
  const events: string[] = []
  try {
    for (let batch = await reader.read(); batch !== undefined; batch = await reader.read())
      events.push(...batch)
    return { events }
  } catch (fault) {
    return { events, fault: fault instanceof TransportError ? fault.fault : String(fault) }
  }
}

describe('SSE reader', () => {
  it('takes LF, CRLF, CR, comments and a BOM', async () => {
    const { events } = await readAll('\ufeffdata: a\n\ndata: b\r\n\r\n: ping\r\n\r\ndata: c\r\rdata:d\n\n')
    expect(events).to.deep.equal(['a', 'b', 'c', 'd'])
  })

  it('takes a last event without its empty line, also one that ends in CRs', async () => {
    expect((await readAll('data: a\n\ndata: [DONE]')).events).to.deep.equal(['a', '[DONE]'])
    expect((await readAll('data: a\r\r')).events).to.deep.equal(['a'])
    expect((await readAll('data: a\r\n\r')).events).to.deep.equal(['a'])
  })

  it('gives the events of one read as one batch', async () => {
    const reader = new SseReader(source([Buffer.from('data: a\n\ndata: b\n\ndata: c'), Buffer.from('\n\n')]))
    expect(await reader.read()).to.deep.equal(['a', 'b'])
    expect(await reader.read()).to.deep.equal(['c'])
  })

  it('bounds a frame, after the events before it', async () => {
    const huge = `data: ${'x'.repeat(MAX_FRAME / 2)}`
    const { events, fault } = await readAll('data: a\n\n', huge, 'x'.repeat(MAX_FRAME / 2), 'x')
    expect(events).to.deep.equal(['a'])
    expect(fault).to.equal('frame_too_large')
  })

  it('gives what came before the connection broke', async () => {
    const { events, fault } = await readAll('data: a\n\ndata: b', new TransportError('broken', true))
    expect(events).to.deep.equal(['a', 'b'])
    expect(fault).to.equal('broken')
  })

  it('reads the same events however the bytes are cut', async () => {
    const bytes = Buffer.from('\ufeffdata: 你好 😀\r\n\r\n: c\r\n\r\ndata: é\n\ndata: [DONE]\r\n\r\n')
    const cuts = fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(cuts, async (at) => {
        const places = [0, ...at.sort((a, b) => a - b), bytes.length]
        const chunks = places.slice(1).map((end, n) => bytes.subarray(places[n], end))
        expect((await readAll(...chunks)).events).to.deep.equal(['你好 😀', 'é', '[DONE]'])
      }),
      { numRuns: 200 },
    )
  })
})
