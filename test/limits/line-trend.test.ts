import { expect } from 'chai'
import { createLineTrend } from '../../src/limits/start-pace.js'

describe('the trend of a line', () => {
  it('grows while as many come as begin', () => {
    const trend = createLineTrend()
    for (const at of [10, 20]) trend.came(at)
    for (const at of [30, 40]) trend.began(at)
    expect(trend.isGrowing(50)).to.equal(true)
    trend.began(60)
    expect(trend.isGrowing(60)).to.equal(false)
  })

  it('forgets what was more than 200 ms ago', () => {
    const trend = createLineTrend()
    for (let turn = 0; turn < 9; turn += 1) trend.came(10)
    trend.began(110)
    expect(trend.isGrowing(199)).to.equal(true)
    expect(trend.isGrowing(200)).to.equal(false)
  })

  it('is not known to grow where nothing came or began lately', () => {
    const trend = createLineTrend()
    expect(trend.isGrowing(0)).to.equal(false)
    trend.came(250)
    expect([trend.isGrowing(399), trend.isGrowing(400)]).to.deep.equal([true, false])
  })
})
