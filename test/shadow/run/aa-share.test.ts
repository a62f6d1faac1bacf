import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { isAa } from '../../../src/shadow/run/aa-share.js'

const IDS = Array.from(
  { length: 10_000 },
  (_, at) => `5f0c1f3e-0000-4000-8000-${String(at).padStart(12, '0')}`,
)
const chosen = (percent: number, ids = IDS): string[] => ids.filter((id) => isAa(id, percent))

describe('the A/A share', () => {
  it('is the share that was asked for, of numbered and of random ids', () => {
    expect(chosen(0)).to.have.length(0)
    expect(chosen(100)).to.have.length(IDS.length)
    // 10% of 10,000: four standard deviations are 120
    expect(chosen(10).length).to.be.within(880, 1120)
    const random = Array.from({ length: 10_000 }, () => randomUUID())
    // six, for these differ from run to run
    expect(chosen(10, random).length).to.be.within(820, 1180)
  })

  it('chooses the same messages again, and keeps them when it grows', () => {
    expect(chosen(10)).to.deep.equal(chosen(10))
    expect(chosen(20)).to.include.members(chosen(10))
  })
})
