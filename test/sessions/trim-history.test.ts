import { expect } from 'chai'
import fc from 'fast-check'
import { isBlank } from '../../src/core/text.js'
import type { PastTurn } from '../../src/sessions/session-store.js'
import {
  historyMessages,
  MAX_HISTORY_TURNS,
  newestWithin,
  turnSize,
} from '../../src/sessions/trim-history.js'

const turn = (message: string, text: string): PastTurn => ({ message, text })

describe('trimming the history', () => {
  it('gives both messages of a turn, the partial answer as the assistant’s', () => {
    expect(historyMessages([turn('q1', 'a1'), turn('q2', 'par')])).to.deep.equal([
      { role: 'user', content: 'q1' },
      { role: 'assistant', content: 'a1' },
      { role: 'user', content: 'q2' },
      { role: 'assistant', content: 'par' },
    ])
  })

  it('leaves out a turn without text whole', () => {
    expect(newestWithin([turn('q1', ''), turn('q2', 'a2')], 100)).to.deep.equal([turn('q2', 'a2')])
  })

  it('drops the oldest first, a turn at a time', () => {
    const past = [turn('q1', 'a1'), turn('q2', 'a2'), turn('q3', 'a3')]
    expect(newestWithin(past, 8)).to.deep.equal(past.slice(1))
    expect(newestWithin(past, 7)).to.deep.equal(past.slice(2))
    expect(newestWithin(past, 3)).to.deep.equal([])
  })

  it('has no holes but the turns that could never fit', () => {
    const past = [turn('q', 'a'), turn('qq', 'long answer'), turn('q', 'b')]
    // the long one (13) would fit alone, but not beside the newest: it ends the history
    expect(newestWithin(past, 14)).to.deep.equal([past[2]])
    // here it never fits: it is stepped over
    expect(newestWithin(past, 12)).to.deep.equal([past[0], past[2]])
  })

  it('takes no more turns than a backend ever gets', () => {
    const past = Array.from({ length: MAX_HISTORY_TURNS + 10 }, (_, index) => turn(`${index}`, 'a'))
    const kept = newestWithin(past, 1_000_000)
    expect(kept).to.deep.equal(past.slice(10))
  })

  it('is none without a budget', () => {
    expect(newestWithin([turn('q', 'a')], 0)).to.deep.equal([])
  })

  it('always fits, keeps the order, and changes nothing the second time', () => {
    const turns = fc.array(fc.record({ message: fc.string({ minLength: 1 }), text: fc.string() }))
    fc.assert(
      fc.property(turns, fc.nat(60), (past, budget) => {
        const kept = newestWithin(past, budget)
        expect(kept.reduce((sum, one) => sum + turnSize(one), 0)).to.be.at.most(budget)
        expect(kept).to.deep.equal(past.filter((one) => kept.includes(one)))
        expect(newestWithin(kept, budget)).to.deep.equal(kept)
        const newest = past.findLast((one) => !isBlank(one.text) && turnSize(one) <= budget)
        expect(kept.at(-1)).to.equal(newest)
      }),
    )
  })
})
