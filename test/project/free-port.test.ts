import { expect } from 'chai'
import { freePort } from '../support/free-port.js'

describe('the free ports of tests', () => {
  it('are given to one who asks alone, though nobody listens on them yet', async () => {
    const ports = await Promise.all(Array.from({ length: 150 }, freePort))
    expect(new Set(ports).size).to.equal(ports.length)
  })
})
