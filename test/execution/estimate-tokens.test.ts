import { expect } from 'chai'
import { estimatePrompt, TokenMeter } from '../../src/execution/estimate-tokens.js'
import { sampleTurn } from '../support/sample-turn.js'

function tokens(...pieces: string[]): number {
  const meter = new TokenMeter()
  for (const piece of pieces) meter.add(piece)
  return meter.tokens
}

describe('token estimate', () => {
  it('takes four characters for a token, rounded up once', () => {
    expect(tokens()).to.equal(0)
    expect(tokens('abcd')).to.equal(1)
    expect(tokens('a', 'b', 'c', 'd', 'e')).to.equal(2)
  })

  it('takes a CJK character for a token', () => {
    expect(tokens('你好，世界')).to.equal(5)
    expect(tokens('こんにちは')).to.equal(5)
    expect(tokens('안녕')).to.equal(2)
    expect(tokens('你好 ok!!')).to.equal(4)
  })

  it('counts system prompt, history and message of a turn', () => {
    const turn = sampleTurn({
      message: 'abcd',
      history: [{ role: 'user', content: 'abcd' }],
      profile: { systemPrompt: 'abcd' },
    })
    expect(estimatePrompt(turn)).to.equal(3)
  })
})
