import { expect } from 'chai'
import type { Command } from '../../../src/fallback/fallback.js'
import { NEUTRAL } from '../../../src/store/override/override.js'
import { createOverrideEvaluator } from '../../../src/store/override/override-evaluator.js'
import { CALM, DEAD, Driven, FAILED, FAILING, Files, fallen, recovering } from './driven.js'

const all = (part: Partial<Extract<Command, { kind: 'trigger' }>> = {}): Command => ({
  kind: 'trigger',
  userId: 'admin',
  reason: 'drill',
  ...part,
})
const RESET: Command = { kind: 'reset', userId: 'admin' }

describe('a person’s trigger', () => {
  it('acts at once, is written, and told with who gave it and why', () => {
    const replica = new Driven().round().command(all())
    expect(replica.known.manual).to.deep.equal({ scope: 'all', reason: 'drill' })
    expect(replica.known.evidenceSince).to.equal(undefined)
    replica.round()
    expect(replica.files.stored).to.deep.include({
      actor: 'manual',
      manual: { scope: 'all', reason: 'drill' },
    })
    expect(replica.reports).to.have.length(1)
    expect(replica.reports[0]).to.deep.include({
      kind: 'triggered',
      userId: 'admin',
      reason: 'drill',
      cause: 'manual',
    })
  })

  it('leaves the automatic layer as it is', () => {
    expect(fallen().command(all()).auto).to.equal('fallback')
    expect(recovering().command(all()).auto).to.equal('recovering 5')
  })

  it('adds orgs to orgs, and narrows nothing', () => {
    const replica = new Driven().round()
    replica.command(all({ orgIds: ['b', 'a'] })).command(all({ orgIds: ['c', 'a'], reason: 'more' }))
    expect(replica.known.manual).to.deep.equal({
      scope: 'orgs',
      target: { kind: 'orgs', orgIds: ['a', 'b', 'c'] },
      reason: 'more',
    })
    replica.command(all()).command(all({ orgIds: ['d'] }))
    expect(replica.known.manual.scope).to.equal('all')
  })

  it('adds orgs to a person’s rule, which does not grow by it, however often', () => {
    const files = new Files()
    const rule = {
      if: [{ ends_with: [{ var: 'orgId' }, 'me'] }, 'on', { '==': [{ var: 'orgId' }, 'x'] }, 'off'],
    }
    const manual = { scope: 'orgs', target: { kind: 'rule', rule, otherwise: 'on' }, reason: '' } as const
    files.put({ ...NEUTRAL, manual, revision: 1 })
    const replica = new Driven(files).round()
    const orgIds = Array.from({ length: 40 }, (_, at) => `org-${at}`)
    for (const orgId of orgIds) replica.command(all({ orgIds: [orgId] })).round()
    const isOn = createOverrideEvaluator(files.stored)
    const onFor = (orgId: string) => isOn({ orgId, userId: 'u', agentId: 'a', sessionId: 's' })
    expect(orgIds.filter((orgId) => !onFor(orgId))).to.deep.equal([])
    // as the rule says: yes, no, and nothing (then `otherwise` counts)
    expect([onFor('acme'), onFor('x'), onFor('none')]).to.deep.equal([true, false, true])
    expect(JSON.stringify(files.stored.manual)).to.have.length.below(1500)
  })

  it('works under each policy', () => {
    for (const policy of ['observe', 'off'] as const) {
      const replica = new Driven().round({ policy }).command(all()).rounds(5, { policy })
      expect(replica.files.stored.manual.scope).to.equal('all')
    }
  })

  it('does not keep the automatic layer from being judged', () => {
    const replica = new Driven().round().command(all()).round().pass(1000).round({ evidence: FAILING })
    expect(replica.auto).to.equal('fallback')
    expect(replica.known.manual.scope).to.equal('all')
  })

  it('is ended by no move of the automatic layer', () => {
    const replica = fallen().command(all({ orgIds: ['a'] }))
    replica.rounds(160)
    expect(replica.auto).to.equal('normal')
    expect(replica.files.stored.manual.scope).to.equal('orgs')
    replica.rounds(1000)
    expect(replica.files.stored.manual.scope).to.equal('orgs')
  })
})

describe('the time to live of a manual fallback', () => {
  it('just ends one for some orgs', () => {
    const replica = new Driven()
      .round()
      .command(all({ orgIds: ['a'], ttlSeconds: 60 }))
      .round()
    replica.rounds(59)
    expect(replica.known.manual.scope).to.equal('orgs')
    replica.rounds(2)
    expect(replica.known.manual.scope).to.equal('none')
    expect(replica.auto).to.equal('normal')
    expect(replica.kinds).to.deep.equal(['triggered', 'manual_expired'])
  })

  it('hands one for all over to the automatic layer, at the first step of the ramp', () => {
    const replica = new Driven()
      .round()
      .command(all({ ttlSeconds: 60 }))
      .rounds(62, { evidence: CALM })
    expect(replica.known.manual.scope).to.equal('none')
    expect(replica.known.auto).to.deep.include({
      state: 'recovering',
      percent: 5,
      trip: { cause: 'manual', value: 0, threshold: 0 },
    })
    expect(replica.known.trips).to.equal(0)
    replica.rounds(95)
    expect(replica.auto).to.equal('normal')
  })

  it('leaves a fallback of the automatic layer in place', () => {
    const replica = fallen()
    const since = replica.known.evidenceSince
    replica.command(all({ ttlSeconds: 10 })).rounds(12, { evidence: FAILING })
    expect(replica.known.manual.scope).to.equal('none')
    expect(replica.auto).to.equal('fallback')
    expect(replica.known.evidenceSince, 'its evidence goes on').to.equal(since)
  })

  it('ends once, told with its trigger, where that waited to be written until then', () => {
    const files = new Files()
    files.override = { kind: 'missing' }
    const replica = new Driven(files).command(all({ orgIds: ['a'], ttlSeconds: 1 })).round()
    replica.pass(1100).round()
    expect(replica.kinds).to.deep.equal(['triggered'])
    replica.pass(2000).round()
    expect(replica.kinds).to.deep.equal(['triggered', 'manual_expired'])
  })

  it('is over at its very instant', () => {
    const replica = new Driven().round().command(all({ orgIds: ['a'], ttlSeconds: 60 }))
    const until = replica.now + 60_000
    replica.round()
    replica.pass(until - replica.now - 2).tick()
    expect(replica.known.manual.scope).to.equal('orgs')
    replica.tick()
    expect(replica.now).to.equal(until)
    expect(replica.known.manual.scope).to.equal('none')
  })

  it('counts its first step for all from when that is in the store', () => {
    const replica = new Driven()
      .round()
      .command(all({ ttlSeconds: 10 }))
      .rounds(5, { evidence: CALM })
    replica.pass(6000).tick({ evidence: CALM })
    expect(replica.auto).to.equal('recovering 5')
    const decided = replica.now
    replica.fail(1)
    replica.pass(4000).round({ evidence: CALM })
    expect(replica.state.timers.autoSinceAt).to.equal(replica.now).and.greaterThan(decided)
    expect(replica.state.proof).to.deep.include({ decidedAt: decided })
    const stepped = replica.now
    replica
      .pass(5000)
      .command(all({ orgIds: ['a'] }))
      .round({ evidence: CALM })
    expect(replica.state.timers.autoSinceAt, 'and not anew with another write').to.equal(stepped)
  })

  it('goes back to the first step where the automatic layer was further', () => {
    const replica = recovering().rounds(31)
    expect(replica.auto).to.equal('recovering 25')
    replica.command(all({ ttlSeconds: 10 })).rounds(12, { evidence: CALM })
    expect(replica.auto).to.equal('recovering 5')
  })

  it('just ends it under policy off', () => {
    const replica = new Driven()
      .round()
      .command(all({ ttlSeconds: 10 }))
      .rounds(12, { policy: 'off' })
    expect(replica.known).to.deep.include({ auto: { state: 'normal' }, manual: { scope: 'none' } })
    expect(replica.kinds).to.deep.equal(['triggered', 'manual_expired'])
  })

  it('runs by each replica’s own clock, whatever the wall clocks say', () => {
    const files = new Files()
    const writer = new Driven(files, 'r1', { origin: 0, wallOffset: 86_400_000 })
    writer
      .round()
      .command(all({ orgIds: ['a'], ttlSeconds: 60 }))
      .round()
    const reader = new Driven(files, 'r2', { origin: 9e6, wallOffset: -86_400_000 }).round()
    reader.rounds(58)
    expect(reader.known.manual.scope).to.equal('orgs')
    reader.rounds(3)
    expect(reader.known.manual.scope).to.equal('none')
  })

  it('is told anew by who writes next, so that a third replica takes it for the same', () => {
    const files = new Files()
    const first = new Driven(files, 'r1', { origin: 0, wallOffset: 86_400_000 })
    first
      .round()
      .command(all({ orgIds: ['a'], ttlSeconds: 60 }))
      .round()
    const second = new Driven(files, 'r2').round().rounds(30)
    second.round({ evidence: FAILING })
    const { manual, updatedAt = 0 } = files.stored
    expect(manual.scope === 'orgs' && Math.round(((manual.until ?? 0) - updatedAt) / 1000)).to.equal(30)
    const third = new Driven(files, 'r3', { origin: 5, wallOffset: -9e7 }).round().rounds(28)
    expect(third.known.manual.scope).to.equal('orgs')
    third.rounds(3)
    expect(third.known.manual.scope).to.equal('none')
  })

  it('runs from when the command was given, however often it is tried', () => {
    const replica = new Driven().round().command(all({ ttlSeconds: 60, orgIds: ['a'] }))
    replica.pass(40_000)
    replica.files.put({ ...replica.files.stored, trips: 1, revision: 4, replica: 'r2' })
    replica.round()
    expect(replica.files.stored).to.deep.include({ revision: 5, trips: 1 })
    replica.rounds(18)
    expect(replica.known.manual.scope).to.equal('orgs')
    replica.rounds(3)
    expect(replica.known.manual.scope).to.equal('none')
  })

  it('ends too where the command never got into the store, and is not tried again', () => {
    const replica = new Driven().round().command(all({ ttlSeconds: 10 }))
    const part = { store: FAILED, lease: { kind: 'failed' }, provider: { ready: true } } as const
    for (let second = 0; second < 12; second += 1) replica.pass(999).tick({ ...part, evidence: CALM })
    expect(replica.auto).to.equal('recovering 5')
    expect(replica.kinds).to.deep.equal(['triggered', 'manual_expired'])
    replica.files.put({ ...replica.files.stored, revision: 4, replica: 'r2' })
    replica.round({ evidence: CALM })
    expect(replica.known).to.deep.include({ auto: { state: 'normal' }, manual: { scope: 'none' } })
  })
})

describe('a reset', () => {
  it('ends both layers, the hold, the trips, the evidence and the probe counts', () => {
    const replica = fallen().command(all()).command(RESET)
    expect(replica.known).to.deep.include({ auto: { state: 'normal' }, manual: { scope: 'none' }, trips: 0 })
    expect(replica.effects.map(({ kind }) => kind)).to.include.members(['restart_evidence', 'reset_health'])
    expect(replica.state.timers.holdUntilAt).to.equal(null)
    replica.round({ evidence: CALM })
    expect(replica.files.stored).to.deep.include({ actor: 'manual', trips: 0 })
  })

  it('ends them on every replica', () => {
    const files = new Files()
    const first = fallen(files)
    const second = new Driven(files, 'r2').round()
    first.command(RESET).round({ evidence: CALM })
    second.pass(500).tick({ evidence: FAILING })
    expect(second.auto).to.equal('normal')
    expect(second.effects.map(({ kind }) => kind)).to.deep.equal([
      'restart_evidence',
      'reset_health',
      'adopted',
    ])
  })

  it('lets fresh evidence trip again, for a first hold', () => {
    const replica = fallen().command(RESET).round({ evidence: CALM }).pass(1000).round({ evidence: FAILING })
    expect(replica.known).to.deep.include({ trips: 1 })
    expect(replica.kinds).to.deep.equal(['trip', 'reset', 'trip'])
  })

  it('ends what this replica judged for itself at once', () => {
    const alone = new Driven().round().round({ evidence: { ...DEAD, peers: { saw: 3, bad: 1 } } })
    expect(alone.state.isolated).to.equal(true)
    expect(alone.command(RESET).state.isolated).to.equal(false)
    const observing = new Driven().round().round({ evidence: FAILING, policy: 'observe' })
    expect(observing.state.wouldTrip).to.deep.include({ cause: 'error_rate' })
    expect(observing.command(RESET).state.wouldTrip).to.equal(null)
    const unusable = { standby: { unusable: true, why: 'http_status 401' } }
    const both = new Driven().round().round({ evidence: { ...FAILING, ...unusable } })
    expect(both.state.bothSick).to.equal(true)
    expect(both.command(RESET).state.bothSick).to.equal(false)
  })

  it('forgets what was gathered up to its very instant', () => {
    for (const evidence of [FAILING, DEAD]) {
      const replica = new Driven().round().command(RESET)
      replica.tick({ evidence: { ...evidence, at: replica.now } })
      expect(replica.auto).to.equal('normal')
    }
  })

  it('is tried again after a lost race, though a trigger that came later is over', () => {
    const replica = fallen()
    replica.command(RESET).command(all({ ttlSeconds: 2 }))
    replica.tick({ evidence: CALM })
    replica.fail(1)
    replica.pass(3000).tick({ store: FAILED, evidence: CALM })
    expect(replica.known.manual.scope).to.equal('none')
    replica.files.put({ ...replica.files.stored, revision: 9, replica: 'r2' })
    replica.round({ evidence: CALM })
    expect(replica.auto).to.equal('normal')
  })

  it('makes an earlier trigger moot that is not in the store yet, and tells both', () => {
    const replica = new Driven().round().command(all()).command(RESET)
    replica.files.put({ ...replica.files.stored, revision: 7, replica: 'r2' })
    replica.round()
    expect(replica.files.stored).to.deep.include({ revision: 8, manual: { scope: 'none' } })
    expect(replica.kinds).to.deep.equal(['triggered', 'reset'])
  })
})

describe('commands that come while another is being written', () => {
  it('begin no new evidence, and are kept up to a bound', () => {
    const replica = new Driven().round().command(all({ orgIds: ['first'] }))
    const write = replica.tick({ evidence: CALM })
    replica.command(all({ orgIds: ['second'] }))
    replica.write(write)
    expect(replica.has('restart_evidence')).to.equal(false)
    for (let count = 0; count < 150; count += 1) replica.command(all({ orgIds: [`o${count}`] }))
    expect(replica.state.commands).to.have.length(100)
  })
})

describe('a command whose race was lost', () => {
  it('is tried again on top of what the other replica wrote', () => {
    const replica = new Driven().round().command(all())
    const effects = replica.tick()
    replica.files.put({ ...replica.files.stored, trips: 3, revision: 1, replica: 'r2' })
    expect(replica.write(effects)).to.equal(false)
    replica.round()
    expect(replica.files.stored).to.deep.include({
      revision: 2,
      trips: 3,
      manual: { scope: 'all', reason: 'drill' },
    })
    expect(replica.kinds).to.deep.equal(['triggered'])
  })

  it('is told once, also where its write failed before', () => {
    const replica = new Driven().round().command(all())
    replica.tick()
    replica.fail()
    expect(replica.kinds).to.deep.equal(['triggered'])
    replica.files.put({ ...replica.files.stored, revision: 4, replica: 'r2' })
    replica.pass(2000).round()
    expect(replica.files.stored.manual.scope).to.equal('all')
    expect(replica.kinds).to.deep.equal(['triggered'])
  })

  it('is a reset that is told once too, and ends what the other wrote', () => {
    const replica = fallen().command(RESET)
    replica.tick({ evidence: CALM })
    replica.fail()
    replica.files.put({ ...replica.files.stored, trips: 4, revision: 8, replica: 'r2' })
    replica.pass(2000).round({ evidence: CALM })
    expect(replica.files.stored).to.deep.include({ revision: 9, trips: 0, auto: { state: 'normal' } })
    expect(replica.kinds).to.deep.equal(['trip', 'reset'])
  })

  it('is not tried once more when it was in the store', () => {
    const replica = new Driven().round().command(RESET)
    const effects = replica.tick()
    // A trigger comes while the reset is being written.
    replica.command(all()).write(effects)
    expect(replica.kinds).to.deep.equal(['reset'])
    replica.files.put({ ...replica.files.stored, trips: 2, revision: 5, replica: 'r2' })
    replica.round()
    expect(replica.files.stored).to.deep.include({
      revision: 6,
      trips: 2,
      manual: { scope: 'all', reason: 'drill' },
    })
    expect(replica.kinds).to.deep.equal(['reset', 'triggered'])
  })
})
