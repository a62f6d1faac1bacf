import type { EvaluationDetails } from '@openfeature/server-sdk'
import { expect } from 'chai'
import fc from 'fast-check'
import { OVERRIDE_OFF, OverrideValues } from '../../../src/decision/values/override-values.js'
import { answer, failure } from '../../support/flag-details.js'

/** An answer as the SDK gives it; what people wrote into the metadata may be of any type. */
function carrying(metadata: object): EvaluationDetails<boolean> {
  return { ...answer(true), flagMetadata: { ...metadata } }
}

describe('the override of a turn', () => {
  it('carries the revision of the flag', () => {
    const values = new OverrideValues()
    expect(values.of(true, carrying({ revision: 7 }))).to.deep.equal({ on: true, revision: 7 })
    expect(values.of(false, carrying({ revision: 0, state: 'normal' }))).to.deep.equal({
      on: false,
      revision: 0,
    })
  })

  it('carries none where the flag has none that is a whole number, or there is no flag', () => {
    const values = new OverrideValues()
    for (const revision of ['7', 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60, true, null, undefined])
      expect(values.of(true, carrying({ revision }))).to.deep.equal({ on: true })
    const missing = { ...failure(false), flagMetadata: { revision: 3 } }
    expect(values.of(false, missing)).to.equal(OVERRIDE_OFF)
  })

  it('is one object for both sides of the last revisions', () => {
    const values = new OverrideValues()
    const seen = [1, 2, 3].flatMap((revision) =>
      [true, false].map((on) => ({ on, details: carrying({ revision }) })),
    )
    const first = seen.map(({ on, details }) => values.of(on, details))
    expect(new Set(first).size).to.equal(6)
    expect(seen.map(({ on, details }) => values.of(on, details))).to.have.ordered.members(first)
  })

  it('is right after any course of revisions', () => {
    const course = fc.array(fc.tuple(fc.boolean(), fc.option(fc.nat(12), { nil: undefined })))
    fc.assert(
      fc.property(course, (steps) => {
        const values = new OverrideValues()
        for (const [on, revision] of steps) {
          const details = carrying(revision === undefined ? {} : { revision })
          const value = values.of(on, details)
          expect(value).to.deep.equal(revision === undefined ? { on } : { on, revision })
          expect(values.of(on, details)).to.equal(value)
        }
      }),
      { numRuns: 100 },
    )
  })
})
