import { expect } from 'chai'
import type { Suspects } from '../../../src/fallback/evidence/evidence.js'
import { type Evidence, NO_EXECUTIONS, type RuntimeWindows } from '../../../src/fallback/evidence/evidence.js'
import { type Scope, scopeOf } from '../../../src/protocol/fallback-scope.js'
import { scopeOfAuto } from '../../../src/store/override/override.js'
import { CALM, DEAD, Driven, FAILED, FAILING, Files, GUARDRAILS, over, tally, WELL } from './driven.js'

const ACME = scopeOf('orgs', ['acme'])
const BOTH = scopeOf('orgs', ['acme', 'globex'])
const ANALYST = scopeOf('agents', ['analyst'])

/** These fail, and all others are well. */
const failing = (scope: Scope, others = tally(12)): readonly Suspects[] => [
  { ...scope, tally: tally(18, 18), left: others, others: { slow: others, fast: others, newest: others } },
]
/** 60% of all, all of one scope. */
const sick = (scope: Scope): Evidence => ({
  ...CALM,
  runtime: over(tally(30, 18)),
  suspects: failing(scope),
})
/** While there is a fallback for `scope`. */
const within = (
  scope: Scope,
  {
    inside = NO_EXECUTIONS,
    rest = over(tally(30)),
    suspects,
  }: { inside?: RuntimeWindows; rest?: RuntimeWindows; suspects?: readonly Suspects[] } = {},
): Evidence => ({
  ...CALM,
  runtime: over(tally(30, 10)),
  scoped: { scope, inside, rest, quietForMs: 500, ...(suspects === undefined ? {} : { suspects }) },
})
const CURED = within(ACME, { inside: over(tally(6)) })

/** A replica that has just tripped for `acme` alone, and written it. */
function fallenForAcme(files = new Files(), name = 'r1'): Driven {
  return new Driven(files, name)
    .round()
    .pass(1000)
    .round({ evidence: sick(ACME) })
}
function recoveringForAcme(files = new Files(), name = 'r1'): Driven {
  return fallenForAcme(files, name)
    .rounds(29, { evidence: within(ACME) })
    .rounds(2, { evidence: CURED })
}
const scopeNow = (replica: Driven): Scope | undefined => scopeOfAuto(replica.known.auto)

describe('the fallback machine, for a scope', () => {
  it('trips for those who fail alone, by their own rate', () => {
    const replica = fallenForAcme()
    expect(replica.known.auto).to.deep.include({
      state: 'fallback',
      scope: ACME,
      trip: { cause: 'error_rate', value: 1, threshold: 0.5 },
    })
    expect(replica.files.stored.auto).to.deep.equal(replica.known.auto)
    expect(replica.reports.at(-1)).to.deep.include({ kind: 'trip', scope: ACME, trips: 1 })
  })

  it('trips for everybody where the others are too few or fail too, or the guardrail says so', () => {
    const tooFew = { ...sick(ACME), suspects: failing(ACME, tally(9)) }
    const failToo = { ...sick(ACME), suspects: failing(ACME, tally(12, 7)) }
    for (const evidence of [tooFew, failToo]) {
      const replica = new Driven().round().round({ evidence })
      expect(replica.auto).to.equal('fallback')
      expect(scopeNow(replica)).to.equal(undefined)
    }
    const off = new Driven()
      .round()
      .round({ evidence: sick(ACME), guardrails: { ...GUARDRAILS, scoped: false } })
    expect([off.auto, scopeNow(off)]).to.deep.equal(['fallback', undefined])
  })

  it('trips for everybody by health, whoever fails', () => {
    const replica = new Driven().round().round({ evidence: { ...sick(ACME), probe: DEAD.probe } })
    expect([replica.known.trips, scopeNow(replica)]).to.deep.equal([1, undefined])
  })

  it('begins the evidence of the scope alone anew', () => {
    const replica = new Driven().round().pass(1000)
    const effects = replica.tick({ evidence: sick(ACME) })
    expect(effects.some(({ kind }) => kind === 'restart_evidence')).to.equal(false)
    const [write] = effects
    if (write?.kind !== 'write') throw new Error('nothing is written')
    const { override, version } = write
    const { now, wall } = replica
    const { revision } = override
    replica.input({ kind: 'written', now, wall, hash: 'h', revision, version, guardrails: GUARDRAILS })
    expect(replica.effects).to.deep.include({ kind: 'restart_evidence', scope: ACME })
  })

  it('recovers by the evidence of the scope alone, and keeps it through the ramp', () => {
    const replica = fallenForAcme().rounds(40, { evidence: within(ACME) })
    expect(replica.auto).to.equal('fallback')
    replica.rounds(2, { evidence: CURED })
    expect([replica.auto, scopeNow(replica)]).to.deep.equal(['recovering 5', ACME])
    replica.rounds(31, { evidence: CURED })
    expect([replica.auto, scopeNow(replica)]).to.deep.equal(['recovering 25', ACME])
    replica.rounds(70, { evidence: CURED })
    expect(replica.auto).to.equal('normal')
    expect(replica.reports.map(({ kind, scope }) => [kind, scope])).to.deep.equal(
      ['trip', 'recovery_begun', 'ramp_step', 'ramp_step', 'recovered'].map((kind) => [kind, ACME]),
    )
  })

  it('relapses for the scope, by its evidence alone', () => {
    const replica = recoveringForAcme().round({ evidence: within(ACME, { inside: over(tally(10, 8)) }) })
    expect([replica.auto, replica.known.trips, scopeNow(replica)]).to.deep.equal(['fallback', 2, ACME])
  })

  it('relapses and is widened by a row of failures too, where few turns come', () => {
    const row = { ...NO_EXECUTIONS, streak: { failures: 5, sessions: 2 } }
    const replica = recoveringForAcme().round({ evidence: within(ACME, { inside: row }) })
    expect([replica.kinds.at(-1), scopeNow(replica)]).to.deep.equal(['relapse', ACME])
    const wider = fallenForAcme().round({ evidence: within(ACME, { rest: row }) })
    expect([wider.kinds.at(-1), scopeNow(wider)]).to.deep.equal(['widened', undefined])
  })

  it('takes a further one that fails in, in the same trip, its hold anew', () => {
    const replica = fallenForAcme().rounds(20, { evidence: within(ACME) })
    const before = replica.known
    const evidence = within(ACME, {
      rest: over(tally(30, 18)),
      suspects: failing(scopeOf('orgs', ['globex'])),
    })
    replica.round({ evidence })
    expect([replica.auto, replica.known.trips, scopeNow(replica)]).to.deep.equal([
      'fallback',
      before.trips,
      BOTH,
    ])
    expect(replica.reports.at(-1)).to.deep.include({ kind: 'widened', scope: BOTH, trips: 1 })
    replica.rounds(28, { evidence: within(BOTH, { inside: over(tally(6)) }) })
    expect(replica.auto).to.equal('fallback')
    replica.rounds(3, { evidence: within(BOTH, { inside: over(tally(6)) }) })
    expect(replica.auto).to.equal('recovering 5')
  })

  it('is widened to everybody by a breach of the rest that nobody explains, by too many, and by health', () => {
    const many = scopeOf(
      'orgs',
      Array.from({ length: 20 }, (_, at) => `org-${at}`),
    )
    for (const evidence of [
      within(ACME, { rest: over(tally(30, 18)) }),
      within(ACME, { rest: over(tally(30, 18)), suspects: failing(many) }),
      { ...within(ACME), probe: DEAD.probe },
    ]) {
      for (const replica of [fallenForAcme(), recoveringForAcme()]) {
        replica.round({ evidence })
        expect([replica.auto, replica.known.trips, scopeNow(replica)]).to.deep.equal([
          'fallback',
          1,
          undefined,
        ])
        expect(replica.kinds.at(-1)).to.equal('widened')
      }
    }
  })

  it('is not widened while the direct LLM is as unhealthy, nor under observe', () => {
    const rest = over(tally(30, 18))
    const BAD = { failures: 1, goodForMs: 0, healthy: false }
    const both = fallenForAcme().round({
      evidence: { ...within(ACME, { rest }), direct: tally(20, 19), probe: BAD },
    })
    expect([both.state.bothSick, scopeNow(both)]).to.deep.equal([true, ACME])
    const observed = fallenForAcme().round({ evidence: within(ACME, { rest }), policy: 'observe' })
    expect([observed.state.wouldTrip?.cause, scopeNow(observed)]).to.deep.equal(['error_rate', ACME])
  })

  it('hands everybody to the ramp when a manual fallback of all ends in it', () => {
    const replica = fallenForAcme()
    replica
      .command({ kind: 'trigger', userId: 'admin', reason: '', ttlSeconds: 5 })
      .round({ evidence: within(ACME) })
    replica.rounds(6, { evidence: within(ACME) })
    expect(replica.known.manual.scope).to.equal('none')
    expect([replica.auto, scopeNow(replica), replica.known.trips]).to.deep.equal(['fallback', undefined, 1])
  })

  it('is known again after a restart', () => {
    const files = new Files()
    fallenForAcme(files)
    const later = new Driven(files, 'r2').round({ evidence: CALM })
    expect([later.auto, scopeNow(later)]).to.deep.equal(['fallback', ACME])
  })
})

describe('the fallback machine, for a scope, beside other replicas', () => {
  it('adopts a scope, and one that grew', () => {
    const files = new Files()
    const other = new Driven(files, 'r2').round()
    const first = fallenForAcme(files)
    other.round({ evidence: WELL })
    expect([other.auto, scopeNow(other)]).to.deep.equal(['fallback', ACME])
    first.rounds(2, { evidence: within(ACME, { rest: over(tally(30, 18)) }) })
    other.round({ evidence: within(ACME) })
    expect([other.auto, scopeNow(other)]).to.deep.equal(['fallback', undefined])
    expect(other.adopted.map(({ scope }) => scope)).to.deep.equal([ACME, undefined])
  })

  it('adopts it from the provider alone, by its metadata', () => {
    const files = new Files()
    const replica = new Driven(new Files(), 'r2').round()
    const { known } = fallenForAcme(files)
    replica.tick({
      provider: { ready: true, override: known },
      store: { kind: 'failed', fault: { code: 'EIO', message: '' } },
    })
    expect([replica.auto, scopeNow(replica)]).to.deep.equal(['fallback', ACME])
  })

  it('is the union where two tripped for different orgs at once', () => {
    const files = new Files()
    const [first, second] = [new Driven(files, 'r1').round(), new Driven(files, 'r2').round()]
    const theirs = first.tick({ evidence: sick(scopeOf('orgs', ['globex'])) })
    second.tick({ evidence: sick(ACME) })
    first.write(theirs)
    // The race is lost: second reads again, and what it has pending holds still.
    const again = second.tick({ evidence: { ...within(ACME, { inside: over(tally(18, 18)) }) } })
    second.write(again)
    expect([second.auto, scopeNow(second), second.known.trips]).to.deep.equal(['fallback', BOTH, 1])
    first.round({ evidence: within(scopeOf('orgs', ['globex'])) })
    expect(scopeNow(first)).to.deep.equal(BOTH)
    expect(files.stored.auto).to.deep.include({ state: 'fallback', scope: BOTH })
  })

  it('includes every scope where it is for everybody', () => {
    const files = new Files()
    const [first, second] = [new Driven(files, 'r1').round(), new Driven(files, 'r2').round()]
    const all = first.tick({ evidence: FAILING })
    second.tick({ evidence: sick(ACME) })
    first.write(all)
    second.round({ evidence: within(ACME, { inside: over(tally(18, 18)) }) })
    expect([second.auto, scopeNow(second), second.has('write')]).to.deep.equal(['fallback', undefined, false])
  })

  it('makes no union of orgs and agents: what comes decides', () => {
    const files = new Files()
    const [first, second] = [new Driven(files, 'r1').round(), new Driven(files, 'r2').round()]
    const theirs = first.tick({ evidence: sick(ANALYST) })
    second.tick({ evidence: sick(ACME) })
    first.write(theirs)
    second.round({ evidence: within(ACME, { inside: over(tally(18, 18)) }) })
    expect(scopeNow(second)).to.deep.equal(ANALYST)
  })

  it('leaves one behind for the scope alone that is in breach while they recover', () => {
    const files = new Files()
    const other = new Driven(files, 'r2').round()
    const first = fallenForAcme(files)
    other.round({ evidence: within(ACME) })
    first.rounds(29, { evidence: within(ACME) }).rounds(2, { evidence: CURED })
    expect(first.auto).to.equal('recovering 5')
    const broken = within(ACME, { inside: over(tally(12, 12)) })
    other.round({ evidence: broken })
    expect([other.state.isolated, other.state.isolatedTo]).to.deep.equal([true, ACME])
    // A breach of everybody isolates it for everybody.
    other.round({ evidence: within(ACME, { rest: over(tally(30, 20)) }) })
    expect([other.state.isolated, other.state.isolatedTo]).to.deep.equal([true, null])
    other.round({ evidence: { ...WELL } })
    expect(other.state.isolated).to.equal(false)
  })

  it('gives up a trip that it widened before it could write, where others tripped and recover meanwhile', () => {
    const files = new Files()
    const [first, second] = [new Driven(files, 'r1').round(), new Driven(files, 'r2').round()]
    second.tick({ evidence: sick(ACME), store: FAILED })
    second.tick({ evidence: within(ACME, { rest: over(tally(30, 20)) }), store: FAILED })
    expect([second.auto, scopeNow(second)]).to.deep.equal(['fallback', undefined])
    first.round({ evidence: FAILING }).rounds(29).rounds(2)
    expect(first.auto).to.equal('recovering 5')
    second.round({ evidence: WELL })
    expect([second.auto, second.known.trips, second.has('write')]).to.deep.equal(['recovering 5', 1, false])
  })

  it('trips again for its own where its race was lost to something else', () => {
    const files = new Files()
    const [first, second] = [new Driven(files, 'r1').round(), new Driven(files, 'r2').round()]
    second.tick({ evidence: sick(ACME) })
    first.command({ kind: 'trigger', userId: 'admin', reason: '', orgIds: ['initech'] }).round()
    second.round({
      evidence: {
        ...within(ACME, { inside: over(tally(18, 18)) }),
        suspects: failing(ACME),
        runtime: over(tally(30, 18)),
      },
    })
    expect([second.auto, scopeNow(second)]).to.deep.equal(['fallback', ACME])
    expect(second.known.manual.scope).to.equal('orgs')
  })
})
