import { expect } from 'chai'
import { createParser } from 'eventsource-parser'
import fc from 'fast-check'
import { readEvents } from '../../src/client/read-events.js'
import { MAX_EVENT, type ServerEvent, SseParser } from '../../src/client/sse-parser.js'
import { codePoint } from '../support/code-point.js'

const parsed = (...pieces: string[]): ServerEvent[] => {
  const parser = new SseParser()
  return pieces.flatMap((piece) => parser.push(piece))
}

/** The same text by a parser that others keep. */
function byOthers(text: string): { event: string; data: string; id: string }[] {
  const events: { event: string; data: string; id: string }[] = []
  const parser = createParser({
    onEvent: ({ event = '', data, id = '' }) => events.push({ event: event || 'message', data, id }),
  })
  parser.feed(text)
  return events
}

const field = fc.oneof(
  fc.constantFrom('data', 'event', 'id', 'retry', ':', '', 'dat', 'data ', 'DATA'),
  fc.string({ maxLength: 3 }),
)
const line = fc
  .tuple(field, fc.constantFrom(':', ': ', ':  ', ''), fc.string({ unit: codePoint, maxLength: 8 }))
  .map((parts) => parts.join('').replaceAll(/[\r\n]/g, ''))
const ends = fc.constantFrom('\n', '\r\n', '\r')
const stream = fc.array(fc.tuple(fc.oneof(line, fc.constant('')), ends), { maxLength: 30 })

describe('the parser of server-sent events', () => {
  it('knows every line end, also where it is cut in two', () => {
    const event = { event: 'message', data: 'a', id: '' }
    expect(parsed('data: a\n\n')).to.deep.equal([event])
    expect(parsed('data: a\r\n\r\n')).to.deep.equal([event])
    expect(parsed('data: a\r\r')).to.deep.equal([event])
    expect(parsed('data: a\r', '\n\r', '\n', 'data: a\r\n\r\n')).to.deep.equal([event, event])
  })

  it('joins lines of data, keeps one id, skips comments and what it does not know', () => {
    expect(
      parsed(': hello\nid: 7\nevent: done\ndata: a\ndata:b\nnonsense\nfoo: bar\n\ndata: c\n\n'),
    ).to.deep.equal([
      { event: 'done', data: 'a\nb', id: '7' },
      { event: 'message', data: 'c', id: '7' },
    ])
  })

  it('gives no event without data, nor one without an end', () => {
    expect(parsed('event: done\n\n', 'data: a\n')).to.deep.equal([])
  })

  it('reads how long to wait before a reconnection, and takes nothing else for it', () => {
    const parser = new SseParser()
    parser.push('retry: 1500\n\nretry: soon\n\n')
    expect(parser.retryMs).to.equal(1500)
  })

  it('gives up on an event without an end before it fills the memory', () => {
    const parser = new SseParser()
    const piece = 'x'.repeat(1_048_576)
    parser.push('data: ')
    expect(() => {
      for (let size = 0; size <= MAX_EVENT; size += piece.length) parser.push(piece)
    }).to.throw('too large')
    const lines = new SseParser()
    expect(() => {
      for (let size = 0; size <= MAX_EVENT + piece.length; size += piece.length)
        lines.push(`data: ${piece}\n`)
    }).to.throw('too large')
    const empty = new SseParser(100)
    expect(() => {
      for (let lines = 0; lines <= 101; lines += 1) empty.push('data:\n')
    }).to.throw('too large')
  })

  it('reads the same however the stream is cut, and the same as a parser that others keep', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(), { maxLength: 8 }), (lines, cuts) => {
        // The other parser waits at a CR for what follows.
        const text = `${lines.flat().join('')}:`
        const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b)
        const pieces = [0, ...places].map((from, at) => text.slice(from, places[at] ?? text.length))
        const whole = parsed(text)
        expect(parsed(...pieces)).to.deep.equal(whole)
        expect(whole.map(({ data }) => data)).to.deep.equal(byOthers(text).map(({ data }) => data))
        expect(whole.map(({ event }) => event)).to.deep.equal(byOthers(text).map(({ event }) => event))
      }),
      { numRuns: 2000 },
    )
  })

  it('reads a body whose characters are cut within, and a byte order mark before it', async () => {
    const bytes = new TextEncoder().encode('\uFEFFdata: grüße 你好 🎈\n\n')
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(new Uint8Array([byte]))
        controller.close()
      },
    })
    const events: string[] = []
    for await (const { data } of readEvents(body, { silenceMs: 1_000 })) events.push(data)
    expect(events).to.deep.equal(['grüße 你好 🎈'])
  })
})
