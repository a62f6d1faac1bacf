import { expect } from 'chai'
import { freePort } from '../support/free-port.js'

describe('the free ports of tests', () => {
  it('are given to one who asks alone, though nobody listens on them yet', async () => {
    const ports = new Set<number>()
    for (let asked = 1; asked <= 250; asked += 1) {
      ports.add(await freePort())
      expect(ports.size).to.equal(asked)
    }
  })
})
