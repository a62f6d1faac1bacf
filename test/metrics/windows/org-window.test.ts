import { expect } from 'chai'
import { OrgWindow } from '../../../src/metrics/windows/org-window.js'
import { sampleOutcome } from '../sample-outcome.js'

const outcome = sampleOutcome({ latencyMs: 1_234.5, firstContentMs: 99 })

describe("an org's window", () => {
  it('is small while it holds little, and again after it was empty', () => {
    const window = new OrgWindow(300_000)
    for (let at = 0; at < 100; at++) window.record(at, outcome)
    expect(window.bytes).to.be.below(2_500)
    for (let at = 100; at < 1_000; at++) window.record(at, outcome)
    expect(window.read(1_000).total).to.equal(1_000)
    expect(window.bytes).to.be.above(8_000)
    window.record(400_000, outcome)
    expect(window.read(400_000).total).to.equal(1)
    expect(window.bytes).to.be.below(1_000)
  })

  it('takes its new length along from one by one to slices and back', () => {
    const window = new OrgWindow(300_000)
    window.resize(0, 600_000)
    for (let at = 0; at < 300; at++) window.record(at * 1_000, outcome)
    expect(window.read(599_000).total, 'in slices').to.equal(300)
    window.resize(599_000, 900_000)
    window.record(2_000_000, outcome)
    expect(window.read(2_899_999).total, 'one by one').to.equal(1)
  })

  it('tells times apart to the millisecond after days without a pause', () => {
    const window = new OrgWindow(10_000)
    let now = 1
    for (let at = 0; at < 30_000; at++) {
      now += 8_999
      window.record(now, outcome)
    }
    expect(window.read(now + 9_999).total).to.equal(1)
    expect(window.read(now + 10_000).total).to.equal(0)
  })

  it('lets nothing leave early by the rounding of its times', () => {
    for (let at = 0; at < 200; at++) {
      const window = new OrgWindow(86_400_000)
      window.record(0, outcome)
      const second = 86_000_000 + at / 7
      window.record(second, outcome)
      expect(window.read(second + 86_399_999.99).total).to.equal(1)
    }
  })
})
