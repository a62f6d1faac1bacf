import { expect } from 'chai'
import fc from 'fast-check'
import { MAX_TEXT_BYTES, splitText } from '../../../src/execution/parse/split-text.js'

describe('splitText', () => {
  it('drops empty text and leaves short text alone', () => {
    expect(splitText('')).to.deep.equal([])
    expect(splitText('hi')).to.deep.equal(['hi'])
  })

  it('fills pieces to the last byte', () => {
    expect(splitText('a'.repeat(MAX_TEXT_BYTES))).to.have.length(1)
    expect(splitText('a'.repeat(MAX_TEXT_BYTES + 1)).map((piece) => piece.length)).to.deep.equal([8192, 1])
  })

  it('never parts a surrogate pair', () => {
    for (const before of ['', 'a', 'aa', 'aaa']) {
      const pieces = splitText(before + '😀'.repeat(4000))
      expect(pieces).to.have.length(2)
      for (const piece of pieces) expect(Buffer.from(piece).toString()).to.equal(piece)
    }
  })

  it('keeps the text and the bound, whatever the text', () => {
    const unit = fc.constantFrom('a', 'é', '中', '😀', '\ud83d', '\n')
    const texts = fc.array(fc.tuple(unit, fc.integer({ min: 1, max: 9000 })), { maxLength: 5 })
    fc.assert(
      fc.property(texts, (parts) => {
        const text = parts.map(([part, times]) => part.repeat(times)).join('')
        const pieces = splitText(text)
        expect(pieces.join('')).to.equal(text)
        // A surrogate pair torn apart would take six bytes in place of four.
        const bytes = pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0)
        expect(bytes).to.equal(Buffer.byteLength(text))
        for (const piece of pieces) {
          expect(piece).not.to.equal('')
          expect(Buffer.byteLength(piece)).to.be.at.most(MAX_TEXT_BYTES)
        }
      }),
      { numRuns: 60 },
    )
  })
})
