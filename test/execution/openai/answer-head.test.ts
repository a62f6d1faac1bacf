import { expect } from 'chai'
import { ExecutionError } from '../../../src/execution/execution-error.js'
import { AnswerHead } from '../../../src/execution/openai/answer-head.js'

/** What the head says after each of these reads, then at the end. */
function kinds(contentType: string, ...reads: (string | Buffer)[]): (string | undefined)[] {
  const head = new AnswerHead(contentType)
  const told: (string | undefined)[] = []
  try {
    for (const read of reads) told.push(head.take(Buffer.from(read)))
    told.push(head.end())
  } catch (thrown) {
    if (!(thrown instanceof ExecutionError)) throw thrown
    expect(thrown).to.include({ code: 'llm_protocol_error', phase: 'headers' })
    told.push(thrown.message)
  }
  return told
}

const HTML = 'the server answered with HTML, not with an event stream'
const NO_STREAM = 'the answer is not an event stream'

describe('the head of an answer', () => {
  it('knows an event stream by its first field, whatever it calls itself', () => {
    for (const field of ['data:', 'event:', 'id:', 'retry:', 'error:', ':'])
      expect(kinds('text/plain', field), field).to.deep.equal(['sse', 'sse'])
    for (const field of ['x', 'data', 'dat a', 'events', 'retry;', 'datum:'])
      expect(kinds('text/plain', `${field} and more`), field).to.deep.equal([NO_STREAM])
  })

  it('takes the word of one that calls itself an event stream, unless it is JSON or HTML', () => {
    for (const type of ['text/event-stream', 'Text/Event-Stream; charset=utf-8']) {
      expect(kinds(type, 'what')).to.deep.equal(['sse', 'sse'])
      expect(kinds(type, '{')).to.deep.equal(['json', 'json'])
      expect(kinds(type, '<')).to.deep.equal([HTML])
    }
    expect(kinds('application/json, text/event-stream', 'what is this')).to.deep.equal([NO_STREAM])
  })

  it('tells JSON and HTML by the first sign', () => {
    for (const json of ['{', '{"a']) expect(kinds('', json)).to.deep.equal(['json', 'json'])
    for (const html of ['<', '<ht']) expect(kinds('', html)).to.deep.equal([HTML])
  })

  it('waits until it knows, and for the end where it never does', () => {
    expect(kinds('', 'dat', 'a:')).to.deep.equal([undefined, 'sse', 'sse'])
    expect(kinds('', 'hallo', '!')).to.deep.equal([undefined, NO_STREAM])
    expect(kinds('', 'hallo')).to.deep.equal([undefined, NO_STREAM])
    expect(kinds('', ' \r\n\t', '{')).to.deep.equal([undefined, 'json', 'json'])
  })

  it('is an event stream without an event where nothing comes', () => {
    expect(kinds('')).to.deep.equal(['sse'])
    expect(kinds('', '  \n')).to.deep.equal([undefined, 'sse'])
  })

  it('looks behind a byte order mark, whole or torn', () => {
    expect(kinds('', '\ufeff{')).to.deep.equal(['json', 'json'])
    const mark = Buffer.from('\ufeff')
    expect(
      kinds('text/event-stream', mark.subarray(0, 1), mark.subarray(1, 2), mark.subarray(2)),
    ).to.deep.equal([undefined, undefined, undefined, 'sse'])
    expect(kinds('', 'x\ufeff{....')).to.deep.equal([NO_STREAM])
    expect(kinds('', 'dat\ufeffa: x')).to.deep.equal([NO_STREAM])
    // Half a mark and then something else is no mark.
    expect(kinds('', Buffer.concat([mark.subarray(0, 2), Buffer.from('{"a":1}')]))).to.deep.equal([NO_STREAM])
  })

  it('looks at 4 KiB of white space and no more', () => {
    expect(kinds('', ' '.repeat(4095))).to.deep.equal([undefined, 'sse'])
    expect(kinds('', ' '.repeat(4096))).to.deep.equal(['sse', 'sse'])
    expect(kinds('', ' '.repeat(4095), '{')).to.deep.equal([undefined, 'json', 'json'])
    expect(kinds('', `${' '.repeat(4096)}{`)).to.deep.equal(['sse', 'sse'])
  })

  it('keeps all that came', () => {
    const head = new AnswerHead('')
    head.take(Buffer.from(' '))
    head.take(Buffer.from('data: x'))
    expect(head.seen.toString()).to.equal(' data: x')
  })
})
