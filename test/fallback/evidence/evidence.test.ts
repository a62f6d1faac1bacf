import { expect } from 'chai'
import {
  type Evidence,
  insideOf,
  NO_EXECUTIONS,
  outsideOf,
  withoutExecutions,
  withoutHealth,
} from '../../../src/fallback/evidence/evidence.js'
import { scopeOf } from '../../../src/protocol/fallback-scope.js'
import { CALM, over, tally } from '../machine/driven.js'

const ACME = scopeOf('orgs', ['acme'])
const GLOBEX = scopeOf('orgs', ['globex'])
const suspect = (id: string) => ({
  ...scopeOf('orgs', [id]),
  tally: tally(5, 5),
  left: tally(5),
  others: { slow: tally(5), fast: tally(5), newest: tally(5) },
})
const PLAIN: Evidence = { ...CALM, runtime: over(tally(20, 2)) }
const SCOPED: Evidence = {
  ...PLAIN,
  suspects: [suspect('everybody')],
  scoped: {
    scope: ACME,
    inside: over(tally(3, 3)),
    rest: over(tally(17)),
    suspects: [suspect('rest')],
    quietForMs: 70_000,
  },
}

describe('the evidence of a scope', () => {
  it('is its own executions and its own quiet time, with the health of everybody', () => {
    expect(insideOf(SCOPED, ACME)).to.deep.equal({
      ...SCOPED,
      runtime: over(tally(3, 3)),
      quietForMs: 70_000,
    })
    expect(insideOf(SCOPED, undefined)).to.equal(SCOPED)
  })

  it('is nothing where it was gathered for others', () => {
    for (const [evidence, scope] of [
      [SCOPED, GLOBEX],
      [SCOPED, scopeOf('agents', ['acme'])],
      [PLAIN, ACME],
    ] as const)
      expect(insideOf(evidence, scope)).to.deep.equal({ ...evidence, runtime: NO_EXECUTIONS, quietForMs: 0 })
  })

  it('leaves to everybody else the executions of the rest, and who fails there', () => {
    const { scoped: _, ...everybody } = SCOPED
    expect(outsideOf(SCOPED, ACME)).to.deep.equal({
      ...everybody,
      runtime: over(tally(17)),
      suspects: [suspect('rest')],
    })
    const { suspects: __, ...scoped } = SCOPED.scoped ?? { suspects: [] }
    const calm = outsideOf({ ...SCOPED, scoped: scoped as NonNullable<Evidence['scoped']> }, ACME)
    expect(calm).to.not.have.any.keys('suspects', 'scoped')
  })

  it('is everybody’s where it was gathered for others, and who fails among them', () => {
    const { scoped: _, ...everybody } = SCOPED
    expect(outsideOf(SCOPED, GLOBEX)).to.deep.equal(everybody)
    expect(outsideOf(PLAIN, ACME)).to.deep.equal(PLAIN)
  })
})

describe('evidence that is forgotten', () => {
  it('is all executions, of whomever, or all probes', () => {
    const { scoped: _, suspects: __, ...rest } = SCOPED
    expect(withoutExecutions(SCOPED)).to.deep.equal({ ...rest, runtime: NO_EXECUTIONS })
    expect(withoutHealth(SCOPED)).to.deep.equal({
      ...SCOPED,
      probe: { failures: 0, goodForMs: 0, healthy: false },
    })
  })
})
