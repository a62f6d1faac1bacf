import { expect } from 'chai'
import type { WhoseOverride } from '../../src/fallback/fallback.js'
import { initialState } from '../../src/fallback/state.js'
import { type Standing, whoseOverride } from '../../src/fallback/whose-override.js'

const TRIP = { auto: { state: 'normal' }, trips: 1, at: 0 } as unknown as Standing['store']['tripped']

describe('whose override counts', () => {
  const quiet: Standing = {
    isolated: false,
    starting: false,
    store: { tripped: null, dirtyAt: null },
    known: { revision: 4 },
  }
  const cases: [what: string, standing: Standing, provided: number | undefined, whose: WhoseOverride][] = [
    ['a tie is the file of the provider', quiet, 4, 'provider'],
    ['a newer one of the provider', quiet, 5, 'provider'],
    ['an older one of the provider', quiet, 3, 'own'],
    ['a provider that has none', quiet, undefined, 'own'],
    ['before anything was read', { ...quiet, starting: true }, 3, 'provider'],
    [
      'before anything was read, but decided',
      { ...quiet, starting: true, store: { tripped: null, dirtyAt: 1 } },
      3,
      'own',
    ],
    [
      'a trip that nobody was told yet, though the provider is newer',
      { ...quiet, store: { tripped: TRIP, dirtyAt: 1 } },
      9,
      'tripped',
    ],
    ['an isolated replica', { ...quiet, isolated: true }, 9, 'isolated'],
    [
      'an isolated replica that tripped too',
      { ...quiet, isolated: true, store: { tripped: TRIP, dirtyAt: 1 } },
      4,
      'isolated',
    ],
  ]
  for (const [what, standing, revision, whose] of cases)
    it(`${what}: ${whose}`, () => {
      const provided = { on: false, ...(revision === undefined ? {} : { revision }) }
      expect(whoseOverride(standing, provided)).to.equal(whose)
    })

  it('is asked of the state as it stands', () => {
    const state = initialState({ replica: 'a', owner: 'a#1' }, 0)
    expect(whoseOverride(state, { on: false })).to.equal('provider')
  })
})
