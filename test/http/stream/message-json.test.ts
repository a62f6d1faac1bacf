import { expect } from 'chai'
import fc from 'fast-check'
import { createIsoTime, messageJson, oneLine } from '../../../src/http/stream/message-json.js'

const LINE_ENDS = 'a\u2028b\u2029c\u0085d\ne'

describe('the JSON of an event', () => {
  it('stays on one line for readers who know more line ends than the protocol', () => {
    const text = messageJson({ type: 'text', data: { content: LINE_ENDS } }, '1', 't')
    const thinking = messageJson({ type: 'thinking', data: { content: LINE_ENDS } }, '1', 't')
    for (const json of [text, thinking]) {
      expect(json).not.to.match(/[\u2028\u2029\u0085\n]/)
      expect(JSON.parse(json)).to.deep.include({ data: { content: LINE_ENDS } })
    }
    expect(oneLine('"\u0085"')).to.equal('"\\u0085"')
  })

  it('leaves any other text as it is', () => {
    const json = messageJson({ type: 'text', data: { content: 'é 你好 🦊' } }, '1', 't')
    expect(json).to.contain('é 你好 🦊')
  })

  it('has the time as ISO 8601 has it, whatever came before', () => {
    const near = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2026, 0, 1, 0, 0, 3) })
    const any = fc.integer({ min: -1_000_000, max: Date.UTC(2100, 0, 1) })
    fc.assert(
      fc.property(fc.array(fc.oneof(near, any)), (times) => {
        const isoTime = createIsoTime()
        for (const at of times) expect(isoTime(at + 0.4 * Math.sign(at))).to.equal(new Date(at).toISOString())
      }),
    )
  })
})
