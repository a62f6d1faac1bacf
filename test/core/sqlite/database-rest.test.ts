import { expect } from 'chai'
import { DatabaseRest } from '../../../src/core/sqlite/database-rest.js'
import { manualClock } from '../../support/manual-clock.js'

const REST_MS = 5_000

describe('a database that may be away', () => {
  const setUp = () => {
    const clock = manualClock()
    const faults: unknown[] = []
    const rest = new DatabaseRest(clock, (error) => faults.push(error))
    let asked = 0
    const fail = (): Promise<never> => {
      asked += 1
      return Promise.reject(new Error('no answer'))
    }
    return { clock, faults, rest, fail, asked: () => asked }
  }
  const answer = async () => 'there'

  it('is left alone for 5 s after a fault, which is told', async () => {
    const { clock, faults, rest, fail, asked } = setUp()
    expect(await rest.tried(fail)).to.equal(undefined)
    expect(faults.map(String)).to.deep.equal(['Error: no answer'])
    clock.advance(REST_MS - 1)
    expect(await rest.tried(fail)).to.equal(undefined)
    expect(asked()).to.equal(1)
    clock.advance(1)
    expect(await rest.tried(answer)).to.equal('there')
  })

  it('is asked again at once where the rest is ended', async () => {
    const { rest, fail } = setUp()
    await rest.tried(fail)
    rest.end()
    expect(await rest.tried(answer)).to.equal('there')
  })

  it('is not asked after the close', async () => {
    const { rest } = setUp()
    rest.close()
    expect(await rest.tried(answer)).to.equal(undefined)
  })

  it('tells no fault of work that the close found under way', async () => {
    const { faults, rest, fail } = setUp()
    const underWay = rest.tried(fail)
    rest.close()
    expect(await underWay).to.equal(undefined)
    expect(faults).to.deep.equal([])
  })
})
