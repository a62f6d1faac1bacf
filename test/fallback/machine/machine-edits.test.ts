import { expect } from 'chai'
import type { StoreSeen } from '../../../src/fallback/machine/state.js'
import { NEUTRAL, type Override } from '../../../src/store/override/override.js'
import { CALM, DEAD, Driven, FAILED, FAILING, Files, fallen } from './driven.js'

type Edit = Omit<Extract<StoreSeen, { kind: 'hand_edit' }>, 'kind' | 'hash'>

const FALLEN: Override = fallen().files.stored
const all = { scope: 'all', reason: 'by hand' } as const
const orgs = (...orgIds: string[]) => ({
  scope: 'orgs' as const,
  target: { kind: 'orgs' as const, orgIds },
  reason: 'drill',
})
const trigger = (part: object = {}) => ({ kind: 'trigger', userId: 'ada', reason: 'drill', ...part }) as const

/** A round in which the file holds this edit. */
function edited(replica: Driven, part: Edit): Driven {
  replica.files.override = { kind: 'hand_edit', hash: replica.files.hash(), ...part }
  return replica.round({ evidence: CALM })
}

describe('words that a person changes in the file beside the state', () => {
  const triggered = () =>
    new Driven()
      .round()
      .command(trigger({ ttlSeconds: 60 }))
      .round()
  const worded = (part: object): Driven => {
    const replica = triggered()
    const override = { ...replica.known, manual: { ...replica.known.manual, ...part } } as Override
    return edited(replica, { edit: { kind: 'reset' }, revision: 1, override })
  }

  it('are a person’s word about a manual layer, each by itself', () => {
    const renamed = worded({ reason: 'other' })
    expect(renamed.kinds).to.deep.equal(['triggered', 'hand_edit'])
    expect(renamed.files.stored.manual).to.deep.include({ reason: 'other' })
    const replica = triggered()
    const until = replica.wall + 600_000
    const longer = worded({ until })
    expect(longer.kinds).to.deep.equal(['triggered', 'hand_edit'])
    expect(longer.files.stored.manual).to.deep.include({ reason: 'drill', until })
  })

  it('are none where the manual layer has the words that it had', () => {
    const same = worded({})
    expect(same.kinds).to.deep.equal(['triggered'])
    expect(same.files.stored).to.deep.include({ revision: 2, actor: 'manual' })
  })

  it('do not take the place of a command that is not in the store yet', () => {
    const replica = new Driven().round().command(trigger()).round()
    const { known } = replica
    replica.command(trigger({ reason: 'second' })).tick()
    replica.fail()
    edited(replica.pass(1000), { edit: { kind: 'reset' }, revision: 1, override: known })
    expect(replica.files.stored.manual).to.deep.include({ reason: 'second' })
  })

  it('are read with the state beside them, where that is new here', () => {
    const starting = edited(new Driven(), { edit: { kind: 'reset' }, override: { ...FALLEN, revision: 9 } })
    expect(starting.auto).to.equal('fallback')
    expect(starting.files.stored).to.deep.include({ revision: 10, trips: 1 })
    const later = edited(new Driven().round(), {
      edit: { kind: 'reset' },
      override: { ...FALLEN, revision: 9 },
    })
    expect(later.auto).to.equal('fallback')
    expect(later.files.stored).to.deep.include({ revision: 10, trips: 1 })
  })

  it('are an edit of the state where they stand in an older document', () => {
    const replica = fallen().rounds(125)
    expect(replica.known.revision).to.equal(5)
    edited(replica, {
      edit: { kind: 'manual', manual: all },
      revision: 1,
      override: { ...FALLEN, revision: 1 },
    })
    expect(replica.files.stored.manual.scope).to.equal('all')
    expect(replica.kinds.at(-1)).to.equal('hand_edit')
  })
})

describe('the end of a manual layer that a person edits', () => {
  const manualAfter = (edit: object): Driven => {
    const replica = new Driven()
      .round()
      .command(trigger({ orgIds: ['a'], ttlSeconds: 60 }))
      .round()
    return edited(replica, { edit: { kind: 'manual', manual: { ...orgs('a', 'b'), ...edit } } })
  }

  it('is the one that the person wrote, or none', () => {
    const replica = manualAfter({ until: Date.UTC(2026, 0, 1) + 600_000 })
    replica.rounds(120)
    expect(replica.known.manual.scope).to.equal('orgs')
    expect(manualAfter({}).rounds(120).known.manual.scope).to.equal('orgs')
  })

  it('stays absent where there was none', () => {
    const replica = new Driven().round().command(trigger()).round()
    edited(replica, { edit: { kind: 'manual', manual: orgs('a') } })
    expect(replica.known.manual).to.deep.equal(orgs('a'))
  })
})

describe('a file that says the same in other bytes', () => {
  it('drops nothing that is pending', () => {
    const replica = new Driven().round().pass(1000)
    replica.tick({ evidence: FAILING })
    const tripped = replica.now
    replica.fail()
    replica.files.put(NEUTRAL)
    replica.pass(1000).round({ evidence: CALM })
    expect(replica.auto).to.equal('fallback')
    expect(replica.files.stored).to.deep.include({ revision: 1, trips: 1 })
    expect(replica.kinds).to.deep.equal(['trip'])
    expect(replica.state.timers.autoSinceAt, 'the fallback began with the trip').to.equal(tripped)
  })

  it('proves nothing anew', () => {
    const replica = fallen().pass(1000)
    replica.tick({ evidence: CALM })
    const { proof } = replica.state
    expect(proof?.seenAt).to.equal(replica.now)
    replica.files.put(replica.files.stored)
    replica.pass(1000).round({ evidence: CALM })
    expect(replica.state.proof).to.deep.equal(proof)
  })
})

describe('a file older than what the provider showed', () => {
  const provider = { ready: true, override: { ...FALLEN, revision: 57 } }

  it('is no edit of a person, whether this replica read a file before or not', () => {
    for (const replica of [new Driven(), new Driven().round().pass(1000)]) {
      replica.tick({ store: FAILED, provider })
      expect(replica.auto).to.equal('fallback')
      replica.files.put({ ...NEUTRAL, revision: 40, replica: 'r2' })
      replica.pass(1000).round({ provider, evidence: DEAD })
      expect(replica.auto).to.equal('fallback')
      expect(replica.files.stored).to.deep.include({ revision: 58, trips: 1 })
      expect(replica.kinds).to.deep.equal([])
    }
  })

  it('is told where it comes after it, though it is the first that is read', () => {
    const replica = new Driven()
    replica.tick({ store: FAILED, provider })
    expect(replica.adopted).to.deep.equal([])
    replica.files.put({ ...NEUTRAL, revision: 60, replica: 'r2' })
    replica.pass(1000).round({ provider, evidence: CALM })
    expect(replica.adopted.map(({ from, to }) => [from, to])).to.deep.equal([['fallback', 'normal']])
  })

  it('is a person’s edit where the file is one, which counts above what the provider shows', () => {
    const replica = new Driven().round()
    replica.files.override = { kind: 'hand_edit', hash: 'edit', edit: { kind: 'manual', manual: all } }
    replica.pass(1000).round({ provider, evidence: CALM })
    expect(replica.files.stored).to.deep.include({ revision: 58, manual: all })
    expect(replica.auto).to.equal('normal')
    expect(replica.kinds).to.deep.equal(['hand_edit'])
  })
})

describe('a command before the file was read', () => {
  it('joins what is in a file of revision 0', () => {
    const files = new Files()
    files.put({ ...NEUTRAL, manual: orgs('b') })
    new Driven(files).command(trigger({ orgIds: ['a'] })).round()
    expect(files.stored.manual).to.deep.include({ target: { kind: 'orgs', orgIds: ['a', 'b'] } })
  })

  it('is told when it is written, which waits for those who know more where the file is away', () => {
    const files = new Files()
    files.override = { kind: 'missing' }
    const replica = new Driven(files).command(trigger()).round()
    const begun = replica.now
    expect(replica.kinds).to.deep.equal([])
    replica.pass(begun + 1998 - replica.now).tick()
    expect(replica.has('write')).to.equal(false)
    expect(replica.kinds).to.deep.equal([])
    replica.round()
    expect(replica.now - begun).to.equal(2000)
    expect(replica.kinds).to.deep.equal(['triggered'])
  })
})

describe('a file that cannot be read for a moment', () => {
  const store: StoreSeen = { kind: 'unparsable', hash: 'torn', detail: 'line 3: no JSON' }

  it('is left alone where it is mended within two seconds', () => {
    const replica = fallen()
    replica.tick({ store, evidence: CALM })
    replica.pass(1000).tick({ store, evidence: CALM })
    replica.pass(900).round({ evidence: CALM })
    expect(replica.has('write')).to.equal(false)
    expect(replica.files.stored.revision).to.equal(1)
    expect(replica.state.store.dirtyAt).to.equal(null)
  })

  it('is replaced after exactly two seconds, with a copy kept, as no other file is', () => {
    const replica = fallen()
    replica.tick({ store, evidence: CALM })
    replica.pass(1998).tick({ store, evidence: CALM })
    expect(replica.has('write')).to.equal(false)
    replica.tick({ store, evidence: CALM })
    expect(replica.effects.find(({ kind }) => kind === 'write')).to.deep.include({ keepAside: true })
    const other = fallen().command(trigger())
    other.tick()
    expect(other.effects.find(({ kind }) => kind === 'write')).to.deep.include({ keepAside: false })
  })

  it('is missed no more when another replica has written it', () => {
    const replica = fallen()
    replica.tick({ store: { kind: 'missing' }, evidence: CALM })
    expect(replica.state.store.missing).to.equal(true)
    replica.files.put({ ...FALLEN, revision: 7, replica: 'r2' })
    replica.tick({ evidence: CALM })
    expect(replica.state.store.missing).to.equal(false)
  })
})
