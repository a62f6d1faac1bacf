import { expect } from 'chai'
import { gathered } from '../../../src/core/sqlite/gathered.js'

describe('work that is gathered', () => {
  it('is done in one piece where it is asked for in one go, each with its own result', async () => {
    const pieces: (readonly number[])[] = []
    const double = gathered(10, async (items: readonly number[]) => {
      pieces.push(items)
      return items.map((item) => item * 2)
    })
    expect(await Promise.all([double(1), double(2), double(3)])).to.deep.equal([2, 4, 6])
    expect(await double(4)).to.equal(8)
    expect(pieces).to.deep.equal([[1, 2, 3], [4]])
  })

  it('is done in several where there is more than one may hold', async () => {
    const pieces: (readonly number[])[] = []
    const same = gathered(2, async (items: readonly number[]) => {
      pieces.push(items)
      return items
    })
    expect(await Promise.all([1, 2, 3, 4, 5].map(same))).to.deep.equal([1, 2, 3, 4, 5])
    expect(pieces).to.deep.equal([[1, 2], [3, 4], [5]])
  })

  it('is rejected for all of a piece that fails, and for nobody else', async () => {
    const failing = gathered(2, async (items: readonly number[]) => {
      if (items.includes(1)) throw new Error('full')
      return items
    })
    const ends = await Promise.allSettled([1, 2, 3].map(failing))
    expect(ends.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected', 'fulfilled'])
  })
})
