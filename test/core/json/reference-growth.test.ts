import { expect } from 'chai'
import { expansionFault } from '../../../src/core/json/reference-growth.js'

const ref = (name: string) => ({ $ref: name })
const flags = (targeting: unknown) => ({
  chat: { state: 'ENABLED', variants: { on: true }, defaultVariant: 'on', targeting },
})

/** Each names the next one twice. */
const doubling = (steps: number) =>
  Object.fromEntries(
    Array.from({ length: steps }, (_, at) => [`e${at}`, { and: [ref(`e${at + 1}`), ref(`e${at + 1}`)] }]),
  )

describe('what a flag document grows to by its references', () => {
  it('is nothing to speak of in any usual document', () => {
    expect(
      expansionFault({ flags: flags({ if: [ref('orgs'), 'on'] }), $evaluators: { orgs: { in: [1, [2]] } } }),
    ).to.equal(undefined)
    for (const document of [
      null,
      1,
      [],
      {},
      { flags: {} },
      { $evaluators: 'x' },
      { $evaluators: [ref('0')] },
    ])
      expect(expansionFault(document), JSON.stringify(document)).to.equal(undefined)
    const million = { in: [{ var: 'orgId' }, Array.from({ length: 1_000_000 }, (_, at) => `o${at}`)] }
    expect(expansionFault({ flags: flags(ref('orgs')), $evaluators: { orgs: million } })).to.equal(undefined)
  })

  it('is refused where it doubles at each step, in whichever order, or goes round in a circle', () => {
    const steps = doubling(60)
    const backwards = Object.fromEntries(Object.entries(steps).reverse())
    expect(expansionFault({ flags: flags(ref('e0')), $evaluators: steps })?.en).to.match(/grow without end/)
    // flagd-core goes by the order of the keys: what is named by a later one is not replaced again.
    expect(expansionFault({ flags: flags(ref('e59')), $evaluators: backwards })).to.equal(undefined)
    const names = Array.from({ length: 30 }, (_, at) => ref(`e${at}`))
    const all = Object.fromEntries(names.map((_, at) => [`e${at}`, { or: names }]))
    expect(expansionFault({ flags: flags(ref('e0')), $evaluators: all })?.en).to.match(/grow without end/)
    expect(expansionFault({ flags: {}, $evaluators: steps })?.en, 'among themselves alone').to.match(/grow/)
  })

  it('is refused where an evaluator has a sign by which another text comes in', () => {
    for (const sign of ['$&', '$`', "$'"])
      expect(expansionFault({ flags: flags(ref('e')), $evaluators: { e: { in: [sign, []] } } })?.en).to.match(
        /signs/,
      )
    expect(expansionFault({ flags: flags(ref('e')), $evaluators: { e: { in: ['$1 $', []] } } })).to.equal(
      undefined,
    )
  })

  it('is refused where so many evaluators would be looked for in so many flags', () => {
    const many = (count: number, one: (at: number) => unknown) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, one(at)]))
    const document = (count: number) => ({
      flags: many(count, () => ({ state: 'ENABLED', variants: { on: true } })),
      $evaluators: many(count, () => ({ '==': [1, 1] })),
    })
    expect(expansionFault(document(100))).to.equal(undefined)
    expect(expansionFault(document(2_000))?.en).to.match(/too many evaluators/)
  })
})
