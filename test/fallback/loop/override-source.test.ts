import { expect } from 'chai'
import type { OverrideSource } from '../../../src/fallback/fallback.js'
import { overrideSource, type Standing } from '../../../src/fallback/loop/override-source.js'
import { initialState } from '../../../src/fallback/machine/state.js'
import { scopeOf } from '../../../src/protocol/fallback-scope.js'

const TRIP = { auto: { state: 'normal' }, trips: 1, at: 0 } as unknown as Standing['store']['tripped']

const SUBJECT = { orgId: 'acme', agentId: 'assistant' }

describe('whose override counts', () => {
  const quiet: Standing = {
    isolated: false,
    isolatedTo: null,
    starting: false,
    store: { tripped: null, dirtyAt: null },
    known: { revision: 4 },
  }
  const cases: [what: string, standing: Standing, provided: number | undefined, whose: OverrideSource][] = [
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
      expect(overrideSource(standing, provided, SUBJECT, () => true)).to.equal(whose)
    })

  it('is its own where the provider only says what others got, unless that is newer', () => {
    const guess = (revision: number) =>
      overrideSource(quiet, { on: true, revision, isGuess: true }, SUBJECT, () => false)
    expect([3, 4, 5].map(guess)).to.deep.equal(['own', 'own', 'provider'])
  })

  it('is of its own scope alone where it tripped or is isolated for that', () => {
    const acme = scopeOf('orgs', ['acme'])
    const isolated: Standing = { ...quiet, isolated: true, isolatedTo: acme }
    expect(overrideSource(isolated, { on: false, revision: 9 }, SUBJECT, () => false)).to.equal('isolated')
    const other = { ...SUBJECT, orgId: 'globex' }
    expect(overrideSource(isolated, { on: false, revision: 9 }, other, () => false)).to.equal('provider')
    const tripped: Standing = { ...quiet, store: { tripped: TRIP, dirtyAt: 1 } }
    expect(overrideSource(tripped, { on: false, revision: 9 }, other, () => false)).to.equal('provider')
    expect(overrideSource(tripped, { on: false, revision: 3 }, other, () => false)).to.equal('own')
  })

  it('is asked of the state as it stands', () => {
    const state = initialState({ replica: 'a', owner: 'a#1' }, 0)
    expect(overrideSource(state, { on: false }, SUBJECT, () => false)).to.equal('provider')
  })
})
