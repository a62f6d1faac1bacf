import { expect } from 'chai'
import type { ExecutionMode } from '../../../src/protocol/modes.js'
import { type ControlTally, createControlHealth } from '../../../src/shadow/run/control-health.js'
import { manualClock } from '../../support/manual-clock.js'

describe('the health of a control', () => {
  function watched() {
    const clock = manualClock()
    const now = {
      normal: true,
      errorRate: 0.5,
      tallies: { direct_llm: [], runtime_orchestrator: [] } as Record<ExecutionMode, ControlTally[]>,
      looks: 0,
    }
    const health = createControlHealth({
      clock,
      fallbackNormal: () => now.normal,
      tallies(mode) {
        now.looks += 1
        return now.tallies[mode]
      },
      guardrails: () => ({ errorRate: now.errorRate, minSamples: 10 }),
    })
    return { clock, now, health }
  }

  it('is unhealthy in both modes while the fallback is not normal', () => {
    const { now, health } = watched()
    expect([health.sick('direct_llm'), health.sick('runtime_orchestrator')]).to.deep.equal([false, false])
    now.normal = false
    expect([health.sick('direct_llm'), health.sick('runtime_orchestrator')]).to.deep.equal([true, true])
    now.normal = true
    expect(health.sick('runtime_orchestrator')).to.equal(false)
  })

  const cases: [string, ControlTally[], boolean][] = [
    ['at half the guardrail', [{ total: 100, errors: 25 }], false],
    ['above half the guardrail', [{ total: 100, errors: 26 }], true],
    ['of which too little is known', [{ total: 9, errors: 9 }], false],
    [
      'failing only now',
      [
        { total: 20, errors: 20 },
        { total: 3000, errors: 20 },
      ],
      true,
    ],
  ]
  for (const [what, tallies, sick] of cases)
    it(`${sick ? 'is unhealthy' : 'is healthy'}: one ${what}`, () => {
      const { now, health } = watched()
      now.tallies.runtime_orchestrator = tallies
      expect(health.sick('runtime_orchestrator')).to.equal(sick)
      expect(health.sick('direct_llm')).to.equal(false)
    })

  it('is looked at four times a second, however often it is asked', () => {
    const { clock, now, health } = watched()
    for (let n = 0; n < 100; n += 1) health.sick('direct_llm')
    expect(now.looks).to.equal(1)
    now.tallies.direct_llm = [{ total: 10, errors: 10 }]
    clock.advance(249)
    expect(health.sick('direct_llm')).to.equal(false)
    clock.advance(1)
    expect(health.sick('direct_llm')).to.equal(true)
    now.errorRate = 1
    now.tallies.direct_llm = [{ total: 10, errors: 5 }]
    clock.advance(250)
    expect(health.sick('direct_llm')).to.equal(false)
  })
})
