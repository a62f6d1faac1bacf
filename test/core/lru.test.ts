import { expect } from 'chai'
import { createLru } from '../../src/core/lru.js'

describe('a map of bounded size', () => {
  it('forgets what was not used for longest, and never holds more', () => {
    const map = createLru<string, number>(3)
    for (const [index, key] of ['a', 'b', 'c'].entries()) map.set(key, index)
    map.get('a')
    map.set('b', 9)
    map.set('d', 3)
    expect([...map.keys()].sort()).to.deep.equal(['a', 'b', 'd'])
    map.delete('a')
    map.set('e', 4)
    expect([...map.keys()].sort()).to.deep.equal(['b', 'd', 'e'])
    map.clear()
    expect(map.size).to.equal(0)
    for (let index = 0; index < 1_000; index += 1) map.set(`${index}`, index)
    expect([...map.keys()].sort()).to.deep.equal(['997', '998', '999'])
  })

  it('takes no memory for entries that it does not have', () => {
    const before = process.memoryUsage()
    const maps = Array.from({ length: 20 }, () => createLru<string, number>(100_000))
    const after = process.memoryUsage()
    const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers
    expect(maps).to.have.length(20)
    expect(grown).to.be.below(4_000_000)
  })
})
