import { expect } from 'chai'
import { LlmAnswer } from '../../../src/execution/openai/llm-answer.js'
import { TransportError } from '../../../src/execution/transport-error.js'
import { responseOf } from '../../support/llm-body.js'
import { manualClock } from '../../support/manual-clock.js'
import { answer, DONE, SSE, text } from './driven-answer.js'

const fails = (): never => {
  throw new Error('no')
}

describe('a reader that throws', () => {
  it('ends the answer with its first batch, and hears nothing more', () => {
    const { reads, ends, told, clock } = answer(SSE, fails)
    reads(text('a', 'stop'), text('b'))
    ends()
    expect(told).to.deep.equal(['a', 'close', 'end Error: no'])
    expect(clock.pending()).to.equal(0)
  })

  it('ends it with its last batch as well, with a chunk or with the end of the body', () => {
    for (const last of ['chunk', 'end']) {
      let isLast = false
      const { reads, ends, told } = answer(SSE, () => !isLast || fails())
      reads(text('a', 'stop'))
      isLast = true
      if (last === 'chunk') reads(DONE)
      else ends()
      expect(told.slice(2)).to.deep.equal(['close', 'complete', 'facts stop', 'end Error: no'])
    }
  })

  it('is told the end once, though it throws there', () => {
    const { reads, told } = answer(SSE, undefined, fails)
    reads(text('a'), DONE)
    expect(told).to.deep.equal(['a', 'close', 'complete', 'end'])
  })
})

describe('a reader that closes the answer', () => {
  it('with its batch hears no more of it, and leaves no timer', () => {
    const { reads, told, clock, running } = answer(SSE, () => {
      running.close()
      return true
    })
    reads(text('a', 'stop'))
    expect(told).to.deep.equal(['a', 'close'])
    expect(clock.pending()).to.equal(0)
  })

  it('before anybody could tell what it is hears no end', () => {
    const { reads, ends, told, running } = answer('')
    reads('da')
    running.close()
    ends()
    expect(told).to.deep.equal(['close'])
  })

  it('may do so where it could not begin', () => {
    const body = responseOf([], { contentEncoding: 'unknown' })
    const nothing = { batch: () => true, end: () => undefined }
    const made = new LlmAnswer(body, { onComplete: () => undefined }, manualClock(), {}, nothing)
    expect(() => made.start()).to.throw('unknown content encoding')
    expect(() => made.close()).not.to.throw()
  })
})

describe('the failure of an answer', () => {
  const failureOf = (contentType: string, body: string): unknown => {
    const { reads, ends, failures } = answer(contentType)
    reads(body)
    ends()
    return failures[0]
  }

  it('says how far it came', () => {
    expect(failureOf(SSE, text('a'))).to.deep.include({ phase: 'streaming', message: 'ended early' })
    expect(failureOf('application/json', '{"status":"ok"}')).to.deep.include({
      phase: 'headers',
      message: 'the JSON is no chat completion',
    })
  })

  it('had a connection where it was given up', () => {
    const { failures, running } = answer()
    running.abort()
    expect(failures).to.have.lengthOf(1)
    expect(failures[0]).to.be.instanceOf(TransportError).and.include({ fault: 'aborted', connected: true })
  })
})
