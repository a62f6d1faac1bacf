import { expect } from 'chai'
import fc from 'fast-check'
import type { MessageBody } from '../../src/protocol/events.js'
import { PartialText } from '../../src/turn/partial-text.js'

const text = (content: string): MessageBody => ({ type: 'text', data: { content } })

describe('the text of an answer so far', () => {
  it('is all that came, in order, whenever it is asked for', () => {
    const batches = fc.array(fc.array(fc.string({ maxLength: 3 }), { maxLength: 5 }), { maxLength: 60 })
    fc.assert(
      fc.property(batches, fc.infiniteStream(fc.boolean()), (pieces, asked) => {
        const partial = new PartialText()
        let whole = ''
        for (const batch of pieces) {
          partial.add(batch.map(text))
          whole += batch.join('')
          if (asked.next().value) expect(partial.value).to.equal(whole)
        }
        expect(partial.value).to.equal(whole)
      }),
    )
  })

  it('ends with the piece that fills it, and has nothing but text', () => {
    const partial = new PartialText()
    const thinking: MessageBody = { type: 'thinking', data: { content: 'hm' } }
    for (let at = 0; at < 2_100; at += 1) partial.add([thinking, text('x'.repeat(512))])
    expect(partial.value).to.have.length(1_048_576)
  })
})
