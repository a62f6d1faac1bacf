import { expect } from 'chai'
import fc from 'fast-check'
import { SseParser } from '../../../src/execution/parse/sse-parser.js'

/** Reads as they come: frames alone, several at once, cut anywhere, with what may stand between them. */
const pieces = fc.array(
  fc.constantFrom(
    'data: {"a":1}\n\n',
    'data: {"a":"é"}\r\n\r\n',
    'data: x\r\n\n',
    'data: x\n\r\n',
    'data: a\rdata: b\n\n',
    'data: a\ndata: b\n\n',
    'data:  two\n\n',
    'data: \n\n',
    'data: cut',
    'data: x\r',
    '\n',
    '\r\n',
    '\r\n\r\n',
    ': ping\n\n',
    'event: error\n',
    'event: error\n\n',
    'id: 1\n',
    '{"error":"bare"}\n\n',
  ),
  { maxLength: 12 },
)

describe('the parser of event streams', () => {
  for (const namedErrors of [false, true]) {
    it(`finds the same frames read by read as byte by byte, ${namedErrors ? 'with' : 'without'} named errors`, () => {
      fc.assert(
        fc.property(pieces, (reads) => {
          const byRead = new SseParser({ namedErrors })
          const byByte = new SseParser({ namedErrors })
          const seen = reads.flatMap((read) => [...byRead.take(Buffer.from(read))])
          // Cut in every character, no read is a frame: all of them go through the library.
          const expected = [...Buffer.from(reads.join(''))].flatMap((byte) => [
            ...byByte.take(Buffer.from([byte])),
          ])
          expect([...seen, ...byRead.end()]).to.deep.equal([...expected, ...byByte.end()])
        }),
        { numRuns: 2000 },
      )
    })
  }
})
