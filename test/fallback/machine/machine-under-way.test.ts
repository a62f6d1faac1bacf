import { expect } from 'chai'
import type { Effect } from '../../../src/fallback/machine/state.js'
import { NEUTRAL, type Override } from '../../../src/store/override/override.js'
import { CALM, Driven, FAILING, fallen, GUARDRAILS, recovering, WELL } from './driven.js'

type Write = Extract<Effect, { kind: 'write' }>

const trigger = { kind: 'trigger', userId: 'ada', reason: 'drill' } as const

/** What the last step wants written. */
function writeOf({ effects }: Driven): Write {
  const write = effects.find((effect): effect is Write => effect.kind === 'write')
  if (write === undefined) throw new Error('nothing is written')
  return write
}

/** Hears only now that this write, which began earlier, is in the store. */
function finish(replica: Driven, { override, version }: Write): Driven {
  const { now, wall, files } = replica
  files.put(override)
  const { revision } = override
  replica.input({
    kind: 'written',
    now,
    wall,
    hash: files.content,
    revision,
    version,
    guardrails: GUARDRAILS,
  })
  return replica
}

describe('a command that comes while a trip is being written', () => {
  function commanded(): Driven {
    const replica = new Driven().round().pass(1000)
    replica.tick({ evidence: FAILING })
    const write = writeOf(replica)
    return finish(replica.command(trigger).pass(20), write)
  }

  it('goes on top of the trip, under the next revision, and is told when it is there itself', () => {
    const replica = commanded()
    expect(replica.kinds).to.deep.equal(['trip'])
    expect(replica.files.stored).to.deep.include({ revision: 1, manual: { scope: 'none' } })
    expect(replica.state.proof).to.equal(null)
    replica.pass(1000).round({ evidence: CALM })
    expect(replica.files.stored).to.deep.include({ revision: 2, trips: 1 })
    expect(replica.files.stored.manual.scope).to.equal('all')
    expect(replica.reports.map(({ kind, revision }) => [kind, revision])).to.deep.equal([
      ['trip', 1],
      ['triggered', 2],
    ])
  })

  it('leaves the trip in the store for what it is: its evidence is over', () => {
    const replica = commanded()
    expect(replica.has('restart_evidence')).to.equal(true)
    expect(replica.state.store.tripped).to.equal(null)
    const { since } = replica.state.epoch
    replica.files.put({ ...NEUTRAL, revision: 2, trips: 1, evidenceSince: since ?? 0, replica: 'r2' })
    replica.pass(1000).tick({ evidence: { ...FAILING, at: replica.now - 1000 } })
    expect(replica.auto, 'what it tripped by does not count again').to.equal('normal')
  })

  it('is tried again where another replica wrote over the trip, and not where it is in the store', () => {
    const replica = commanded()
    replica.files.put({ ...replica.files.stored, revision: 2, replica: 'r2' })
    replica.pass(1000).round({ evidence: CALM })
    expect(replica.files.stored).to.deep.include({ revision: 3 })
    expect(replica.files.stored.manual.scope).to.equal('all')
    replica.files.put({ ...replica.files.stored, manual: { scope: 'none' }, revision: 4, replica: 'r2' })
    replica.pass(1000).round({ evidence: CALM })
    expect(replica.known.manual.scope).to.equal('none')
    expect(replica.kinds).to.deep.equal(['trip', 'triggered'])
  })
})

describe('a trip with a command on top of it, neither of them in the store', () => {
  it('is judged again by what it was decided by, where another replica wrote first', () => {
    const replica = new Driven()
    replica.files.put({ ...NEUTRAL, evidenceSince: 7, revision: 4 })
    replica.round().pass(1000).tick({ evidence: FAILING })
    const gathered = { ...FAILING, at: replica.now - 0.5 }
    replica.command(trigger)
    replica.files.put({ ...replica.files.stored, revision: 5, replica: 'r2' })
    replica.tick({ evidence: gathered })
    expect(replica.auto).to.equal('fallback')
    expect(replica.known.manual.scope).to.equal('all')
  })
})

describe('a move towards the runtime', () => {
  it('is proved by its own revision from when it was written', () => {
    const replica = fallen().rounds(30)
    const decidedAt = replica.now
    expect(replica.auto).to.equal('recovering 5')
    expect(replica.files.stored.actor).to.equal('auto')
    expect(replica.state.proof).to.deep.equal({
      revision: replica.files.stored.revision,
      decidedAt,
      seenAt: null,
      waitingSinceAt: null,
      rewritten: false,
      alerted: false,
    })
    replica.rounds(6, { provider: { ready: true }, evidence: CALM })
    expect(replica.state.proof, 'written once more before the alert').to.deep.include({
      rewritten: true,
      alerted: false,
      decidedAt,
    })
  })

  it('leaves a command for its own write, that was given while the move was written', () => {
    const replica = fallen().rounds(29)
    let write: Write | undefined
    for (let second = 0; second < 5 && write === undefined; second += 1) {
      replica.pass(999)
      const effects = replica.tick({ evidence: WELL })
      write = effects.find((effect): effect is Write => effect.kind === 'write')
      if (write === undefined) replica.write(effects)
    }
    if (write === undefined) throw new Error('no move')
    finish(replica.command(trigger).pass(20), write)
    const { revision } = write.override
    expect(replica.auto).to.equal('recovering 5')
    expect(replica.known).to.deep.include({ revision: revision + 1 })
    replica.pass(1000).round({ evidence: CALM })
    expect(replica.files.stored.manual.scope).to.equal('all')
    expect(replica.files.stored.auto.state).to.equal('recovering')
    expect(replica.kinds).to.deep.equal(['trip', 'recovery_begun', 'triggered'])
  })

  it('is followed, long after, by trips that are forgotten in the name of the automatic layer', () => {
    const replica = recovering()
    replica.rounds(125)
    expect(replica.auto).to.equal('normal')
    replica.pass(GUARDRAILS.maxHoldSeconds * 1000).round()
    replica.round()
    const stored: Override = replica.files.stored
    expect(stored).to.deep.include({ trips: 0, actor: 'auto' })
  })
})
