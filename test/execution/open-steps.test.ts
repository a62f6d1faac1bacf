import { expect } from 'chai'
import { OpenSteps } from '../../src/execution/open-steps.js'

describe('the open steps of an answer', () => {
  const step = (id: string, title = id) => ({ id, title, status: 'running' as const })
  const idsOf = (steps: OpenSteps) =>
    steps.closing().map((event) => (event.type === 'plan_step' ? event.data.stepId : event.type))

  it('are none without a plan', () => {
    const steps = new OpenSteps()
    steps.see({ type: 'plan_step', data: { stepId: 'a', title: 'A', status: 'completed' } })
    expect(steps.closing()).to.deep.equal([])
  })

  it('are those of the newest plan', () => {
    const steps = new OpenSteps()
    steps.see({ type: 'plan', data: { steps: [step('a'), step('b')], currentStep: 0 } })
    steps.see({ type: 'plan', data: { steps: [step('c')], currentStep: 0 } })
    expect(idsOf(steps)).to.deep.equal(['c'])
  })

  it('are a thousand at most, whatever a runtime sends; a known one may still change', () => {
    const steps = new OpenSteps()
    for (let at = 0; at < 1_002; at += 1)
      steps.see({ type: 'plan_step', data: { stepId: `${at}`, title: 'T', status: 'running' } })
    steps.see({ type: 'plan_step', data: { stepId: '5', title: 'New', status: 'running' } })
    expect(steps.closing()).to.have.length(1_000)
    expect(steps.closing()[5]?.data).to.include({ stepId: '5', title: 'New' })
  })
})
