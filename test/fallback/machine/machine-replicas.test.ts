import { expect } from 'chai'
import { NEUTRAL } from '../../../src/store/override/override.js'
import { CALM, DEAD, Driven, FAILED, FAILING, Files, fallen, QUIET, WELL } from './driven.js'

/** Two replicas on the same files; the first has tripped, and both have seen it. */
function pair(): { readonly files: Files; readonly first: Driven; readonly second: Driven } {
  const files = new Files()
  const second = new Driven(files, 'r2', { origin: 9e6, wallOffset: -86_400_000 })
  second.round()
  const first = fallen(files, 'r1')
  second.pass(1500).round()
  return { files, first, second }
}

describe('replicas on one store', () => {
  it('follow each other, and tell of it as another’s', () => {
    const { files, second } = pair()
    expect(second.auto).to.equal('fallback')
    expect(second.known).to.deep.equal(files.stored)
    expect(second.adopted.map(({ from, to, replica }) => [from, to, replica])).to.deep.equal([
      ['normal', 'fallback', 'r1'],
    ])
    expect(second.reports).to.deep.equal([])
  })

  it('judge the same: a new state forgets the executions everywhere', () => {
    const { second } = pair()
    expect(second.state.epoch.executionsAt).to.equal(second.now)
  })

  it('let the holder of the lease recover, and nobody else', () => {
    const { first, second } = pair()
    for (let second_ = 0; second_ < 40; second_ += 1) {
      first.pass(999).round()
      second.pass(999).round()
    }
    expect(first.kinds).to.include('recovery_begun')
    expect(second.kinds).to.not.include('recovery_begun')
    expect(second.auto).to.equal('recovering 5')
  })

  it('wait for as long as the holder renews its lease, though it does not move', () => {
    const { second, files } = pair()
    for (let count = 0; count < 20; count += 1) {
      files.lease = { kind: 'lease', hash: files.hash(), owner: 'r1#n' }
      second.rounds(5)
    }
    expect(second.auto).to.equal('fallback')
    expect(second.has('write')).to.equal(false)
  })

  it('count a lease from when it was asked for, not from when they hear that it was written', () => {
    const replica = new Driven().round().pass(1000)
    const effects = replica.tick({ evidence: FAILING })
    const askedAt = replica.now
    replica.pass(4000).write(effects)
    expect(replica.state.lease.renewedAt).to.equal(askedAt)
  })

  it('take over from a holder that is gone, when its lease has expired', () => {
    const { second } = pair()
    second.rounds(14)
    expect(second.state.lease.owner).to.equal('r1#n')
    second.rounds(2)
    expect(second.state.lease.owner).to.equal('r2#n')
    second.rounds(30)
    expect(second.auto).to.equal('recovering 5')
  })

  it('take over from a holder that stays unhealthy after its hold, only when they are well', () => {
    const { first, second } = pair()
    for (let count = 0; count < 50; count += 1) {
      first.pass(999).round({ evidence: DEAD })
      second.pass(999).round({ evidence: DEAD })
    }
    expect(second.state.lease.owner).to.equal('r1#n')
    second.rounds(2, { evidence: CALM })
    expect(second.state.lease.owner).to.equal('r2#n')
  })

  it('do nothing more when they hear that the lease is written', () => {
    const replica = fallen()
    const { now, wall } = replica
    expect(replica.input({ kind: 'lease_written', now, wall, hash: 'h', owner: 'r1#n' })).to.deep.equal([])
  })

  it('let the lease go in normal', () => {
    const { first, files } = pair()
    first.rounds(130)
    expect(first.auto).to.equal('normal')
    expect(files.lease).to.deep.include({ owner: null })
  })

  it('hold back one that believes in its lease for less than others wait', () => {
    const { first, second } = pair()
    // It sleeps over the end of its lease; the next thing it does is a tick.
    second.rounds(60)
    first.pass(60_000).tick()
    expect(first.kinds).to.not.include('recovery_begun')
    expect(first.has('write')).to.equal(false)
  })
})

describe('a replica that alone lost the runtime', () => {
  const recoverWithout = () => {
    const both = pair()
    both.second.rounds(31, { evidence: DEAD })
    both.first.rounds(32)
    expect(both.first.auto).to.equal('recovering 5')
    both.second.pass(1000).round({ evidence: DEAD })
    return both
  }

  it('stays direct for its own turns, and writes nothing', () => {
    const { second, files } = recoverWithout()
    expect(second.state.isolated).to.equal(true)
    expect(second.known.auto.state).to.equal('recovering')
    second.rounds(100, { evidence: DEAD })
    expect(files.stored).to.deep.include({ replica: 'r1', revision: 2 })
  })

  it('keeps so when the others are normal', () => {
    const { first, second } = recoverWithout()
    first.rounds(100)
    second.rounds(2, { evidence: DEAD })
    expect(second.auto).to.equal('normal')
    expect(second.state.isolated).to.equal(true)
  })

  it('joins them when it was healthy once', () => {
    const { second } = recoverWithout()
    second.rounds(1, { evidence: CALM })
    expect(second.state.isolated).to.equal(true)
    second.rounds(1, { evidence: { ...WELL, probe: DEAD.probe } })
    expect(second.state.isolated).to.equal(true)
    second.rounds(1, { evidence: WELL })
    expect(second.state.isolated).to.equal(false)
  })

  it('joins them in a quiet time too', () => {
    const { second } = recoverWithout()
    second.rounds(1, { evidence: QUIET })
    expect(second.state.isolated).to.equal(false)
  })

  it('may trip for all again when it has joined them', () => {
    const { second, files } = recoverWithout()
    second.rounds(1, { evidence: WELL }).rounds(1, { evidence: DEAD })
    expect(files.stored).to.deep.include({ replica: 'r2', trips: 2 })
  })

  it('is with the others again in the next fallback, a reset, or under policy off', () => {
    const fallback = recoverWithout()
    fallback.first.pass(1000).round({ evidence: FAILING })
    fallback.second.rounds(1, { evidence: DEAD })
    expect(fallback.second.state.isolated).to.equal(false)
    const reset = recoverWithout()
    reset.first.command({ kind: 'reset', userId: 'admin' }).round({ evidence: CALM })
    reset.second.pass(1000).tick({ evidence: DEAD })
    expect(reset.second.state.isolated).to.equal(false)
    const off = recoverWithout()
    off.second.pass(1000).tick({ evidence: DEAD, policy: 'off' })
    expect(off.second.state.isolated).to.equal(false)
  })

  it('is told by its failing executions as well as by its probes', () => {
    const both = pair()
    both.second.rounds(31, { evidence: FAILING })
    both.first.rounds(32)
    both.second.pass(1000).round({ evidence: FAILING })
    expect(both.second.state.isolated).to.equal(true)
  })

  it('is not sent along by a manual fallback whose time is over', () => {
    const files = new Files()
    const first = new Driven(files, 'r1').round()
    const second = new Driven(files, 'r2').round()
    first.command({ kind: 'trigger', userId: 'a', reason: '', ttlSeconds: 20 }).round()
    const dead = { ...DEAD, runtimeTurnAgoMs: null }
    second.rounds(2, { evidence: dead })
    first.rounds(21)
    expect(first.auto).to.equal('recovering 5')
    second.rounds(1, { evidence: dead })
    expect(second.state.isolated).to.equal(true)
  })
})

const orgs = (n: number) =>
  ({ scope: 'orgs', target: { kind: 'orgs', orgIds: [`org-${n}`] }, reason: 'race' }) as const

describe('a replica that reads a new state while executions fail here', () => {
  it('does not judge once more by what a reset ended', () => {
    const replica = new Driven().round().pass(1000)
    replica.files.put({ ...NEUTRAL, revision: 3, actor: 'manual', evidenceSince: 9, replica: 'r2' })
    replica.round({ evidence: FAILING })
    expect(replica.auto).to.equal('normal')
    expect(replica.files.stored.revision).to.equal(3)
  })

  it('goes with the others where it is well itself, and stays behind where it is not', () => {
    for (const [evidence, isolated] of [
      [CALM, false],
      [FAILING, true],
    ] as const) {
      const files = new Files()
      const first = fallen(files, 'r1')
      const second = new Driven(files, 'r2').round({ evidence: CALM })
      first.rounds(30)
      second.pass(1000)
      expect(first.auto).to.equal('recovering 5')
      second.tick({ evidence })
      expect([second.auto, second.state.isolated]).to.deep.equal(['recovering 5', isolated])
    }
  })
})

describe('a lost race', () => {
  it('drops what was pending, and trips again where the breach still holds', () => {
    const files = new Files()
    const first = new Driven(files, 'r1').round()
    const second = new Driven(files, 'r2').round()
    const gathered = { ...FAILING, at: first.now + 1000 }
    const effects = first.pass(1001).tick({ evidence: gathered })
    second.command({ kind: 'trigger', userId: 'a', reason: 'by hand', orgIds: ['a'] }).round()
    expect(first.write(effects)).to.equal(false)
    first.round({ evidence: gathered })
    expect(files.stored).to.deep.include({ revision: 2, trips: 1, replica: 'r1' })
    expect(files.stored.manual.scope).to.equal('orgs')
    expect(first.kinds).to.deep.equal(['trip'])
  })

  it('is judged by the executions that it was decided by, for as long as others win', () => {
    const files = new Files()
    files.put({ ...NEUTRAL, evidenceSince: 7, revision: 4 })
    const replica = new Driven(files, 'r1').round().pass(1000)
    replica.tick({ evidence: FAILING })
    for (let revision = 5; revision < 40; revision += 1) {
      files.put({ ...files.stored, revision, replica: 'r2', actor: 'manual', manual: orgs(revision) })
      const effects = replica.pass(1000).tick({ evidence: FAILING })
      expect(replica.auto).to.equal('fallback')
      expect(replica.known.manual).to.deep.equal(orgs(revision))
      expect(effects.map(({ kind }) => kind)).to.not.include('restart_evidence')
    }
    replica.round({ evidence: FAILING })
    expect(files.stored).to.deep.include({ revision: 40, trips: 1, replica: 'r1', manual: orgs(39) })
    expect(replica.has('restart_evidence')).to.equal(true)
    expect(replica.kinds).to.deep.equal(['trip'])
  })

  it('is judged by them also where another state came into force between', () => {
    const files = new Files()
    files.put({ ...NEUTRAL, trips: 1, evidenceSince: 7, revision: 4 })
    const replica = new Driven(files, 'r1').round().pass(1000)
    replica.tick({ evidence: FAILING })
    const gathered = { ...FAILING, at: replica.now - 0.5 }
    for (const revision of [5, 6]) {
      files.put({ ...NEUTRAL, trips: 1, evidenceSince: 9, revision, replica: 'r2' })
      replica.pass(1000).tick({ evidence: gathered })
      expect(replica.auto).to.equal('fallback')
    }
  })

  it('tells of what the others changed, and not that they ended a trip that nobody was told of', () => {
    const files = new Files()
    files.put({ ...NEUTRAL, evidenceSince: 7, revision: 4 })
    const replica = new Driven(files, 'r1').round().pass(1000)
    replica.tick({ evidence: FAILING })
    files.put({ ...files.stored, revision: 5, replica: 'r2' })
    replica.pass(1000).tick({ evidence: FAILING })
    expect(replica.adopted).to.deep.equal([])
    files.put({ ...files.stored, revision: 6, replica: 'r2', actor: 'manual', manual: orgs(6) })
    replica.pass(1000).tick({ evidence: FAILING })
    expect(replica.adopted.map(({ from, to, manualTo }) => [from, to, manualTo])).to.deep.equal([
      ['normal', 'normal', 'orgs'],
    ])
    replica.fail()
    expect(replica.kinds).to.deep.equal(['trip'])
    files.put({ ...files.stored, revision: 7, replica: 'r2' })
    replica.pass(1000).tick({ evidence: CALM })
    expect(replica.adopted.slice(1).map(({ from, to }) => [from, to])).to.deep.equal([['fallback', 'normal']])
  })

  it('leaves the evidence as the others have it: begun anew where their state is new', () => {
    const files = new Files()
    files.put({ ...NEUTRAL, evidenceSince: 7, revision: 4 })
    const replica = new Driven(files, 'r1').round().pass(1000)
    replica.tick({ evidence: FAILING })
    files.put({ ...files.stored, revision: 5, replica: 'r2', trips: 1, evidenceSince: 9 })
    expect(replica.pass(1000).tick({ evidence: CALM })[0]).to.deep.equal({ kind: 'restart_evidence' })
    expect(replica.auto).to.equal('normal')
  })

  it('ends the trip where it is found that it was written after all', () => {
    const files = new Files()
    const replica = new Driven(files, 'r1').round().pass(1000)
    const write = replica.tick({ evidence: FAILING }).find(({ kind }) => kind === 'write')
    if (write?.kind !== 'write') throw new Error('no write')
    replica.fail()
    files.put({ ...write.override, revision: 2, replica: 'r2', actor: 'manual', manual: orgs(1) })
    replica.pass(1000).tick({ evidence: FAILING })
    expect(replica.auto).to.equal('fallback')
    expect(replica.state.store).to.deep.include({ tripped: null, dirtyAt: null })
    expect(replica.has('restart_evidence')).to.equal(true)
  })

  it('drops a trip that a reset came before, also where somebody wrote over the reset', () => {
    const files = new Files()
    files.put({ ...NEUTRAL, evidenceSince: 7, revision: 4 })
    const replica = new Driven(files, 'r1').round().pass(1000)
    replica.tick({ evidence: FAILING })
    const reset = { ...NEUTRAL, revision: 6, replica: 'r2', actor: 'manual', evidenceSince: 9 } as const
    files.put({ ...reset, manual: orgs(1) })
    const gathered = { ...FAILING, at: replica.now }
    replica.pass(1000).round({ evidence: gathered })
    expect(replica.auto).to.equal('normal')
    expect(files.stored.revision).to.equal(6)
    replica.pass(1000).round({ evidence: FAILING })
    expect(replica.auto, 'by fresh evidence').to.equal('fallback')
  })

  it('drops a trip that such a reset came before where none was before that', () => {
    const files = new Files()
    files.put({ ...NEUTRAL, revision: 4 })
    const replica = new Driven(files, 'r1').round().pass(1000)
    replica.tick({ evidence: FAILING })
    const gathered = { ...FAILING, at: replica.now }
    files.put({ ...NEUTRAL, revision: 6, replica: 'r2', actor: 'manual', evidenceSince: 9, manual: orgs(1) })
    replica.pass(1000).round({ evidence: gathered })
    expect(replica.auto).to.equal('normal')
  })

  it('leaves the others’ recovery alone where they fell back and recovered meanwhile', () => {
    const files = new Files()
    const cutOff = new Driven(files, 'r1').round()
    const other = new Driven(files, 'r2').round()
    cutOff.pass(1000).tick({ evidence: FAILING })
    cutOff.fail()
    other.pass(1000).round({ evidence: FAILING }).rounds(31)
    expect(other.auto).to.equal('recovering 5')
    cutOff.pass(31_000).tick({ evidence: FAILING, store: FAILED, provider: { ready: false } })
    expect(cutOff.auto).to.equal('fallback')
    // The outage's leftovers are in its window still.
    cutOff.pass(1000).round({ evidence: FAILING })
    expect(files.stored).to.deep.include({ replica: 'r2', trips: 1 })
    expect(cutOff.state.isolated).to.equal(true)
    expect(cutOff.has('restart_evidence')).to.equal(true)
    cutOff.rounds(1, { evidence: WELL })
    expect(cutOff.state.isolated).to.equal(false)
  })

  for (const [by, evidence] of [
    ['executions', FAILING],
    ['probes', DEAD],
  ] as const)
    it(`trips by ${by} on what is read first, though the last that was written there was a reset`, () => {
      const files = new Files()
      files.put({ ...NEUTRAL, revision: 6, replica: 'r2', actor: 'manual', evidenceSince: 9 })
      const replica = new Driven(files, 'r1').pass(1000)
      const gathered = { ...evidence, at: replica.now + 0.5 }
      replica.tick({ evidence: gathered, store: FAILED, provider: { ready: false } })
      expect(replica.auto).to.equal('fallback')
      replica.pass(1000).round({ evidence: gathered, provider: { ready: false } })
      expect(files.stored).to.deep.include({ replica: 'r1', revision: 7, trips: 1 })
    })

  it('drops a trip over which a person wrote by hand, or that a reset of its own ended', () => {
    const byHand = new Driven(new Files(), 'r1').round().pass(1000)
    byHand.tick({ evidence: FAILING })
    byHand.files.override = { kind: 'hand_edit', hash: 'edit', edit: { kind: 'reset' }, revision: 0 }
    byHand.pass(1000).tick({ evidence: CALM })
    expect(byHand.state.store.tripped).to.equal(null)
    expect(byHand.auto).to.equal('normal')
    const byCommand = new Driven(new Files(), 'r1').round().pass(1000)
    byCommand.tick({ evidence: FAILING })
    byCommand.command({ kind: 'reset', userId: 'admin' })
    expect(byCommand.state.store.tripped).to.equal(null)
    byCommand.files.put({ ...NEUTRAL, revision: 5, replica: 'r2', manual: orgs(1) })
    byCommand.pass(1000).round({ evidence: CALM })
    expect(byCommand.auto).to.equal('normal')
  })

  it('drops a trip whose breach is over', () => {
    const files = new Files()
    const first = new Driven(files, 'r1').round().pass(1000)
    first.tick({ evidence: FAILING })
    files.put({ ...files.stored, trips: 2, revision: 1, replica: 'r2', evidenceSince: 7 })
    first.pass(1000).round({ evidence: CALM })
    expect(first.auto).to.equal('normal')
    expect(files.stored.revision).to.equal(1)
  })

  it('drops a trip that a reset came before', () => {
    const files = new Files()
    const first = new Driven(files, 'r1').round()
    const second = new Driven(files, 'r2').round()
    const gathered = { ...FAILING, at: first.now + 1000 }
    const effects = first.pass(1001).tick({ evidence: gathered })
    second.command({ kind: 'reset', userId: 'a' }).round({ evidence: CALM })
    expect(first.write(effects)).to.equal(false)
    first.round({ evidence: gathered })
    expect(first.auto).to.equal('normal')
    expect(first.has('reset_health') || first.state.epoch.healthAt !== null).to.equal(true)
  })

  it('adopts the other’s trip where both tripped', () => {
    const files = new Files()
    const first = new Driven(files, 'r1').round()
    const second = new Driven(files, 'r2').round()
    const effects = first.pass(1000).tick({ evidence: FAILING })
    second.pass(1000).round({ evidence: DEAD })
    expect(first.write(effects)).to.equal(false)
    first.round({ evidence: FAILING })
    expect(first.known).to.deep.equal(files.stored)
    expect(files.stored).to.deep.include({ revision: 1, trips: 1, replica: 'r2' })
  })

  it('gives a move towards the runtime up', () => {
    const { files, first, second } = pair()
    first.rounds(29)
    const effects = first.pass(1000).tick()
    second.command({ kind: 'trigger', userId: 'a', reason: 'by hand' }).round()
    expect(first.write(effects)).to.equal(false)
    first.round({ evidence: CALM })
    expect(first.auto).to.equal('fallback')
    expect(files.stored).to.deep.include({ revision: 2, replica: 'r2' })
  })

  it('is told of by nobody but who won it', () => {
    const files = new Files()
    const first = new Driven(files, 'r1').round()
    const second = new Driven(files, 'r2').round()
    const effects = first.pass(1000).tick({ evidence: FAILING })
    second.pass(1000).round({ evidence: FAILING })
    first.write(effects)
    first.round()
    expect(first.kinds).to.deep.equal([])
    expect(second.kinds).to.deep.equal(['trip'])
  })
})

describe('clocks that disagree', () => {
  it('leave the hold as long as it was decided, on each replica', () => {
    const { second } = pair()
    const { holdUntilAt } = second.state.timers
    expect(Math.round(((holdUntilAt ?? 0) - second.now) / 1000)).to.equal(30)
  })

  it('leave it so for who starts later, after another replica wrote', () => {
    const { files, second } = pair()
    second.rounds(10, { evidence: CALM })
    second.command({ kind: 'trigger', userId: 'a', reason: 'by hand' }).round({ evidence: CALM })
    expect(files.stored.replica).to.equal('r2')
    const third = new Driven(files, 'r3', { origin: 3, wallOffset: 5e7 }).round()
    expect(Math.round(((third.state.timers.holdUntilAt ?? 0) - third.now) / 1000)).to.equal(20)
  })

  it('let a step of the ramp that waited for the store count from when all could see it', () => {
    const replica = new Driven()
      .round()
      .command({ kind: 'trigger', userId: 'a', reason: '', ttlSeconds: 5 })
      .round()
    replica.pass(5000).tick({ evidence: CALM })
    replica.fail()
    replica.pass(20_000).round({ evidence: CALM })
    expect(replica.auto).to.equal('recovering 5')
    replica.rounds(28)
    expect(replica.auto).to.equal('recovering 5')
    replica.rounds(4)
    expect(replica.auto).to.equal('recovering 25')
  })
})
