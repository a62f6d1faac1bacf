import { expect } from 'chai'
import type { Evidence } from '../../../src/fallback/evidence/evidence.js'
import { autoMove, goesAlone } from '../../../src/fallback/machine/auto-layer.js'
import { scopeOf } from '../../../src/protocol/fallback-scope.js'
import type { AutoLayer } from '../../../src/store/override/override.js'
import {
  CALM,
  DEAD,
  Driven,
  FAILING,
  fallen,
  GUARDRAILS,
  over,
  QUIET,
  recovering,
  tally,
  WELL,
} from './driven.js'

/** One of three sees the runtime unhealthy: this replica. */
const ALONE: Evidence = { ...DEAD, peers: { saw: 3, bad: 1 } }
const TOGETHER: Evidence = { ...DEAD, peers: { saw: 3, bad: 2 } }
const UNUSABLE = { standby: { unusable: true, why: 'http_status 401' } }
const TRIP = { cause: 'error_rate', value: 1, threshold: 0.5 } as const

const isAlone = (replica: Driven) => [replica.state.isolated, replica.state.isolatedTo]

describe('a replica for which alone the runtime is unhealthy', () => {
  const alone = () => new Driven().round().round({ evidence: ALONE })

  it('sends its own turns to the direct LLM, and trips for nobody', () => {
    const replica = alone()
    expect(isAlone(replica)).to.deep.equal([true, null])
    expect(replica.auto).to.equal('normal')
    expect(replica.files.stored.revision).to.equal(0)
    expect(replica.reports).to.deep.equal([])
    expect(replica.state.timers.goodSinceAt).to.equal(null)
  })

  it('stays so while that lasts, without a change', () => {
    const replica = alone().rounds(5, { evidence: ALONE })
    const before = replica.state
    replica.round({ evidence: ALONE })
    expect(replica.state).to.deep.equal(before)
  })

  it('trips for all once as many see it', () => {
    const replica = alone().round({ evidence: TOGETHER })
    expect(isAlone(replica)).to.deep.equal([false, null])
    expect(replica.auto).to.equal('fallback')
    expect(replica.reports.at(-1)).to.deep.include({ kind: 'trip', cause: 'health' })
  })

  it('comes back when the runtime is well again, or quiet', () => {
    for (const evidence of [WELL, QUIET])
      expect(isAlone(alone().round({ evidence: { ...evidence, peers: { saw: 3, bad: 0 } } }))).to.deep.equal([
        false,
        null,
      ])
    for (const evidence of [CALM, FAILING])
      expect(isAlone(alone().round({ evidence: { ...evidence, peers: { saw: 3, bad: 0 } } }))).to.deep.equal([
        true,
        null,
      ])
  })

  it('stays where its executions are well and a probe was not', () => {
    const probe = { failures: 1, goodForMs: 0, healthy: false }
    const replica = alone().round({ evidence: { ...WELL, probe, peers: { saw: 3, bad: 0 } } })
    expect(isAlone(replica)).to.deep.equal([true, null])
  })

  it('is so for all its users, where it was for some of them before', () => {
    for (const evidence of [ALONE, TOGETHER]) {
      const replica = new Driven().round()
      replica.state = { ...replica.state, isolated: true, isolatedTo: scopeOf('orgs', ['acme']) }
      expect(isAlone(replica.round({ evidence }))).to.deep.equal([true, null])
    }
  })

  it('comes back where the policy forbids a fallback', () => {
    expect(isAlone(alone().round({ evidence: ALONE, policy: 'off' }))).to.deep.equal([false, null])
    expect(isAlone(alone().round({ evidence: ALONE, policy: 'observe' }))).to.deep.equal([true, null])
  })

  it('judges for nobody meanwhile', () => {
    const replica = alone().round({ evidence: { ...ALONE, runtime: FAILING.runtime } })
    expect(replica.auto).to.equal('normal')
    expect(replica.files.stored.revision).to.equal(0)
  })

  it('leaves a ramp to the others', () => {
    const replica = recovering().round({ evidence: ALONE })
    expect(replica.auto).to.equal('recovering 5')
    expect(isAlone(replica)).to.deep.equal([true, null])
    expect(replica.has('write')).to.equal(false)
  })

  it('says which executions would trip under `observe`, not its probes', () => {
    const replica = new Driven().round()
    replica.round({ evidence: ALONE, policy: 'observe' })
    expect(replica.state.wouldTrip).to.equal(null)
    replica.round({ evidence: { ...ALONE, runtime: FAILING.runtime }, policy: 'observe' })
    expect(replica.state.wouldTrip).to.deep.include({ cause: 'error_rate' })
  })

  it('does not speak for the runtime in a fallback of all', () => {
    const replica = fallen().rounds(40, {
      evidence: { ...WELL, probe: DEAD.probe, peers: { saw: 3, bad: 1 } },
    })
    expect(replica.auto).to.equal('fallback')
    expect(isAlone(replica)).to.deep.equal([false, null])
  })
})

describe('going alone', () => {
  const fallback = { state: 'fallback', trip: TRIP, since: 1, holdUntil: 2 } as const
  const acme = scopeOf('orgs', ['acme'])
  const given = { auto: { state: 'normal' } as AutoLayer, policy: 'auto' as const, evidence: ALONE }
  const goes = (part: Partial<typeof given> | { policy: 'observe' | 'off' }) =>
    goesAlone({ ...given, guardrails: GUARDRAILS, ...part })

  it('is for a replica whose users would use the runtime, and can use the direct LLM', () => {
    expect(goes({})).to.equal(true)
    expect(goes({ policy: 'observe' })).to.equal(false)
    expect(goes({ policy: 'off' })).to.equal(false)
    expect(goes({ evidence: TOGETHER })).to.equal(false)
    expect(goes({ evidence: { ...ALONE, probe: CALM.probe } })).to.equal(false)
    expect(goes({ evidence: { ...ALONE, runtimeTurnAgoMs: null } })).to.equal(false)
    expect(goes({ evidence: { ...ALONE, ...UNUSABLE } })).to.equal(false)
  })

  it('is of no use where all have fallen back already', () => {
    expect(goes({ auto: fallback })).to.equal(false)
    expect(goes({ auto: { ...fallback, scope: acme } })).to.equal(true)
    expect(goes({ auto: { state: 'recovering', trip: TRIP, since: 1, percent: 5 } })).to.equal(true)
  })
})

describe('a breach of a scope that falls back already, found before that was known', () => {
  const acme = scopeOf('orgs', ['acme'])
  const tallies = { tally: tally(18, 18), left: tally(12) }
  const others = { slow: tally(12), fast: tally(12), newest: tally(12) }
  // Gathered for everybody: all that fails is the scope's.
  const evidence: Evidence = {
    ...CALM,
    runtime: over(tally(30, 18)),
    suspects: [{ ...acme, ...tallies, others }],
  }
  const moved = (auto: AutoLayer) =>
    autoMove({
      auto,
      trips: 1,
      timers: { autoSinceAt: 0, holdUntilAt: 9000, goodSinceAt: null, manualUntilAt: null },
      evidence,
      guardrails: GUARDRAILS,
      policy: 'auto',
      holder: false,
      jitter: 0,
      now: 1000,
      wall: 5000,
    })

  it('is a relapse while it recovers, and nothing new while it is in fallback', () => {
    const base = { trip: TRIP, since: 1, scope: acme }
    expect(moved({ ...base, state: 'fallback', holdUntil: 9000 })).to.deep.equal({ kind: 'stay' })
    expect(moved({ ...base, state: 'recovering', percent: 5 })).to.deep.equal({
      kind: 'trip',
      what: 'relapse',
      trips: 2,
      auto: { state: 'fallback', trip: TRIP, since: 5000, scope: acme, holdUntil: 65_000 },
    })
  })
})

describe('a trip that lost its race and still holds', () => {
  const acme = scopeOf('orgs', ['acme'])
  const globex = scopeOf('orgs', ['globex'])
  const auto: AutoLayer = { state: 'fallback', trip: TRIP, since: 1, holdUntil: 2, scope: globex }
  const held = (evidence: Evidence, part: object = {}) =>
    autoMove({
      auto: { state: 'normal' },
      trips: 1,
      timers: { autoSinceAt: 0, holdUntilAt: null, goodSinceAt: null, manualUntilAt: null },
      evidence,
      guardrails: GUARDRAILS,
      policy: 'auto',
      holder: false,
      jitter: 0,
      now: 1000,
      wall: 5000,
      holds: { trip: TRIP, scope: acme },
      ...part,
    })

  it('trips for its own scope, unless the direct LLM cannot be used', () => {
    expect(held(CALM)).to.deep.include({
      kind: 'trip',
      what: 'trip',
      auto: { state: 'fallback', trip: TRIP, since: 5000, scope: acme, holdUntil: 65_000 },
    })
    expect(held({ ...CALM, ...UNUSABLE })).to.deep.equal({ kind: 'both_sick' })
    expect(held(CALM, { policy: 'observe' })).to.deep.equal({ kind: 'would_trip', trip: TRIP })
  })

  it('joins a fallback of others, unless the direct LLM cannot be used', () => {
    expect(held(CALM, { auto })).to.deep.include({ kind: 'trip', what: 'widened', trips: 1 })
    expect(held({ ...CALM, ...UNUSABLE }, { auto })).to.deep.equal({ kind: 'both_sick' })
    expect(held(CALM, { auto, policy: 'observe' })).to.deep.equal({ kind: 'would_trip', trip: TRIP })
    expect(held(CALM, { auto, policy: 'off' })).to.deep.equal({ kind: 'policy_off' })
  })

  it('joins nothing where that fallback is for it already, or for what has no union with it', () => {
    expect(held(CALM, { auto: { ...auto, scope: scopeOf('orgs', ['acme', 'globex']) } }).kind).to.equal(
      'stay',
    )
    expect(held(CALM, { auto: { ...auto, scope: scopeOf('agents', ['x']) } }).kind).to.equal('stay')
    expect(held(CALM, { auto, holds: { trip: TRIP } })).to.deep.include({
      kind: 'trip',
      what: 'widened',
      auto: { state: 'fallback', trip: TRIP, since: 5000, holdUntil: 35_000 },
    })
  })
})
