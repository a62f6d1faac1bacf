import { expect } from 'chai'
import fc from 'fast-check'
import type { HistoryMessage } from '../../../src/execution/backend.js'
import { newestFitting, shortened } from '../../../src/execution/llm/fit-history.js'

const historyOf = (sizes: readonly number[]): HistoryMessage[] =>
  sizes.flatMap((size): HistoryMessage[] => [
    { role: 'user', content: 'q'.repeat(size) },
    { role: 'assistant', content: 'a' },
  ])
const sizeOf = (history: readonly HistoryMessage[]) =>
  history.reduce((sum, { content }) => sum + content.length, 0)
const sizes = fc.array(fc.nat(50), { maxLength: 12 })

describe('a history that has to be shorter', () => {
  it('keeps its newest whole turns, as many as fit', () => {
    fc.assert(
      fc.property(sizes, fc.nat(200), (given, characters) => {
        const history = historyOf(given)
        const kept = newestFitting(history, characters)
        expect(kept).to.deep.equal(history.slice(history.length - kept.length))
        expect(kept.length % 2).to.equal(0)
        expect(sizeOf(kept)).to.be.at.most(characters)
        const more = history.slice(Math.max(0, history.length - kept.length - 2))
        if (more.length > kept.length) expect(sizeOf(more)).to.be.greaterThan(characters)
      }),
    )
  })

  it('is about half of it, and less than before', () => {
    fc.assert(
      fc.property(sizes, (given) => {
        const history = historyOf(given)
        const half = shortened(history, 1)
        if (history.length === 0) expect(half).to.equal(undefined)
        else expect(half?.length).to.be.lessThan(history.length)
        expect(sizeOf(half ?? [])).to.be.at.most(sizeOf(history) * 0.55)
      }),
    )
  })

  const halves: [sizes: number[], kept: number[]][] = [
    [[10, 10], [10]],
    [[10, 12], [12]],
    [
      [9, 9, 9, 10],
      [9, 10],
    ],
    [[500, 1], [1]],
    [[1, 500], []],
    [[7], []],
  ]
  for (const [given, kept] of halves)
    it(`of turns ${given.join(', ')} is ${kept.join(', ') || 'nothing'}`, () => {
      expect(shortened(historyOf(given), 1)).to.deep.equal(historyOf(kept))
    })

  it('is a quarter the second time, nothing the third, and there is no fourth', () => {
    const history = historyOf(new Array<number>(16).fill(9))
    const second = shortened(history, 2)
    expect(second).to.deep.equal(history.slice(-8))
    expect(shortened(history, 3)).to.deep.equal([])
    expect(shortened(history, 4)).to.equal(undefined)
    expect(shortened([], 2)).to.equal(undefined)
  })
})
