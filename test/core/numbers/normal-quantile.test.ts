import { expect } from 'chai'
import { normalQuantile } from '../../../src/core/numbers/normal-quantile.js'

describe('quantiles', () => {
  it('of the normal distribution are those of the tables', () => {
    for (const [p, z] of [
      [0.5, 0],
      [0.8, 0.8416212],
      [0.9, 1.2815516],
      [0.975, 1.959964],
      [0.995, 2.5758293],
      [0.9975, 2.8070338],
      [0.9999, 3.7190165],
      [1 - 1e-12, 7.0344869],
    ] as const) {
      expect(normalQuantile(p)).to.be.closeTo(z, 1e-6 * Math.max(z, 1) + (p > 0.999999 ? 1e-4 : 0))
      expect(normalQuantile(1 - p)).to.be.closeTo(-z, 1e-6 * Math.max(z, 1) + (p > 0.999999 ? 1e-4 : 0))
    }
  })

  it('of a share that cannot be told from 1 are finite, and beyond all others', () => {
    expect(normalQuantile(1)).to.be.within(normalQuantile(1 - Number.EPSILON / 2), 9)
  })
})
