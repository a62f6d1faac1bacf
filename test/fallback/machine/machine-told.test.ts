import { expect } from 'chai'
import type { StoreSeen } from '../../../src/fallback/machine/state.js'
import { scopeOf } from '../../../src/protocol/fallback-scope.js'
import { NEUTRAL, type Override } from '../../../src/store/override/override.js'
import {
  CALM,
  Driven,
  FAILED,
  FAILING,
  Files,
  fallen,
  GUARDRAILS,
  over,
  recovering,
  tally,
} from './driven.js'

const TORN: StoreSeen = { kind: 'unparsable', hash: 'torn', detail: 'line 3: no JSON' }
const all = { scope: 'all', reason: 'by hand' } as const
const trigger = (part: object = {}) => ({ kind: 'trigger', userId: 'ada', reason: 'drill', ...part }) as const

describe('an edit that could not be read', () => {
  /** A replica that replaces such a file, and is told where the copy of it is. */
  function replacing(): Driven {
    const replica = fallen()
    replica.tick({ store: TORN })
    const [write] = replica.pass(2000).tick({ store: TORN })
    if (write?.kind !== 'write') throw new Error('nothing is written')
    const { now, wall } = replica
    const { version, override } = write
    const written = {
      hash: 'h',
      revision: override.revision,
      version,
      aside: 'a.bak',
      guardrails: GUARDRAILS,
    }
    replica.files.override = { kind: 'override', hash: 'h', override }
    replica.input({ kind: 'written', now, wall, ...written })
    return replica
  }

  it('is told with the place of its copy, once, and shown for five minutes', () => {
    const replica = replacing()
    const { now, wall } = replica
    expect(replica.reports.at(-1)).to.deep.equal({
      at: wall,
      kind: 'hand_edit_refused',
      from: 'fallback',
      to: 'fallback',
      manualFrom: 'none',
      manualTo: 'none',
      actor: 'manual',
      replica: 'r1',
      trips: 1,
      revision: 2,
      reason: 'line 3: no JSON; kept as a.bak',
    })
    expect(replica.state.store.refused).to.deep.equal({
      detail: 'line 3: no JSON',
      aside: 'a.bak',
      untilAt: now + 300_000,
    })
    const told = replica.reports.length
    replica.pass(299_998).tick({ evidence: CALM })
    expect(replica.state.store.refused).to.not.equal(null)
    replica.tick({ evidence: CALM })
    expect(replica.state.store.refused).to.equal(null)
    expect(replica.kinds.slice(told)).to.not.include('hand_edit_refused')
  })

  it('is shown by the others too, where one of them replaced it', () => {
    const replica = fallen()
    replica.tick({ store: TORN })
    replica.files.put({ ...replica.files.stored, revision: 2, replica: 'r2' })
    replica.pass(1000).tick()
    expect(replica.state.store.refused).to.deep.equal({
      detail: 'line 3: no JSON',
      untilAt: replica.now + 300_000,
    })
    expect(replica.kinds).to.not.include('hand_edit_refused')
  })

  it('is none where the person mended it', () => {
    const replica = fallen()
    replica.tick({ store: TORN })
    replica.pass(1000).tick()
    expect(replica.state.store.refused).to.equal(null)
    const edited = fallen()
    edited.tick({ store: TORN })
    edited.tick({ store: { kind: 'hand_edit', hash: 'e', edit: { kind: 'manual', manual: all } } })
    expect(edited.state.store.refused).to.equal(null)
  })

  it('waits with its replacement as any write does after a failure', () => {
    const replica = fallen()
    replica.tick({ store: TORN })
    replica.pass(2000).tick({ store: TORN })
    expect(replica.has('write')).to.equal(true)
    replica.fail(1)
    replica.pass(900).tick({ store: TORN })
    expect(replica.has('write')).to.equal(false)
    replica.pass(100).tick({ store: TORN })
    expect(replica.has('write')).to.equal(true)
  })
})

describe('what another replica wrote', () => {
  const TRIP = { cause: 'error_rate', value: 1, threshold: 0.5 } as const
  const at = (revision: number, percent: number, part: Partial<Override> = {}): Override => ({
    ...NEUTRAL,
    auto: { state: 'recovering', trip: TRIP, since: 1000, percent },
    trips: 1,
    revision,
    evidenceSince: 1000,
    replica: 'r2',
    ...part,
  })
  const told = (...overrides: Override[]) => {
    const replica = new Driven().round()
    for (const override of overrides) {
      replica.files.put(override)
      replica.pass(1000).round({ evidence: CALM })
    }
    return replica.adopted.map(({ from, to, revision }) => `${from} ${to} ${revision}`)
  }

  it('is told where it means something else, each step of the ramp too', () => {
    const normal: Override = { ...NEUTRAL, revision: 9, evidenceSince: 2000 }
    expect(told(at(1, 5), at(2, 25), at(3, 25), normal, { ...normal, revision: 10 })).to.deep.equal([
      'normal recovering 1',
      'recovering recovering 2',
      'recovering normal 9',
    ])
  })

  it('is told where it is normal again with the same trips', () => {
    expect(told(at(1, 5), { ...NEUTRAL, trips: 1, revision: 2, evidenceSince: 1000 })).to.deep.equal([
      'normal recovering 1',
      'recovering normal 2',
    ])
  })

  it('is told where its trips, its scope or its manual layer are others', () => {
    const scoped = at(3, 5, { trips: 2 })
    const acme: Override = {
      ...scoped,
      revision: 4,
      auto: { state: 'recovering', trip: TRIP, since: 1000, percent: 5, scope: scopeOf('orgs', ['acme']) },
    }
    expect(
      told(at(1, 5), at(2, 5, { trips: 2 }), scoped, acme, { ...acme, revision: 5, manual: all }),
    ).to.deep.equal([
      'normal recovering 1',
      'recovering recovering 2',
      'recovering recovering 4',
      'recovering recovering 5',
    ])
  })
})

describe('what is told of a move', () => {
  it('towards the runtime says what it was judged by', () => {
    const begun = recovering().reports.at(-1)
    expect(begun).to.deep.include({ kind: 'recovery_begun', guardrails: GUARDRAILS })
    expect(begun).to.have.nested.property('evidence.runtime.slow.total', 20)
  })

  it('by the policy says so', () => {
    const replica = fallen().round({ policy: 'off' }).round({ policy: 'off' })
    expect(replica.auto).to.equal('normal')
    expect(replica.reports.at(-1)).to.deep.include({ kind: 'policy_off', actor: 'auto', trips: 1 })
  })

  it('to everybody tells everybody’s rate, though one org alone explains it, where they are too many', () => {
    const scope = scopeOf('orgs', ['acme'])
    const replica = new Driven().round().round({ evidence: suspecting(scope.ids) })
    const many = Array.from({ length: 20 }, (_, at) => `org-${at}`)
    const runtime = over(tally(30, 18))
    const others = { slow: tally(12), fast: tally(12), newest: tally(12) }
    const suspects = [
      { dimension: 'orgs', ids: many, tally: tally(18, 18), left: tally(12), others },
    ] as const
    const scoped = {
      scope,
      inside: over(tally(0)),
      rest: runtime,
      quietForMs: 500,
      suspects,
    }
    replica.round({ evidence: { ...CALM, runtime, scoped } })
    const { auto } = replica.known
    expect(auto).to.deep.include({
      state: 'fallback',
      trip: { cause: 'error_rate', value: 0.6, threshold: 0.5 },
    })
    expect(auto).to.not.have.property('scope')
  })

  const suspecting = (ids: readonly string[]) => ({
    ...CALM,
    runtime: over(tally(30, 18)),
    suspects: [
      {
        dimension: 'orgs' as const,
        ids,
        tally: tally(18, 18),
        left: tally(12),
        others: { slow: tally(12), fast: tally(12), newest: tally(12) },
      },
    ],
  })
})

describe('a file that was taken away', () => {
  it('is written again in the name of who changed it last', () => {
    for (const [replica, actor] of [
      [fallen(), 'auto'],
      [fallen().command(trigger()).round(), 'manual'],
    ] as const) {
      replica.files.override = { kind: 'missing' }
      replica.round({ evidence: CALM })
      expect(replica.files.stored.actor).to.equal(actor)
    }
  })
})

describe('a manual fallback of some orgs', () => {
  const manualOf = (...parts: object[]) => {
    const replica = new Driven().round()
    for (const part of parts) replica.command(trigger(part))
    const { manual } = replica.known
    return manual.scope === 'orgs' && manual.until !== undefined ? manual.until - replica.wall : undefined
  }

  it('ends at the later of two ends, and not where one of them has none', () => {
    const orgIds = ['a']
    expect(manualOf({ orgIds, ttlSeconds: 60 }, { orgIds, ttlSeconds: 120 })).to.equal(120_000)
    expect(manualOf({ orgIds, ttlSeconds: 120 }, { orgIds, ttlSeconds: 60 })).to.equal(120_000)
    expect(manualOf({ orgIds, ttlSeconds: 60 }, { orgIds })).to.equal(undefined)
    expect(manualOf({ orgIds }, { orgIds, ttlSeconds: 60 })).to.equal(undefined)
  })

  it('adds orgs to a person’s own list of orgs, with or without a rule for all others', () => {
    const added = (others: readonly unknown[]) => {
      const rule = { if: [{ in: [{ var: 'orgId' }, ['b']] }, 'on', ...others] }
      const files = new Files()
      const manual = { scope: 'orgs', target: { kind: 'rule', rule, otherwise: 'off' }, reason: '' } as const
      files.put({ ...NEUTRAL, manual, revision: 1 })
      const after = new Driven(files).round().command(trigger({ orgIds: ['a'] })).known.manual
      return after.scope === 'orgs' && after.target.kind === 'rule' ? after.target.rule : undefined
    }
    const orgs = { in: [{ var: 'orgId' }, ['a', 'b']] }
    expect(added([])).to.deep.equal({ if: [orgs, 'on'] })
    expect(added(['off'])).to.deep.equal({ if: [orgs, 'on', 'off'] })
  })
})

describe('the end of a manual fallback in the file', () => {
  it('keeps its name while the clock goes on, and is told anew where the clock was set', () => {
    const replica = new Driven()
      .round()
      .command(trigger({ ttlSeconds: 600 }))
      .round()
    const untilOf = () => {
      const { manual } = replica.files.stored
      return manual.scope === 'none' ? undefined : manual.until
    }
    const until = untilOf() ?? 0
    replica.clock.wallOffset += 1000
    replica.round({ evidence: FAILING })
    expect([replica.auto, untilOf()]).to.deep.equal(['fallback', until])
    replica.clock.wallOffset += 1
    replica.command(trigger({ orgIds: ['a'] })).round()
    expect(untilOf()).to.equal(until + 1001)
  })

  it('that a person leaves in the file is written by this replica’s clock', () => {
    const files = new Files()
    const ahead = new Driven(files, 'r1', { origin: 0, wallOffset: 86_400_000 }).round()
    ahead.command(trigger({ ttlSeconds: 60 })).round()
    const replica = new Driven(files, 'r2').round()
    const { manual } = files.stored
    if (manual.scope !== 'all') throw new Error('no manual fallback')
    const edit = { kind: 'manual', manual: { ...manual, reason: 'mine' } } as const
    files.override = { kind: 'hand_edit', hash: 'edit', edit }
    replica.round({ evidence: CALM })
    const after = files.stored.manual
    expect(after).to.deep.include({ scope: 'all', reason: 'mine' })
    expect(after.scope === 'all' && (after.until ?? 0) - replica.wall).to.be.within(59_000, 60_000)
  })
})

describe('a fault of the store', () => {
  it('is over with the next good read, also while something waits to be written', () => {
    const replica = new Driven().round().command(trigger())
    replica.tick({ store: FAILED })
    expect(replica.state.store.fault).to.deep.include({ code: 'EIO' })
    replica.tick()
    expect(replica.state.store.fault).to.equal(null)
  })

  it('of a write stays until the write is made', () => {
    const replica = new Driven().round().command(trigger())
    replica.tick()
    replica.fail(1)
    replica.tick()
    expect(replica.state.store.fault).to.deep.include({ code: 'EROFS' })
    replica.pass(1000).round()
    expect(replica.state.store.fault).to.equal(null)
  })
})

describe('a manual fallback of all that ends while the runtime recovers', () => {
  it('goes on with the trip that it recovers from', () => {
    const replica = recovering()
      .command(trigger({ ttlSeconds: 2 }))
      .round()
    replica.rounds(3, { evidence: CALM })
    expect(replica.known.manual.scope).to.equal('none')
    expect(replica.known.auto).to.deep.include({
      state: 'recovering',
      trip: { cause: 'error_rate', value: 0.75, threshold: 0.5 },
    })
  })
})

describe('a person’s edit and what comes after it', () => {
  it('counts on from the highest revision, though the edit has an older one', () => {
    const replica = fallen().rounds(125)
    expect(replica.known.revision).to.equal(5)
    const wish = { kind: 'manual', manual: all } as const
    replica.files.override = { kind: 'hand_edit', hash: 'edit', edit: wish, revision: 2 }
    replica.round({ evidence: CALM })
    expect(replica.files.stored).to.deep.include({ revision: 6, manual: all })
  })

  const edit: StoreSeen = { kind: 'hand_edit', hash: 'edit', edit: { kind: 'manual', manual: all } }

  it('takes the place of commands, also where another replica wrote over it', () => {
    const replica = new Driven().round().command({ kind: 'reset', userId: 'ada' })
    replica.tick({ evidence: CALM })
    replica.fail()
    replica.tick({ store: edit, evidence: CALM })
    replica.fail()
    replica.files.put({ ...fallen().files.stored, revision: 9, replica: 'r2' })
    replica.pass(5000).round({ evidence: CALM })
    expect(replica.auto).to.equal('fallback')
  })

  it('is not repeated upon what the provider shows while the file cannot be read', () => {
    const replica = new Driven().round()
    replica.tick({ store: edit, evidence: CALM })
    replica.fail()
    const override: Override = { ...fallen().files.stored, revision: 9, replica: 'r2' }
    replica.tick({ store: FAILED, provider: { ready: true, override }, evidence: CALM })
    expect(replica.auto).to.equal('fallback')
    expect(replica.known.manual.scope).to.equal('none')
  })
})

describe('a proof that does not come', () => {
  const provider = { ready: true, override: NEUTRAL }

  it('is waited for anew where the provider was not ready meanwhile', () => {
    const replica = fallen()
    replica.tick({ provider, evidence: CALM })
    replica.pass(2900).tick({ provider, evidence: CALM })
    replica.tick({ provider: { ready: false }, evidence: CALM })
    expect(replica.state.proof?.waitingSinceAt).to.equal(null)
    replica.tick({ provider, evidence: CALM })
    replica.pass(2900).tick({ provider, evidence: CALM })
    expect(replica.state.proof?.rewritten).to.equal(false)
    expect(replica.has('write')).to.equal(false)
    replica.pass(100).tick({ provider, evidence: CALM })
    expect(replica.has('write')).to.equal(true)
  })

  it('is not waited for while another write is on its way', () => {
    const replica = fallen().command(trigger())
    replica.tick({ provider, evidence: CALM })
    replica.fail(1)
    for (let count = 0; count < 5; count += 1) replica.tick({ provider, evidence: CALM })
    replica.pass(10_000).tick({ store: FAILED, provider, evidence: CALM })
    expect(replica.state.proof).to.deep.include({ revision: 1, waitingSinceAt: null, alerted: false })
    expect(replica.state.store.rewrite).to.equal(false)
  })

  it('changes nothing more once its alert was given', () => {
    const replica = fallen()
    for (let count = 0; count < 5; count += 1) replica.pass(3000).round({ provider, evidence: CALM })
    expect(replica.state.proof).to.deep.include({ rewritten: true, alerted: true })
    const { proof } = replica.state
    replica.pass(3000).round({ provider, evidence: CALM })
    expect(replica.state.proof).to.equal(proof)
  })
})
