import { expect } from 'chai'
import { adoptionKind, adoptionOf } from '../../../src/fallback/machine/adoption.js'
import { initialState, type PendingTrip } from '../../../src/fallback/machine/state.js'
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

  it('takes a trigger of another for no reset', () => {
    const triggered: Override = { ...RESET, manual: { scope: 'all', reason: 'drill' } }
    expect(adoptionKind(held(FALLEN), triggered, SICK)).to.equal('followed')
  })

  it('stays behind, alone, where it is in breach and the others go towards the runtime', () => {
    expect(adoptionKind(held(FALLEN), RECOVERING, SICK)).to.equal('left_behind')
    expect(adoptionKind(held(FALLEN), { ...THEIRS, trips: 1 }, SICK)).to.equal('left_behind')
    expect(adoptionKind(held(RECOVERING), { ...RECOVERING, revision: 6 }, SICK)).to.equal('followed')
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
