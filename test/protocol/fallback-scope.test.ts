import { expect } from 'chai'
import fc from 'fast-check'
import {
  covers,
  includesScope,
  joinScopeIds,
  MAX_SCOPE_IDS,
  scopeNote,
  scopeOf,
  splitScopeIds,
  unionOf,
} from '../../src/protocol/fallback-scope.js'

const id = fc.oneof(fc.constantFrom('a', 'b', 'c', ',', '%2C', '%', ''), fc.string())
const scope = fc
  .tuple(fc.constantFrom('orgs' as const, 'agents' as const), fc.array(id, { minLength: 1, maxLength: 15 }))
  .map(([dimension, ids]) => scopeOf(dimension, ids))
const anyScope = fc.option(scope, { nil: undefined })
const subject = fc.record({ orgId: id, agentId: id })

describe('the scope of an automatic fallback', () => {
  it('is read back from its ids, whatever they are', () => {
    fc.assert(
      fc.property(scope, ({ ids }) => {
        expect(splitScopeIds(joinScopeIds(ids))).to.deep.equal(ids)
      }),
    )
  })

  it('covers by a union all that either covers', () => {
    fc.assert(
      fc.property(anyScope, anyScope, subject, (a, b, who) => {
        const union = unionOf(a, b)
        if (covers(a, who) || covers(b, who)) expect(covers(union, who)).to.equal(true)
        if (union !== undefined) expect(covers(a, who) || covers(b, who)).to.equal(covers(union, who))
        expect(includesScope(union, a) && includesScope(union, b)).to.equal(true)
      }),
    )
  })

  it('is everybody where there are too many, or two dimensions', () => {
    const many = scopeOf(
      'orgs',
      Array.from({ length: MAX_SCOPE_IDS }, (_, at) => `org-${at}`),
    )
    expect(unionOf(many, scopeOf('orgs', ['org-1']))).to.deep.equal(many)
    expect(unionOf(many, scopeOf('orgs', ['one-more']))).to.equal(undefined)
    expect(unionOf(scopeOf('orgs', ['a']), scopeOf('agents', ['a']))).to.equal(undefined)
  })

  it('is told in both languages', () => {
    expect(scopeNote(undefined, 'en')).to.equal('')
    expect(scopeNote(scopeOf('orgs', ['b', 'a']), 'en')).to.equal(' (only orgs: a, b)')
    expect(scopeNote(scopeOf('agents', ['a']), 'zh-CN')).to.equal('（仅限智能体: a）')
  })
})
