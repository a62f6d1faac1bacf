import { expect } from 'chai'
import { report } from '../../../src/fallback/machine/report.js'
import { scopeOf } from '../../../src/protocol/fallback-scope.js'
import { NEUTRAL, type Override } from '../../../src/store/override/override.js'
import { GUARDRAILS, WELL } from './driven.js'

const TRIP = { cause: 'error_rate', value: 0.75, threshold: 0.5 } as const
const ACME = scopeOf('orgs', ['acme'])
const FALLEN: Override = {
  ...NEUTRAL,
  auto: { state: 'fallback', trip: TRIP, since: 1, holdUntil: 31_000 },
  trips: 1,
  revision: 4,
  replica: 'r1',
  updatedAt: 77,
}
const SCOPED: Override = {
  ...FALLEN,
  auto: { state: 'recovering', trip: TRIP, since: 1, percent: 25, scope: ACME },
}
const BY_HAND: Override = { ...FALLEN, actor: 'manual', manual: { scope: 'all', reason: 'drill' } }

describe('what is told of a change of the override', () => {
  it('is its states, what was measured, and what it was judged by', () => {
    expect(report(NEUTRAL, FALLEN, { kind: 'trip', evidence: WELL, guardrails: GUARDRAILS })).to.deep.equal({
      at: 77,
      kind: 'trip',
      from: 'normal',
      to: 'fallback',
      manualFrom: 'none',
      manualTo: 'none',
      actor: 'auto',
      replica: 'r1',
      trips: 1,
      revision: 4,
      cause: 'error_rate',
      value: 0.75,
      threshold: 0.5,
      holdUntil: 31_000,
      evidence: WELL,
      guardrails: GUARDRAILS,
    })
  })

  it('is no more than what is known of another’s', () => {
    const { replica: _, updatedAt: __, ...unsigned } = NEUTRAL as Override
    expect(report(NEUTRAL, unsigned, {})).to.deep.equal({
      at: 0,
      from: 'normal',
      to: 'normal',
      manualFrom: 'none',
      manualTo: 'none',
      actor: 'auto',
      replica: '',
      trips: 0,
      revision: 0,
    })
  })

  it('names the step of the ramp and the scope, also of the fallback that is over', () => {
    expect(report(FALLEN, SCOPED, {})).to.deep.include({ recoveringPercent: 25, scope: ACME })
    expect(report(FALLEN, SCOPED, {})).to.not.have.property('holdUntil')
    const over = report(SCOPED, NEUTRAL, { kind: 'recovered' })
    expect(over).to.deep.include({ scope: ACME, cause: 'error_rate', value: 0.75, threshold: 0.5 })
    expect(over).to.not.have.any.keys('recoveringPercent', 'holdUntil')
  })

  it('names the person and the reason where a person did it, and nothing measured', () => {
    const told = report(FALLEN, BY_HAND, { kind: 'triggered', userId: 'ada' })
    expect(told).to.deep.include({ userId: 'ada', reason: 'drill', cause: 'manual', manualTo: 'all' })
    expect(told).to.not.have.any.keys('value', 'threshold')
    const ended = report(BY_HAND, NEUTRAL, { kind: 'hand_edit' })
    expect(ended).to.deep.include({ reason: 'drill', cause: 'manual', manualFrom: 'all', manualTo: 'none' })
    expect(report(BY_HAND, NEUTRAL, { kind: 'reset' })).to.deep.include({ cause: 'manual' })
    expect(report(BY_HAND, NEUTRAL, { kind: 'reset' })).to.not.have.property('reason')
    const mute: Override = { ...BY_HAND, manual: { scope: 'all', reason: '' } }
    expect(report(NEUTRAL, mute, { kind: 'triggered' })).to.not.have.property('reason')
    expect(report(NEUTRAL, BY_HAND, { kind: 'trip' })).to.not.have.property('reason')
  })
})
