import { expect } from 'chai'
import { adoptionKind, adoptionOf } from '../../../src/fallback/machine/adoption.js'
import { initialState, judgedScope, type PendingTrip } from '../../../src/fallback/machine/state.js'
import { type Scope, scopeOf } from '../../../src/protocol/fallback-scope.js'
import { type AutoLayer, NEUTRAL, type Override } from '../../../src/store/override/override.js'

const TRIP = { cause: 'error_rate', value: 0.6, threshold: 0.5 } as const
const FALLEN: Override = {
  ...NEUTRAL,
  auto: { state: 'fallback', trip: TRIP, since: 1000, holdUntil: 31_000 },
  trips: 1,
  revision: 4,
  evidenceSince: 1000,
}
const THEIRS: Override = { ...NEUTRAL, revision: 5, evidenceSince: 2000 }
const RECOVERING: Override = {
  ...THEIRS,
  auto: { state: 'recovering', trip: TRIP, since: 2000, percent: 5 },
  trips: 1,
}
const RESET: Override = { ...THEIRS, actor: 'manual' }
const UPON_NORMAL: PendingTrip = { auto: { state: 'normal' }, trips: 0 }

/** One that knows of revision 4 and judges by the evidence since 500. */
function held(known: Override, tripped: PendingTrip | null = null) {
  const state = initialState({ replica: 'r1', owner: 'r1#n' }, 0)
  return {
    ...state,
    known,
    highest: 4,
    epoch: { ...state.epoch, since: 500 },
    store: { ...state.store, tripped },
  }
}

describe('the adoption of a newer override', () => {
  const LATER = { isFirst: false, isSick: false }
  const SICK = { isFirst: false, isSick: true }

  it('follows where nothing of its own stands against it', () => {
    expect(adoptionKind(held(NEUTRAL), RECOVERING, LATER)).to.equal('followed')
    expect(adoptionKind(held(FALLEN), THEIRS, LATER)).to.equal('followed')
    expect(adoptionKind(held(NEUTRAL), THEIRS, SICK)).to.equal('followed')
  })

  it('takes another fallback for the answer to its own trip', () => {
    const theirs = { ...FALLEN, revision: 5 }
    expect(adoptionKind(held(FALLEN, UPON_NORMAL), theirs, SICK)).to.equal('fell_back')
  })

  it('joins a fallback for others where its own trip still holds', () => {
    const scoped = (scope: Scope | undefined): Override => ({
      ...FALLEN,
      auto: {
        ...(FALLEN.auto as AutoLayer & { state: 'fallback' }),
        ...(scope === undefined ? {} : { scope }),
      },
    })
    const [a, b, x] = [scopeOf('orgs', ['a']), scopeOf('orgs', ['b']), scopeOf('agents', ['x'])]
    const kind = (ours: Scope | undefined, theirs: Scope | undefined, context = SICK) =>
      adoptionKind(held(scoped(ours), UPON_NORMAL), { ...scoped(theirs), revision: 5 }, context)
    expect(kind(a, b)).to.equal('fell_back_apart')
    expect(kind(undefined, b)).to.equal('fell_back_apart')
    expect(kind(a, b, LATER)).to.equal('fell_back')
    expect(kind(a, x)).to.equal('fell_back')
    expect(kind(a, undefined)).to.equal('fell_back')
    expect(kind(a, scopeOf('orgs', ['a', 'b']))).to.equal('fell_back')
    const { holds } = adoptionOf(held(scoped(a), UPON_NORMAL), { ...scoped(b), revision: 5 }, SICK)
    expect(holds).to.deep.equal({ trip: TRIP, scope: a })
    // Everybody together need not be in breach by now, since the scope's turns are elsewhere.
    const theirs = { ...THEIRS, evidenceSince: 500 }
    expect(adoptionKind(held(scoped(a), UPON_NORMAL), theirs, SICK)).to.equal('scoped_trip_lost')
    expect(adoptionKind(held(scoped(a), UPON_NORMAL), theirs, LATER)).to.equal('trip_lost')
    expect(adoptionOf(held(scoped(a), UPON_NORMAL), theirs, SICK)).to.deep.equal({
      isolated: false,
      isolatedTo: null,
      forgetsProbes: false,
      recalls: true,
      holds: { trip: TRIP, scope: a },
    })
    expect(adoptionKind(held(scoped(a)), { ...scoped(b), revision: 5 }, SICK), 'no trip').to.equal(
      'fell_back',
    )
    const ofAll = adoptionOf(held(FALLEN, UPON_NORMAL), { ...scoped(b), revision: 5 }, SICK)
    expect(ofAll.holds).to.deep.equal({ trip: TRIP })
  })

  it('trips again upon what others wrote, unless they have fallen back meanwhile', () => {
    expect(adoptionKind(held(FALLEN, UPON_NORMAL), { ...THEIRS, evidenceSince: 500 }, SICK)).to.equal(
      'trip_lost',
    )
    expect(adoptionKind(held(FALLEN, UPON_NORMAL), RECOVERING, SICK)).to.equal('left_behind')
  })

  it('obeys a reset, seen or covered by another write since its trip', () => {
    expect(adoptionKind(held(FALLEN), RESET, SICK)).to.equal('was_reset')
    expect(adoptionKind(held(FALLEN, UPON_NORMAL), THEIRS, SICK)).to.equal('was_reset')
    expect(adoptionKind(held(NEUTRAL), RESET, { ...LATER, isFirst: true })).to.equal('followed')
  })

  it('takes nothing for a reset but a normal state without trips, whose evidence began anew', () => {
    expect(adoptionKind(held(FALLEN), { ...RESET, trips: 1 }, LATER)).to.equal('followed')
    const handedOver: Override = { ...RECOVERING, actor: 'manual', trips: 0 }
    expect(adoptionKind(held(FALLEN), handedOver, LATER)).to.equal('followed')
    expect(adoptionKind(held(FALLEN), { ...RESET, evidenceSince: 500 }, LATER)).to.equal('followed')
  })

  it('cannot tell a reset since its trip where it knew nothing before', () => {
    const tripped = held(FALLEN, UPON_NORMAL)
    const unknowing = { ...tripped, highest: 0, epoch: { ...tripped.epoch, since: null } }
    expect(adoptionKind(unknowing, THEIRS, SICK)).to.equal('trip_lost')
    expect(adoptionKind({ ...unknowing, epoch: tripped.epoch }, THEIRS, SICK)).to.equal('was_reset')
    expect(adoptionKind({ ...unknowing, highest: 4 }, THEIRS, SICK)).to.equal('was_reset')
  })

  it('takes a trigger of another for no reset', () => {
    const triggered: Override = { ...RESET, manual: { scope: 'all', reason: 'drill' } }
    expect(adoptionKind(held(FALLEN), triggered, SICK)).to.equal('followed')
  })

  it('stays behind, alone, where it is in breach and the others go towards the runtime', () => {
    expect(adoptionKind(held(FALLEN), RECOVERING, SICK)).to.equal('left_behind')
    expect(adoptionKind(held(FALLEN), { ...THEIRS, trips: 1 }, SICK)).to.equal('left_behind')
    expect(adoptionKind(held(RECOVERING), { ...RECOVERING, revision: 6 }, SICK)).to.equal('followed')
    const over = { ...THEIRS, trips: 1 }
    expect(adoptionKind(held(RECOVERING), over, SICK), 'recovered').to.equal('followed')
    expect(adoptionKind(held({ ...NEUTRAL, trips: 1 }), over, SICK)).to.equal('followed')
  })

  it('stays behind for whom it was in breach', () => {
    const acme = scopeOf('orgs', ['acme'])
    const recovering: Override = {
      ...RECOVERING,
      auto: { ...(RECOVERING.auto as AutoLayer & { state: 'recovering' }), scope: acme },
    }
    const leftTo = (state: ReturnType<typeof held>) => {
      expect(adoptionKind(state, recovering, SICK)).to.equal('left_behind')
      return adoptionOf(state, recovering, SICK).isolatedTo
    }
    expect(leftTo(held(NEUTRAL)), 'theirs').to.deep.equal(acme)
    expect(leftTo(held(FALLEN)), 'its own').to.equal(null)
    expect(leftTo({ ...held(FALLEN), isolated: true, isolatedTo: acme }), 'as before').to.deep.equal(acme)
  })

  it('is judged by those for whom it is isolated, or for whom all fall back', () => {
    const acme = scopeOf('orgs', ['acme'])
    const scoped: Override = {
      ...FALLEN,
      auto: { ...(FALLEN.auto as AutoLayer & { state: 'fallback' }), scope: acme },
    }
    expect(judgedScope({ isolated: true, isolatedTo: acme, known: NEUTRAL })).to.deep.equal(acme)
    expect(judgedScope({ isolated: true, isolatedTo: null, known: scoped })).to.equal(undefined)
    expect(judgedScope({ isolated: false, isolatedTo: null, known: scoped })).to.deep.equal(acme)
  })

  it('stays isolated under a fallback for fewer than it is isolated for', () => {
    const [acme, both] = [scopeOf('orgs', ['acme']), scopeOf('orgs', ['acme', 'globex'])]
    const theirs = (scope: Scope): Override => ({
      ...FALLEN,
      auto: { ...(FALLEN.auto as AutoLayer & { state: 'fallback' }), scope },
      revision: 5,
    })
    const isolation = (isolatedTo: Scope | null, scope: Scope) => {
      const after = adoptionOf({ ...held(NEUTRAL), isolated: true, isolatedTo }, theirs(scope), LATER)
      return [after.isolated, after.isolatedTo]
    }
    expect(isolation(null, acme)).to.deep.equal([true, null])
    expect(isolation(both, acme)).to.deep.equal([true, both])
    expect(isolation(acme, both)).to.deep.equal([false, null])
  })

  it('ends an isolation by a fallback or a reset alone', () => {
    const isolated = { ...held(NEUTRAL), isolated: true }
    expect(adoptionOf(isolated, RECOVERING, LATER).isolated).to.equal(true)
    expect(adoptionOf(isolated, FALLEN, LATER).isolated).to.equal(false)
    expect(adoptionOf(isolated, RESET, LATER)).to.deep.equal({
      isolated: false,
      isolatedTo: null,
      forgetsProbes: true,
      recalls: false,
    })
  })
})
