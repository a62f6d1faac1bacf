import { expect } from 'chai'
import { evaluationContext } from '../../src/decision/caller.js'
import { createTurnDefaults } from '../../src/decision/code-defaults.js'
import { CODE_DEFAULTS, callerOf } from '../support/flag-files.js'

describe('code defaults', () => {
  it('give an enabled org the runtime and any other the mode of the environment', () => {
    const direct = createTurnDefaults({ ...CODE_DEFAULTS, enabledOrgs: ['org-7'] })
    expect(direct.mode('org-7')).to.equal('runtime_orchestrator')
    expect(direct.mode('org-8')).to.equal('direct_llm')
    const runtime = createTurnDefaults({ ...CODE_DEFAULTS, mode: 'runtime_orchestrator' })
    expect(runtime.mode('org-8')).to.equal('runtime_orchestrator')
  })

  it('shadow about the given share of sessions, and no session more often than another', () => {
    const shadow = shadowOf(20)
    const sessions = Array.from({ length: 2000 }, (_, at) => shadow(at))
    expect(sessions.filter(Boolean).length).to.be.within(320, 480)
    expect(sessions).to.deep.equal(Array.from({ length: 2000 }, (_, at) => shadow(at)))
  })

  it('keep every shadowed session when the share grows', () => {
    const [ten, twenty] = [shadowOf(10), shadowOf(20)]
    const lost = Array.from({ length: 2000 }, (_, at) => at).filter((at) => ten(at) && !twenty(at))
    expect(lost).to.deep.equal([])
  })

  it('shadow nobody at 0 and everybody at 100', () => {
    expect([0, 1, 2].map(shadowOf(0))).to.deep.equal([false, false, false])
    expect([0, 1, 2].map(shadowOf(100))).to.deep.equal([true, true, true])
  })

  it('are the shipped guardrails with the environment in place of null', () => {
    const { guardrails } = createTurnDefaults({ ...CODE_DEFAULTS, totalMs: 1234, errorRate: 0.25 })
    expect(guardrails).to.include({ totalMs: 1234, errorRate: 0.25, timeoutRate: 0.3, gapMs: 60_000 })
  })

  it('are handed to the SDK as they are', () => {
    const { guardrails, guardrailsValue, profileValue, routeValue } = createTurnDefaults(CODE_DEFAULTS)
    expect(guardrailsValue).to.deep.equal(guardrails)
    expect(profileValue).to.deep.equal({})
    expect(routeValue).to.deep.equal({ endpoints: [] })
  })
})

function shadowOf(shadowPercent: number): (at: number) => boolean {
  const { shadow } = createTurnDefaults({ ...CODE_DEFAULTS, shadowPercent })
  return (at) => shadow(evaluationContext(callerOf(at)))
}
