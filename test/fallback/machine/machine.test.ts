import { expect } from 'chai'
import type { Evidence } from '../../../src/fallback/evidence/evidence.js'
import { next } from '../../../src/fallback/machine/machine.js'
import { initialState } from '../../../src/fallback/machine/state.js'
import {
  CALM,
  DEAD,
  Driven,
  FAILED,
  FAILING,
  Files,
  fallen,
  GUARDRAILS,
  over,
  QUIET,
  recovering,
  tally,
} from './driven.js'

describe('the fallback machine under light traffic', () => {
  const row = (failures: number): Evidence => ({
    ...CALM,
    runtime: { ...over(tally(2, 2)), streak: { failures, sessions: Math.min(2, failures) } },
  })

  it('trips by the fifth turn in a row that fails over, and relapses by five more', () => {
    const replica = new Driven().round()
    for (const failures of [1, 2, 3, 4]) replica.rounds(30, { evidence: row(failures) })
    expect(replica.auto).to.equal('normal')
    replica.pass(999).round({ evidence: row(5) })
    expect(replica.reports[0]).to.deep.include({
      kind: 'trip',
      cause: 'error_rate',
      value: 1,
      threshold: 0.5,
    })
    replica.rounds(32)
    expect(replica.auto).to.equal('recovering 5')
    replica.pass(999).round({ evidence: row(5) })
    expect(replica.kinds.at(-1)).to.equal('relapse')
  })
})

describe('the fallback machine and a runtime that begins late', () => {
  const guardrails = { ...GUARDRAILS, firstContentP95Ms: 10_000 }
  const begun = (p95Ms: number): Evidence => {
    const one = { samples: 20, p95Ms }
    return { ...CALM, runtime: { ...over(tally(20)), firstContent: { slow: one, fast: one, recent: one } } }
  }

  it('trips, waits with the recovery while it lasts, and comes back', () => {
    const replica = new Driven()
      .round()
      .pass(999)
      .round({ evidence: begun(20_000), guardrails })
    expect(replica.reports[0]).to.deep.include({ cause: 'first_content', value: 20_000, threshold: 10_000 })
    replica.rounds(60, { evidence: begun(20_000), guardrails })
    expect(replica.auto).to.equal('fallback')
    replica.rounds(2, { evidence: begun(500), guardrails })
    expect(replica.auto).to.equal('recovering 5')
    replica.rounds(31, { evidence: begun(500), guardrails })
    expect(replica.auto).to.equal('recovering 25')
    replica.pass(999).round({ evidence: begun(20_000), guardrails })
    expect(replica.kinds.at(-1)).to.equal('relapse')
  })
})

describe('the fallback machine and an unhealthy direct LLM', () => {
  const unusable = { unusable: true, why: 'http_status 401' }
  const refused: Evidence = { ...CALM, standby: unusable }

  it('ends the hold of a fallback at once when the probes of the runtime are good', () => {
    const replica = fallen().rounds(2, { evidence: DEAD })
    expect(replica.auto).to.equal('fallback')
    replica.rounds(2, { evidence: { ...DEAD, standby: unusable } })
    expect(replica.auto).to.equal('fallback')
    replica.rounds(2, { evidence: refused })
    expect(replica.auto).to.equal('recovering 5')
    expect(replica.kinds).to.deep.equal(['trip', 'recovery_begun'])
  })

  it('does so also where its executions are in breach, and nothing is known of the runtime but its health', () => {
    const replica = fallen().rounds(3, { evidence: { ...CALM, direct: tally(20, 20) } })
    expect(replica.auto).to.equal('recovering 5')
  })

  it('neither trips nor relapses by rates while it lasts, and does when it is over', () => {
    const replica = new Driven().round()
    replica.rounds(20, { evidence: { ...FAILING, standby: unusable } })
    expect([replica.auto, replica.state.bothSick]).to.deep.equal(['normal', true])
    replica.pass(999).round({ evidence: FAILING })
    expect([replica.auto, replica.state.bothSick]).to.deep.equal(['fallback', false])
    replica.rounds(2, { evidence: refused })
    expect(replica.auto).to.equal('recovering 5')
    replica.rounds(20, { evidence: { ...FAILING, standby: unusable } })
    expect(replica.auto).to.equal('recovering 5')
    replica.pass(999).round({ evidence: FAILING })
    expect(replica.kinds.at(-1)).to.equal('relapse')
  })

  it('alerts while it lasts, whatever the state', () => {
    const replica = new Driven().round({ evidence: refused })
    expect(replica.state.standby).to.deep.equal({ kind: 'unusable', why: 'http_status 401' })
    replica.round({ evidence: { ...CALM, direct: tally(20, 20) } })
    expect(replica.state.standby).to.deep.include({ kind: 'breach' })
    const before = replica.state
    replica.round({ evidence: { ...CALM, direct: tally(20, 18) } })
    expect(replica.state.standby).to.equal(before.standby)
    replica.round()
    expect(replica.state.standby).to.equal(null)
  })
})

describe('the fallback machine, when the guardrails change in a fallback', () => {
  const shorter = { ...GUARDRAILS, holdSeconds: 5 }

  it('ends the hold as the shorter one would', () => {
    const replica = fallen().rounds(6, { guardrails: shorter })
    expect(replica.auto).to.equal('recovering 5')
  })

  it('keeps the hold without the change', () => {
    expect(fallen().rounds(20).auto).to.equal('fallback')
  })

  it('takes the cap of the longest hold as well', () => {
    expect(fallen().rounds(6, { guardrails: { ...GUARDRAILS, maxHoldSeconds: 4 } }).auto).to.equal(
      'recovering 5',
    )
  })

  it('never makes the present hold longer, and does not lengthen a shortened one again', () => {
    const longer = { ...GUARDRAILS, holdSeconds: 600 }
    expect(fallen().rounds(31, { guardrails: longer }).auto).to.equal('recovering 5')
    expect(fallen().round({ guardrails: shorter }).rounds(6, { guardrails: longer }).auto).to.equal(
      'recovering 5',
    )
  })

  it('counts the trips: the second hold is twice as long', () => {
    const relapsed = recovering().round({ evidence: FAILING, guardrails: GUARDRAILS })
    expect(relapsed.rounds(8, { guardrails: shorter }).auto).to.equal('fallback')
    expect(relapsed.rounds(3, { guardrails: shorter }).auto).to.equal('recovering 5')
  })
})

describe('the fallback machine, tripping', () => {
  it('acts in memory at once, and writes one revision above the highest it has seen', () => {
    const replica = new Driven().round().pass(1000)
    const effects = replica.tick({ evidence: FAILING })
    expect(replica.auto).to.equal('fallback')
    expect(effects.map(({ kind }) => kind)).to.deep.equal(['write', 'write_lease'])
    expect(replica.known).to.deep.include({ revision: 1, replica: 'r1', actor: 'auto', trips: 1 })
    expect(replica.known.updatedAt).to.equal(replica.wall)
    expect(replica.known.evidenceSince).to.equal(replica.wall)
  })

  it('tells of it once it is in the store, with what it was judged by', () => {
    const replica = new Driven().round().pass(1000)
    const effects = replica.tick({ evidence: FAILING })
    expect(replica.kinds).to.deep.equal([])
    replica.write(effects)
    expect(replica.kinds).to.deep.equal(['trip'])
    expect(replica.reports[0]).to.deep.include({
      from: 'normal',
      to: 'fallback',
      cause: 'error_rate',
      value: 0.75,
    })
    expect(replica.reports[0]).to.have.nested.property('evidence.runtime.slow.errors', 15)
    expect(replica.reports[0]?.guardrails).to.deep.equal(GUARDRAILS)
  })

  it('is judged anew from when it is in the store: what it tripped by does not count any more', () => {
    const replica = new Driven().round().pass(1000)
    const effects = replica.tick({ evidence: FAILING })
    expect(replica.state.epoch.executionsAt).to.equal(null)
    replica.write(effects)
    expect(replica.state.epoch.executionsAt).to.equal(replica.now)
    expect(replica.state.store.tripped).to.equal(null)
  })

  it('waits with an alert while the direct LLM is as unhealthy, and trips when that is over', () => {
    const replica = new Driven().round().round({ evidence: { ...FAILING, direct: tally(20, 20) } })
    expect(replica.state.bothSick).to.equal(true)
    expect(replica.auto).to.equal('normal')
    replica.round({ evidence: FAILING })
    expect(replica.state.bothSick).to.equal(false)
    expect(replica.auto).to.equal('fallback')
  })

  it('says under `observe` what would have tripped, while it holds', () => {
    const replica = new Driven().round().round({ evidence: FAILING, policy: 'observe' })
    expect(replica.state.wouldTrip).to.deep.equal({ cause: 'error_rate', value: 0.75, threshold: 0.5 })
    expect(replica.auto).to.equal('normal')
    replica.round({ policy: 'observe' })
    expect(replica.state.wouldTrip).to.equal(null)
  })

  it('says it once under `observe` while it lasts, and anew when cause or threshold change', () => {
    const replica = new Driven().round()
    const under = (evidence: Evidence, guardrails = GUARDRAILS) => {
      const before = JSON.stringify(replica.state)
      replica.pass(999).round({ evidence, guardrails, policy: 'observe' })
      return { isNew: JSON.stringify(replica.state) !== before, ...replica.state.wouldTrip }
    }
    const failing = (errors: number) => ({ ...CALM, runtime: over(tally(20, errors)) })
    expect(under(failing(15))).to.deep.include({ isNew: true, cause: 'error_rate', value: 0.75 })
    for (const errors of [16, 19, 12])
      expect(under(failing(errors))).to.deep.include({ isNew: false, value: 0.75 })
    expect(under({ ...DEAD, runtime: failing(12).runtime })).to.deep.include({ isNew: true, cause: 'health' })
    expect(under(failing(12))).to.deep.include({ isNew: true, cause: 'error_rate', value: 0.6 })
    const tighter = { ...GUARDRAILS, errorRate: 0.25 }
    expect(under(failing(12), tighter)).to.deep.include({ isNew: true, threshold: 0.25 })
    const alike = { ...GUARDRAILS, errorRate: 0.25, timeoutRate: 0.25 }
    const late = { ...CALM, runtime: over(tally(20, 0, 12)) }
    expect(under(late, alike)).to.deep.include({ isNew: true, cause: 'timeout_rate', threshold: 0.25 })
    expect(under(CALM)).to.deep.equal({ isNew: true })
    expect(under(CALM)).to.deep.equal({ isNew: false })
  })

  it('goes to normal at once where the policy is off, also without the lease', () => {
    const files = new Files()
    fallen(files)
    const other = new Driven(files, 'r2').round().round({ policy: 'off', evidence: DEAD })
    expect(other.auto).to.equal('normal')
    expect(files.stored.auto.state).to.equal('normal')
    expect(other.kinds).to.deep.equal(['policy_off'])
  })

  it('does not move on insufficient data, in any state', () => {
    const little = { ...CALM, runtime: over(tally(4, 4)) }
    for (const replica of [new Driven().round(), fallen(), recovering()]) {
      const before = replica.auto
      replica.rounds(60, { evidence: little })
      expect(replica.auto).to.equal(before)
    }
  })
})

describe('the fallback machine, coming back', () => {
  it('takes the hold, and then each step of the ramp its time', () => {
    const replica = fallen()
    const since = replica.now
    const seen: [string, number][] = []
    for (let second = 0; second < 200; second += 1) {
      replica.pass(999).round()
      if (seen.at(-1)?.[0] !== replica.auto)
        seen.push([replica.auto, Math.round((replica.now - since) / 1000)])
    }
    expect(seen).to.deep.equal([
      ['fallback', 1],
      ['recovering 5', 30],
      ['recovering 25', 60],
      ['recovering 100', 90],
      ['normal', 120],
    ])
    expect(replica.kinds).to.deep.equal(['trip', 'recovery_begun', 'ramp_step', 'ramp_step', 'recovered'])
  })

  it('moves only when the move is in the store', () => {
    const replica = fallen().rounds(29)
    const effects = replica.pass(1000).tick()
    expect(effects.map(({ kind }) => kind)).to.include('write')
    expect(replica.auto).to.equal('fallback')
    expect(replica.kinds).to.deep.equal(['trip'])
    replica.write(effects)
    expect(replica.auto).to.equal('recovering 5')
    expect(replica.state.epoch.executionsAt).to.equal(replica.now)
    expect(replica.kinds).to.deep.equal(['trip', 'recovery_begun'])
  })

  it('leaves nothing of a move that could not be written, and tries again with a pause', () => {
    const replica = fallen().rounds(29)
    replica.pass(1000).tick()
    replica.fail()
    expect(replica.state.store.dirtyAt).to.equal(null)
    replica.pass(100).tick()
    expect(replica.has('write')).to.equal(false)
    expect(replica.auto).to.equal('fallback')
    expect(replica.state.store.fault).to.equal(null)
    replica.pass(1000).round()
    expect(replica.auto).to.equal('recovering 5')
  })

  it('recognises a move that got into the store though the write seemed to fail', () => {
    const replica = fallen().rounds(29)
    const write = replica
      .pass(1000)
      .tick()
      .find((effect) => effect.kind === 'write')
    if (write?.kind !== 'write') throw new Error('no write')
    replica.files.put(write.override)
    replica.fail().pass(100).tick()
    expect(replica.auto).to.equal('recovering 5')
    expect(replica.kinds).to.deep.equal(['trip', 'recovery_begun'])
  })

  it('puts a command on top of a move that was being written', () => {
    const replica = fallen().rounds(29)
    const effects = replica.pass(1000).tick()
    replica.command({ kind: 'trigger', userId: 'admin', reason: 'drill' })
    replica.write(effects)
    expect(replica.known).to.deep.include({ revision: 3 })
    expect(replica.auto).to.equal('recovering 5')
    expect(replica.known.manual).to.deep.equal({ scope: 'all', reason: 'drill' })
    replica.round()
    expect(replica.files.stored).to.deep.include({ revision: 3, manual: { scope: 'all', reason: 'drill' } })
    expect(replica.reports.at(-1)).to.deep.include({ kind: 'triggered', guardrails: GUARDRAILS })
  })

  it('begins in a quiet time by the probes alone, and ends the ramp so only where health was the cause', () => {
    const byHealth = new Driven().round().round({ evidence: DEAD })
    byHealth.rounds(130, { evidence: QUIET })
    expect(byHealth.auto).to.equal('normal')
    const byErrors = fallen().rounds(130, { evidence: QUIET })
    expect(byErrors.auto).to.equal('recovering 5')
  })

  it('relapses by a breach, held twice as long', () => {
    const replica = recovering()
    replica.pass(1000).round({ evidence: FAILING })
    const { auto } = replica.known
    expect(auto).to.deep.include({ state: 'fallback', holdUntil: replica.wall + 60_000 })
    expect(replica.known.trips).to.equal(2)
    expect(replica.kinds.at(-1)).to.equal('relapse')
  })

  it('keeps its trips in normal, and forgets them after the longest hold in good health', () => {
    const replica = fallen().rounds(125)
    expect(replica.auto).to.equal('normal')
    replica.rounds(800)
    expect(replica.known.trips).to.equal(1)
    replica.rounds(110)
    expect(replica.known.trips).to.equal(0)
    expect(replica.files.stored.trips).to.equal(0)
  })

  it('counts the good health anew from each time something was wrong', () => {
    const replica = fallen().rounds(125).rounds(800)
    replica.round({ evidence: { ...DEAD, runtimeTurnAgoMs: null } }).rounds(800)
    expect(replica.known.trips).to.equal(1)
    replica.rounds(110)
    expect(replica.known.trips).to.equal(0)
  })
})

describe('the fallback machine and its evidence', () => {
  it('does not judge what was gathered before it was forgotten, in the next try of the same round', () => {
    const replica = recovering()
    const gathered = { ...FAILING, at: replica.now }
    // Another replica has gone on meanwhile: the step is new, and the evidence is not of it.
    replica.files.put({
      ...replica.files.stored,
      auto: { state: 'recovering', trip: { cause: 'health', value: 2, threshold: 2 }, since: 5, percent: 25 },
      evidenceSince: replica.wall,
      revision: 9,
      replica: 'r2',
    })
    replica.pass(1).tick({ evidence: gathered })
    expect(replica.auto).to.equal('recovering 25')
    replica.pass(1).tick({ evidence: gathered })
    expect(replica.auto).to.equal('recovering 25')
    replica.pass(1000).tick({ evidence: FAILING })
    expect(replica.auto).to.equal('fallback')
  })

  it('forgets the probes too where it is reset', () => {
    const replica = new Driven().round().round({ evidence: DEAD })
    const gathered = { ...DEAD, at: replica.now }
    replica.pass(10).command({ kind: 'reset', userId: 'admin' })
    replica.pass(10).tick({ evidence: gathered })
    expect(replica.auto).to.equal('normal')
    replica.pass(1000).tick({ evidence: DEAD })
    expect(replica.auto).to.equal('fallback')
  })

  it('tells two restarts apart that fall into the same instant of the wall clock', () => {
    const replica = new Driven().round()
    replica.command({ kind: 'reset', userId: 'admin' })
    const first = replica.known.evidenceSince
    replica.command({ kind: 'reset', userId: 'admin' })
    expect(replica.known.evidenceSince).to.not.equal(first)
    expect(replica.has('restart_evidence')).to.equal(true)
  })
})

describe('the fallback machine as a function', () => {
  it('changes nothing and does nothing where nothing is new, so that nothing is kept of it', () => {
    for (const replica of [new Driven().rounds(2), fallen().rounds(2), new Driven(new Files()).rounds(3)]) {
      const before = JSON.stringify(replica.state)
      replica.pass(200).tick({ evidence: CALM })
      expect(replica.effects).to.deep.equal([])
      expect(JSON.stringify(replica.state)).to.equal(before)
    }
  })

  it('is quiet too while the store cannot be read for long', () => {
    const replica = fallen().rounds(2)
    replica.tick({ store: FAILED, lease: { kind: 'failed' } })
    const before = JSON.stringify(replica.state)
    for (let second = 0; second < 20; second += 1) {
      replica.pass(999).tick({ store: FAILED, lease: { kind: 'failed' }, evidence: CALM })
      expect(replica.effects).to.deep.equal([])
    }
    expect(JSON.stringify(replica.state)).to.equal(before)
  })

  it('leaves what it is given as it is, and gives the same for the same', () => {
    const state = Object.freeze(initialState({ replica: 'r1', owner: 'r1#n' }, 0))
    const text = JSON.stringify(state)
    const input = {
      kind: 'tick',
      now: 1000,
      wall: 5000,
      evidence: FAILING,
      guardrails: GUARDRAILS,
      policy: 'auto',
      store: new Files().override,
      lease: { kind: 'missing' },
      provider: { ready: true },
      jitter: 0.5,
    } as const
    expect(next(state, input)).to.deep.equal(next(JSON.parse(text), JSON.parse(JSON.stringify(input))))
    expect(JSON.stringify(state)).to.equal(text)
  })

  it('has a state that is JSON', () => {
    const replica = recovering().command({ kind: 'trigger', userId: 'admin', reason: '', ttlSeconds: 5 })
    replica.pass(1000).tick({ evidence: FAILING })
    expect(JSON.parse(JSON.stringify(replica.state))).to.deep.equal(replica.state)
  })
})
