import { expect } from 'chai'
import fc from 'fast-check'
import { hasQuorum, peersOf } from '../../../src/fallback/evidence/health-quorum.js'

const view = fc.record({ sawTurn: fc.boolean(), bad: fc.boolean() })

describe('the quorum on health', () => {
  it('is half of those that use the runtime: one of two, two of three', () => {
    const of = (saw: number, bad: number) => hasQuorum({ saw, bad })
    expect([of(1, 1), of(2, 1), of(3, 1), of(3, 2), of(20, 9), of(20, 10)]).to.deep.equal([
      true,
      true,
      false,
      true,
      false,
      true,
    ])
    expect(hasQuorum(undefined)).to.equal(true)
  })

  it('counts nobody who saw no turn, and does not mind the order', () => {
    fc.assert(
      fc.property(view, fc.array(view), (own, others) => {
        const peers = peersOf(own, others)
        const idle = others.map((other) => ({ ...other, sawTurn: false }))
        expect(peersOf(own, [...others, ...idle])).to.deep.equal(peers)
        expect(peersOf(own, [...others].reverse())).to.deep.equal(peers)
        expect(peers.bad).to.be.at.most(peers.saw)
      }),
    )
  })

  it('is not lost when one more sees it bad, nor won when one more sees it well', () => {
    fc.assert(
      fc.property(view, fc.array(view), (own, others) => {
        const before = hasQuorum(peersOf(own, others))
        const withBad = hasQuorum(peersOf(own, [...others, { sawTurn: true, bad: true }]))
        const withGood = hasQuorum(peersOf(own, [...others, { sawTurn: true, bad: false }]))
        if (before) expect(withBad).to.equal(true)
        if (!before) expect(withGood).to.equal(false)
      }),
    )
  })
})
