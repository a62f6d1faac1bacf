import { expect } from 'chai'
import type { StoreSeen } from '../../../src/fallback/machine/state.js'
import { NEUTRAL, type Override } from '../../../src/store/override/override.js'
import { CALM, DEAD, Driven, FAILED, FAILING, Files, fallen, LATE } from './driven.js'

const FALLEN: Override = fallen().files.stored
const unparsable = (hash: string): StoreSeen => ({ kind: 'unparsable', hash, detail: 'line 3: no JSON' })
const isWriting = (replica: Driven): boolean => replica.has('write')
const all = { scope: 'all', reason: 'by hand' } as const
const orgs = { scope: 'orgs', target: { kind: 'orgs', orgIds: ['a'] }, reason: 'by hand' } as const

describe('a replica that starts', () => {
  it('takes the state from the file, and tells of no change', () => {
    const files = new Files()
    files.put(FALLEN)
    const replica = new Driven(files, 'r2').round()
    expect(replica.known).to.deep.equal(FALLEN)
    expect(replica.adopted).to.deep.equal([])
    expect(isWriting(replica)).to.equal(false)
  })

  it('runs the hold anew from its own first sight, at most the longest', () => {
    const files = new Files()
    files.put({
      ...FALLEN,
      trips: 6,
      auto: { ...FALLEN.auto, holdUntil: (FALLEN.updatedAt ?? 0) + 5e9 } as Override['auto'],
    })
    const replica = new Driven(files, 'r2', { origin: 77, wallOffset: 86_400_000 }).round()
    expect(replica.state.timers.holdUntilAt).to.equal(replica.now + 900_000)
  })

  it('runs no longer hold than its guardrails make of the trips', () => {
    const files = new Files()
    files.put({
      ...FALLEN,
      auto: { ...FALLEN.auto, holdUntil: (FALLEN.updatedAt ?? 0) + 5e9 } as Override['auto'],
    })
    const replica = new Driven(files, 'r2').round()
    expect(replica.state.timers.holdUntilAt).to.equal(replica.now + 33_000)
  })

  it('is normal where the file is away, and lets those write first who know more', () => {
    const files = new Files()
    files.override = { kind: 'missing' }
    const replica = new Driven(files, 'r2').round()
    expect(replica.auto).to.equal('normal')
    expect(replica.state.store.missing).to.equal(true)
    expect(isWriting(replica)).to.equal(false)
    replica.pass(2000).round()
    expect(files.stored).to.deep.include({ revision: 1, auto: { state: 'normal' } })
    expect(replica.state.store.missing).to.equal(false)
  })

  it('is normal where the file is unreadable JSON, and replaces it in time, with a copy kept', () => {
    const replica = new Driven()
    const store = unparsable('torn')
    replica.tick({ store })
    expect(replica.auto).to.equal('normal')
    replica.pass(3000).tick({ store })
    expect(isWriting(replica)).to.equal(false)
    replica.pass(1100).tick({ store })
    expect(replica.effects.find(({ kind }) => kind === 'write')).to.deep.include({
      keepAside: true,
      expected: 'torn',
    })
  })

  it('takes the provider’s state where the file cannot be read, and writes it where the file is away', () => {
    const provider = { ready: true, override: { ...FALLEN, revision: 57 } }
    const replica = new Driven()
    replica.tick({ store: FAILED, provider })
    expect(replica.known).to.deep.include({ revision: 57 })
    expect(replica.auto).to.equal('fallback')
    expect(replica.state.store.dirtyAt).to.equal(null)
    replica.files.override = { kind: 'missing' }
    replica.round({ provider })
    expect(replica.files.stored).to.deep.include({ revision: 58 })
    expect(replica.files.stored.auto.state).to.equal('fallback')
  })

  it('takes a person’s edit for what it is, above the revision that it left in the file', () => {
    const files = new Files()
    files.override = { kind: 'hand_edit', hash: 'edit', edit: { kind: 'manual', manual: all }, revision: 57 }
    const replica = new Driven(files, 'r2').round({ provider: { ready: false } })
    expect(files.stored).to.deep.include({ revision: 58, manual: all, actor: 'manual' })
    expect(replica.kinds).to.deep.equal(['hand_edit'])
  })

  it('obeys a command before it has read anything, and brings it on top of what is there', () => {
    const files = new Files()
    files.put({ ...FALLEN, revision: 9 })
    const replica = new Driven(files, 'r2').command({ kind: 'trigger', userId: 'admin', reason: 'by hand' })
    expect(replica.known.manual).to.deep.equal(all)
    replica.round()
    expect(files.stored).to.deep.include({ revision: 10, manual: all, trips: 1 })
  })

  it('trips before it has read anything, and brings it in when it can', () => {
    const replica = new Driven()
    replica.tick({ store: FAILED, lease: { kind: 'failed' } })
    replica.pass(1000).tick({ store: FAILED, lease: { kind: 'failed' }, evidence: DEAD })
    expect(replica.auto).to.equal('fallback')
    expect(replica.kinds).to.deep.equal(['trip'])
    replica.files.put({ ...NEUTRAL, revision: 40, replica: 'r2' })
    replica.pass(1000).round({ evidence: DEAD })
    expect(replica.files.stored).to.deep.include({ revision: 41 })
    expect(replica.files.stored.auto.state).to.equal('fallback')
  })
})

describe('a store that fails', () => {
  it('leaves the decision in force, tells of it once, and takes the present state later', () => {
    const replica = new Driven().round().pass(1000)
    replica.tick({ evidence: FAILING })
    replica.fail()
    expect(replica.auto).to.equal('fallback')
    expect(replica.state.store.fault?.code).to.equal('EROFS')
    expect(replica.kinds).to.deep.equal(['trip'])
    replica.command({ kind: 'trigger', userId: 'admin', reason: 'by hand' })
    replica.pass(1000).round()
    expect(replica.files.stored).to.deep.include({ manual: all, trips: 1 })
    expect(replica.state.store).to.deep.include({ dirtyAt: null, fault: null, attempts: 0 })
    expect(replica.kinds).to.deep.equal(['trip', 'triggered'])
  })

  it('is tried again with pauses that double up to half a minute', () => {
    const replica = new Driven().round().pass(1000)
    replica.tick({ evidence: FAILING })
    const pauses: number[] = []
    for (let attempt = 0; attempt < 8; attempt += 1) {
      replica.fail(1)
      pauses.push(replica.state.store.retryAt - replica.now)
      replica.pass(pauses.at(-1) ?? 0).tick()
      expect(isWriting(replica)).to.equal(true)
    }
    expect(pauses).to.deep.equal([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
  })

  it('is left alone during a pause, but for a new decision', () => {
    const replica = new Driven().round().pass(1000)
    replica.tick({ evidence: FAILING })
    replica.fail(1).tick()
    expect(isWriting(replica)).to.equal(false)
    replica.command({ kind: 'reset', userId: 'admin' }).tick({ evidence: CALM })
    expect(isWriting(replica)).to.equal(true)
  })

  it('is told of while it cannot be read, and no longer', () => {
    const replica = fallen()
    replica.tick({ store: FAILED })
    expect(replica.state.store.fault?.code).to.equal('EIO')
    replica.tick()
    expect(replica.state.store.fault).to.equal(null)
  })

  it('keeps the replica from going back to the runtime', () => {
    const replica = fallen().rounds(29)
    for (let second = 0; second < 60; second += 1) {
      replica.pass(999).tick({ store: FAILED, lease: { kind: 'failed' } })
      expect(replica.auto).to.equal('fallback')
    }
  })

  it('is believed to hold what it was told, where it cannot be told whether a write went through', () => {
    const replica = new Driven().round().pass(1000)
    const write = replica.tick({ evidence: FAILING }).find((effect) => effect.kind === 'write')
    if (write?.kind !== 'write') throw new Error('no write')
    replica.files.put(write.override)
    replica.fail().pass(1000).tick()
    expect(replica.state.store.dirtyAt).to.equal(null)
    expect(replica.state.proof).to.deep.include({ revision: 1 })
    expect(isWriting(replica)).to.equal(false)
    expect(replica.kinds).to.deep.equal(['trip'])
  })
})

describe('a store whose read is late', () => {
  const late = { store: LATE, lease: { kind: 'failed' } } as const

  it('is written all the same, upon what was read last', () => {
    const replica = new Driven().round().pass(1000)
    const effects = replica.tick({ ...late, evidence: FAILING })
    expect(effects.find(({ kind }) => kind === 'write')).to.deep.include({ expected: 'h0' })
    expect(replica.kinds, 'told when it is there').to.deep.equal([])
    replica.write(effects)
    expect(replica.files.stored).to.deep.include({ revision: 1, trips: 1 })
    expect(replica.state.store).to.deep.include({ dirtyAt: null, fault: null })
    expect(replica.kinds).to.deep.equal(['trip'])
  })

  it('takes no write where something else is there by now, which is read first', () => {
    const replica = new Driven().round().pass(1000)
    replica.files.put({ ...NEUTRAL, revision: 1, manual: orgs, replica: 'r2' })
    expect(replica.write(replica.tick({ ...late, evidence: FAILING }))).to.equal(false)
    expect(replica.auto).to.equal('fallback')
    replica.round({ evidence: FAILING })
    expect(replica.files.stored).to.deep.include({ revision: 2, manual: orgs, trips: 1 })
  })

  it('is not written before it was read once, nor during a pause, and tells of it then', () => {
    const unread = new Driven().pass(1000)
    unread.tick({ ...late, evidence: DEAD })
    expect(isWriting(unread)).to.equal(false)
    expect(unread.kinds).to.deep.equal(['trip'])
    const paused = new Driven().round().pass(1000)
    paused.tick({ evidence: FAILING })
    paused.fail(1).tick(late)
    expect(isWriting(paused)).to.equal(false)
  })

  it('moves nothing towards the runtime', () => {
    const replica = fallen().rounds(29)
    for (let second = 0; second < 30; second += 1) {
      replica.pass(999).tick(late)
      expect(isWriting(replica)).to.equal(false)
    }
  })

  it('replaces no unreadable file sooner than one that was read', () => {
    const replica = new Driven().round().pass(1000)
    replica.tick({ store: unparsable('a'), evidence: FAILING })
    replica.pass(1000).tick(late)
    expect(isWriting(replica)).to.equal(false)
    replica.pass(1100).tick(late)
    expect(replica.effects.find(({ kind }) => kind === 'write')).to.deep.include({
      expected: 'a',
      keepAside: true,
    })
  })
})

describe('a file that is not as it should be', () => {
  it('is replaced when it stayed unparsable, unchanged, for two seconds', () => {
    const replica = fallen()
    replica.tick({ store: unparsable('a') })
    replica.pass(1500).tick({ store: unparsable('b') })
    replica.pass(1900).tick({ store: unparsable('b') })
    expect(isWriting(replica)).to.equal(false)
    replica.pass(200).tick({ store: unparsable('b') })
    expect(replica.effects.find(({ kind }) => kind === 'write')).to.deep.include({
      expected: 'b',
      keepAside: true,
    })
    expect(replica.state.store.unparsable?.detail).to.equal('line 3: no JSON')
  })

  it('is not replaced sooner for a trip, which acts meanwhile', () => {
    const replica = new Driven().round().pass(1000)
    replica.tick({ store: unparsable('a'), evidence: FAILING })
    expect(replica.auto).to.equal('fallback')
    expect(isWriting(replica)).to.equal(false)
    replica.pass(2100).tick({ store: unparsable('a') })
    expect(isWriting(replica)).to.equal(true)
  })

  it('is written anew at once where it was taken away', () => {
    const replica = fallen()
    replica.files.override = { kind: 'missing' }
    replica.round()
    expect(replica.files.stored).to.deep.include({ revision: 2, trips: 1 })
    expect(replica.files.stored.auto).to.deep.include({ state: 'fallback' })
    expect(replica.kinds).to.deep.equal(['trip'])
  })
})

describe('a person’s edit of the file', () => {
  const edited = (
    replica: Driven,
    part: Omit<Extract<StoreSeen, { kind: 'hand_edit' }>, 'kind' | 'hash'>,
  ): Driven => {
    replica.files.override = { kind: 'hand_edit', hash: replica.files.hash(), ...part }
    return replica.round({ evidence: CALM })
  }

  it('to `on` becomes the manual layer, written back above the highest revision', () => {
    const replica = edited(fallen(), { edit: { kind: 'manual', manual: all }, revision: 1 })
    expect(replica.files.stored).to.deep.include({ revision: 2, manual: all, actor: 'manual', trips: 1 })
    expect(replica.reports.at(-1)).to.deep.include({ kind: 'hand_edit', actor: 'manual', reason: 'by hand' })
  })

  it('to a targeting of their own becomes the manual layer with it', () => {
    const replica = edited(new Driven().round(), { edit: { kind: 'manual', manual: orgs } })
    expect(replica.files.stored.manual).to.deep.equal(orgs)
  })

  it('to `off` is a reset', () => {
    const replica = edited(fallen().command({ kind: 'trigger', userId: 'a', reason: '' }).round(), {
      edit: { kind: 'reset' },
    })
    expect(replica.files.stored).to.deep.include({
      auto: { state: 'normal' },
      manual: { scope: 'none' },
      trips: 0,
    })
    expect(replica.kinds.at(-1)).to.equal('hand_edit')
  })

  it('of texts alone changes nothing but the revision', () => {
    const replica = fallen()
    edited(replica, { edit: { kind: 'manual', manual: all }, revision: 1, override: FALLEN })
    expect(replica.files.stored).to.deep.include({ revision: 2, actor: 'manual' })
    expect(replica.files.stored.auto).to.deep.equal(FALLEN.auto)
    expect(replica.kinds).to.deep.equal(['trip'])
  })

  it('of the words about a manual layer is taken over: its reason, and when it ends', () => {
    const replica = new Driven().round().command({ kind: 'trigger', userId: 'a', reason: 'drill' }).round()
    const manual = { scope: 'all', reason: 'for a minute', until: replica.wall + 60_000 } as const
    const override = { ...replica.known, manual }
    edited(replica.pass(86_400_000), {
      edit: { kind: 'reset' },
      revision: 1,
      override: { ...override, manual: { ...manual, until: replica.wall + 60_000 } },
    })
    expect(replica.files.stored.manual).to.deep.include({ scope: 'all', reason: 'for a minute' })
    expect(replica.kinds).to.deep.equal(['triggered', 'hand_edit'])
    replica.rounds(58)
    expect(replica.known.manual.scope).to.equal('all')
    replica.rounds(3)
    expect(replica.known.manual.scope).to.equal('none')
  })

  it('of texts alone does not drop what is pending', () => {
    const replica = new Driven().round().pass(1000)
    replica.tick({ evidence: FAILING })
    replica.fail()
    edited(replica.pass(1000), { edit: { kind: 'reset' }, revision: 0, override: NEUTRAL })
    expect(replica.auto).to.equal('fallback')
    expect(replica.files.stored.auto.state).to.equal('fallback')
  })

  it('that puts an older document back is a reset, or a fallback by hand where it said so', () => {
    const replica = fallen().rounds(125)
    expect(replica.known.revision).to.equal(5)
    replica.files.put({ ...FALLEN, revision: 1 })
    replica.round()
    expect(replica.files.stored).to.deep.include({ revision: 6, actor: 'manual' })
    expect(replica.files.stored.manual.scope).to.equal('all')
    replica.files.put({ ...NEUTRAL, revision: 3 })
    replica.round()
    expect(replica.files.stored).to.deep.include({ revision: 7, manual: { scope: 'none' } })
  })

  it('is not undone by a provider that still shows what was there before', () => {
    const files = new Files()
    const replica = fallen(files)
    const before = { ...files.stored, revision: 5, trips: 2, replica: 'r2' }
    files.put({ ...NEUTRAL, revision: 0 })
    replica.round({ provider: { ready: true, override: before }, evidence: CALM })
    expect(files.stored).to.deep.include({ revision: 6, auto: { state: 'normal' }, trips: 0 })
  })

  it('takes the place of a command that is not in the store yet', () => {
    const replica = new Driven().round().command({ kind: 'reset', userId: 'admin' })
    replica.tick({ evidence: CALM })
    replica.fail()
    edited(replica.pass(1000), { edit: { kind: 'manual', manual: all } })
    replica.files.put({ ...replica.files.stored, revision: 5, replica: 'r2' })
    replica.round({ evidence: CALM })
    expect(replica.files.stored.manual).to.deep.equal(all)
    expect(replica.kinds).to.deep.equal(['reset', 'hand_edit'])
  })

  it('keeps the end of the layer that it leaves in the file, by this replica’s clock', () => {
    const files = new Files()
    const ahead = new Driven(files, 'r1', { origin: 0, wallOffset: 86_400_000 }).round()
    ahead.command({ kind: 'trigger', userId: 'a', reason: 'by hand', ttlSeconds: 60 }).round()
    const replica = new Driven(files, 'r2').round()
    const { manual } = files.stored
    const until = manual.scope === 'none' ? undefined : manual.until
    edited(replica, {
      edit: { kind: 'manual', manual: { ...orgs, ...(until === undefined ? {} : { until }) } },
    })
    replica.rounds(58)
    expect(replica.known.manual.scope).to.equal('orgs')
    replica.rounds(3)
    expect(replica.known.manual.scope).to.equal('none')
  })

  it('with a revision beyond all measure is counted on from the highest', () => {
    const revision = Number.MAX_SAFE_INTEGER
    const replica = edited(fallen(), { edit: { kind: 'reset' }, revision })
    expect(replica.files.stored.revision).to.equal(2)
    const override = { ...FALLEN, revision }
    edited(replica, { edit: { kind: 'reset' }, revision, override })
    expect(replica.files.stored.revision).to.equal(3)
  })
})

describe('a provider that is ahead of the file', () => {
  it('counts by its higher revision, and the file is written anew', () => {
    const replica = new Driven().round().pass(1000)
    replica.round({ provider: { ready: true, override: { ...FALLEN, revision: 30 } } })
    expect(replica.auto).to.equal('fallback')
    expect(replica.files.stored).to.deep.include({ revision: 31, trips: 1 })
    expect(replica.adopted).to.have.length(1)
  })

  it('counts for nothing at an equal revision', () => {
    const replica = fallen()
    replica.round({ provider: { ready: true, override: { ...NEUTRAL, revision: 1 } } })
    expect(replica.auto).to.equal('fallback')
    expect(isWriting(replica)).to.equal(false)
  })

  it('is followed while the file cannot be read, and gives way to the file', () => {
    const replica = new Driven().round()
    const provider = {
      ready: true,
      override: {
        ...FALLEN,
        revision: 3,
        manual: { ...orgs, target: { kind: 'orgs' as const, orgIds: [] } },
      },
    }
    replica.pass(1000).tick({ store: FAILED, provider })
    expect(replica.auto).to.equal('fallback')
    expect(replica.known.revision).to.equal(3)
    replica.files.put({ ...FALLEN, revision: 3, manual: orgs })
    replica.round({ provider })
    expect(replica.known.manual).to.deep.equal(orgs)
    expect(isWriting(replica)).to.equal(false)
  })

  it('does not empty a scoped manual layer, whose orgs it does not tell', () => {
    const files = new Files()
    const target = { kind: 'orgs', orgIds: [] } as const
    const provider = { ready: true, override: { ...FALLEN, revision: 9, manual: { ...orgs, target } } }
    files.put({ ...NEUTRAL, manual: orgs, revision: 4 })
    const knowing = new Driven(files).round()
    knowing.round({ provider })
    expect(files.stored).to.deep.include({ revision: 10, manual: orgs })
    const unknowing = new Driven()
    unknowing.files.override = { kind: 'missing' }
    unknowing.tick({ provider })
    unknowing.pass(60_000).tick({ provider })
    expect(isWriting(unknowing)).to.equal(false)
  })

  it('is told from one that shows a revision beyond all measure', () => {
    const replica = fallen()
    replica.round({ provider: { ready: true, override: { ...NEUTRAL, revision: Number.MAX_SAFE_INTEGER } } })
    expect(replica.auto).to.equal('fallback')
    expect(replica.state.highest).to.equal(1)
  })
})

describe('the proof that a written override acts', () => {
  const older = (replica: Driven) => ({ ready: true, override: { ...replica.files.stored, revision: 0 } })

  it('is any revision from the written one on that comes back', () => {
    const replica = fallen()
    expect(replica.state.proof).to.deep.include({ revision: 1, seenAt: null })
    replica.pass(200).tick()
    expect(replica.state.proof).to.deep.include({ seenAt: replica.now, alerted: false })
  })

  it('is tried once more after three seconds, one revision higher, and then given up with an alert', () => {
    const replica = fallen()
    const provider = older(replica)
    replica.rounds(4, { provider, evidence: CALM })
    expect(replica.files.stored.revision).to.equal(2)
    expect(replica.state.proof).to.deep.include({ revision: 2, rewritten: true, alerted: false })
    replica.rounds(5, { provider, evidence: CALM })
    expect(replica.files.stored.revision).to.equal(2)
    expect(replica.state.proof).to.deep.include({ alerted: true })
    replica.rounds(20, { provider, evidence: CALM })
    expect(replica.files.stored.revision).to.equal(2)
    replica.rounds(1, { evidence: CALM })
    expect(replica.state.proof).to.deep.include({ alerted: false, seenAt: replica.now })
  })

  it('measures from the decision, over the rewrite', () => {
    const replica = fallen()
    const decidedAt = replica.state.proof?.decidedAt
    replica.rounds(5, { provider: older(replica), evidence: CALM })
    expect(replica.state.proof).to.deep.include({ rewritten: true, decidedAt })
  })

  it('is waited for only while the provider is READY', () => {
    const replica = fallen()
    const provider = { ...older(replica), ready: false }
    replica.rounds(30, { provider, evidence: CALM })
    expect(replica.files.stored.revision).to.equal(1)
    replica.rounds(3, { provider: { ...provider, ready: true }, evidence: CALM })
    expect(replica.files.stored.revision).to.equal(1)
    replica.rounds(2, { provider: { ...provider, ready: true }, evidence: CALM })
    expect(replica.files.stored.revision).to.equal(2)
  })

  it('tells a rewritten hold by what is left of it', () => {
    const replica = fallen().rounds(5, { evidence: CALM, provider: { ready: true } })
    const { auto, updatedAt = 0 } = replica.files.stored
    expect(replica.files.stored.revision).to.equal(2)
    expect(auto.state === 'fallback' && Math.round((auto.holdUntil - updatedAt) / 1000)).to.be.within(24, 28)
  })
})
