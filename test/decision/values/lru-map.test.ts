import { expect } from 'chai'
import { LruMap } from '../../../src/decision/values/lru-map.js'

describe('LruMap', () => {
  it('forgets the entry not used for longest, never more than it must', () => {
    const map = new LruMap<string, number>(2)
    map.set('a', 1)
    map.set('b', 2)
    map.get('a')
    map.set('c', 3)
    expect([map.get('a'), map.get('b'), map.get('c'), map.size]).to.deep.equal([1, undefined, 3, 2])
  })

  it('counts setting a key again as a use', () => {
    const map = new LruMap<string, number>(2)
    map.set('a', 1)
    map.set('b', 2)
    map.set('a', 4)
    map.set('c', 3)
    expect([map.get('a'), map.get('b')]).to.deep.equal([4, undefined])
  })
})
