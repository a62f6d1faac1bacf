import { expect } from 'chai'
import { NoticeOwner } from '../../../src/journal/database/notice-owner.js'
import { manualClock } from '../../support/manual-clock.js'

const ABANDONED_MS = 180_000

describe('the notifications a process may send', () => {
  const setUp = () => {
    const clock = manualClock()
    const owner = new NoticeOwner(clock, { replica: 'a', nonce: '2' })
    const ids = (...rows: readonly (readonly [string, string | null, number])[]) =>
      owner.claimable(rows.map((row) => [...row, null])).map(({ id }) => id)
    return { clock, owner, ids }
  }
  const other = new NoticeOwner(manualClock(), { replica: 'b', nonce: '1' }).name
  const earlier = new NoticeOwner(manualClock(), { replica: 'a', nonce: '1' }).name

  it('are its own, those of nobody, and those of an earlier start', () => {
    const { owner, ids } = setUp()
    const rows = [
      ['own', owner.name, 0],
      ['nobody', null, 0],
      ['earlier', earlier, 0],
      ['other', other, 0],
    ] as const
    expect(ids(...rows)).to.deep.equal(['own', 'nobody', 'earlier'])
    expect(owner.claimable([['own', owner.name, 0, null]])[0]?.isOwn).to.equal(true)
    expect(owner.claimable([['nobody', null, 0, null]])[0]?.isOwn).to.equal(false)
  })

  it('are those of another that gives no sign of life for 3 min, until they are claimed', () => {
    const { clock, ids } = setUp()
    expect(ids(['n', other, 1])).to.deep.equal([])
    clock.advance(ABANDONED_MS - 1)
    expect(ids(['n', other, 1])).to.deep.equal([])
    clock.advance(1)
    expect(ids(['n', other, 1])).to.deep.equal(['n'])
    // The claim failed: it is tried again at once.
    expect(ids(['n', other, 1])).to.deep.equal(['n'])
  })

  it('are not those of another whose stamp changes', () => {
    const { clock, ids } = setUp()
    ids(['n', other, 1])
    clock.advance(ABANDONED_MS - 1)
    ids(['n', other, 2])
    clock.advance(ABANDONED_MS - 1)
    expect(ids(['n', other, 2])).to.deep.equal([])
  })

  it('are not those it acknowledged, until they are deleted', () => {
    const { owner, ids } = setUp()
    owner.acknowledge('n')
    expect(ids(['n', owner.name, 0])).to.deep.equal([])
    owner.deleted('n')
    expect(ids(['n', owner.name, 0])).to.deep.equal(['n'])
  })
})
