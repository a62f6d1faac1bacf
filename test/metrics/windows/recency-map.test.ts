import { expect } from 'chai'
import fc from 'fast-check'
import { RecencyMap } from '../../../src/metrics/windows/recency-map.js'

describe('the recency map', () => {
  it('keeps the order of last use, as a list that is searched would', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd', 'e')
    const step = fc.record({ what: fc.constantFrom('use', 'use', 'use', 'get', 'delete'), key })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const map = new RecencyMap<string>()
        let order: string[] = []
        for (const { what, key } of steps) {
          if (what === 'get')
            expect(map.get(key)).to.equal(order.includes(key) ? `value of ${key}` : undefined)
          else order = order.filter((known) => known !== key)
          if (what === 'delete') map.delete(key)
          if (what === 'use') {
            expect(map.use(key, () => `value of ${key}`)).to.equal(`value of ${key}`)
            order.push(key)
          }
          expect([...map.entries()].map(([known]) => known)).to.deep.equal(order)
          expect(map.oldest()?.key).to.equal(order[0])
          expect(map.size).to.equal(order.length)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('makes a value once', () => {
    const map = new RecencyMap<object>()
    const made = map.use('a', () => ({}))
    map.use('b', () => ({}))
    expect(map.use('a', () => ({}))).to.equal(made)
  })

  it('lets entries be deleted while it is walked', () => {
    const map = new RecencyMap<number>()
    for (const key of ['a', 'b', 'c']) map.use(key, () => 1)
    const walked: string[] = []
    for (const [key] of map.entries()) {
      walked.push(key)
      map.delete(key)
    }
    expect(walked).to.deep.equal(['a', 'b', 'c'])
    expect(map.oldest()).to.equal(undefined)
  })
})
