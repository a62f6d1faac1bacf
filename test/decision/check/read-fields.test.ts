import { expect } from 'chai'
import fc from 'fast-check'
import { loadFlags } from '../../../src/decision/check/flag-source.js'
import { readFields } from '../../../src/decision/check/read-fields.js'
import { flagCoreOf } from '../../../src/decision/flag-core.js'
import { silentSdkLogger } from '../../../src/decision/sdk-logger.js'

describe('the fields of a caller that the rules of a flag read', () => {
  const of = (targeting: unknown, evaluators?: Record<string, unknown>) => {
    const fields = readFields(targeting, evaluators)
    return fields && [...fields]
  }

  it('are none without rules', () => {
    expect(of(undefined)).to.deep.equal([])
    expect(of({})).to.deep.equal([])
    expect(of('on')).to.deep.equal([])
  })

  it('are those named by var, in any depth', () => {
    expect(of({ if: [{ in: [{ var: 'orgId' }, ['a', 'b']] }, 'on', null] })).to.deep.equal(['orgId'])
    expect(
      of({ if: [{ and: [{ '==': [{ var: ['agentId', 'x'] }, 'x'] }, { var: 'userId' }] }, 'on'] }),
    ).to.deep.equal(['agentId', 'userId'])
  })

  it('are those of the evaluators that they refer to', () => {
    const named = { 'my-orgs': { in: [{ var: 'orgId' }, []] }, round: { $ref: 'round' } }
    expect(of({ if: [{ $ref: 'my-orgs' }, 'on'] }, named)).to.deep.equal(['orgId'])
    expect(of({ if: [{ $ref: 'round' }, 'on'] }, named)).to.equal(undefined)
    expect(of({ if: [{ $ref: 'other' }, 'on'] }, named)).to.equal(undefined)
  })

  const untold: Record<string, unknown> = {
    'the session': { '==': [{ var: 'sessionId' }, 's'] },
    'the targeting key': { '==': [{ var: 'targetingKey' }, 's'] },
    'the time': { '>': [{ var: '$flagd.timestamp' }, 1] },
    'a share': {
      fractional: [
        ['on', 1],
        ['off', 1],
      ],
    },
    everything: { '==': [{ var: '' }, 1] },
    'a computed field': { var: { cat: ['session', 'Id'] } },
    'a computed default': { var: ['orgId', { var: 'sessionId' }] },
    'fields that are missing': { missing: ['sessionId'] },
    'a scope of its own': { some: [[1], { '==': [{ var: '' }, 1] }] },
    'two operators': { if: [true, 'on'], var: 'sessionId' },
    'an operator of tomorrow': { tomorrow: [] },
  }
  for (const [what, rule] of Object.entries(untold))
    it(`are not told where the rules read ${what}`, () => {
      expect(of(rule)).to.equal(undefined)
      expect(of({ if: [true, { if: [rule, 'on'] }] })).to.equal(undefined)
    })

  const field = fc.constantFrom('orgId', 'userId', 'agentId', 'sessionId', 'targetingKey', 'plan')
  const { rule } = fc.letrec<{ rule: unknown; value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('a', 'b', 'ab', 1, true),
      field.map((name) => ({ var: name })),
      fc.tuple(field, tie('value')).map(([name, other]) => ({ var: [name, other] })),
      tie('rule'),
    ),
    rule: fc.oneof(
      { depthSize: 'small' },
      fc.tuple(tie('value'), tie('value')).map((both) => ({ '==': both })),
      fc.tuple(tie('value'), tie('value')).map((both) => ({ starts_with: both })),
      fc.tuple(tie('value'), tie('value'), tie('value')).map((all) => ({ if: all })),
      fc.constant({
        fractional: [
          ['on', 1],
          ['off', 1],
        ],
      }),
    ),
  }))
  const id = fc.constantFrom('a', 'b', 'ab')
  const caller = fc.record({ orgId: id, userId: id, agentId: id, sessionId: id })

  it('decide: two callers who are the same in them get the same answer', () => {
    fc.assert(
      fc.property(rule, caller, caller, (condition, one, other) => {
        const targeting = { if: [condition, 'on', 'off'] }
        const text = JSON.stringify({
          flags: {
            flag: { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off', targeting },
          },
        })
        const loaded = loadFlags({ kind: 'text', text }, 'ops', new Map())
        const fields = readFields(targeting)
        fc.pre(loaded.kind === 'loaded' && fields !== undefined)
        const core = flagCoreOf(() => (loaded.kind === 'loaded' ? loaded.flags : new Map()))
        const same = { ...other }
        for (const name of fields ?? []) same[name] = one[name]
        const [first, second] = [one, same].map((who) =>
          core.resolveBooleanEvaluation(
            'flag',
            false,
            { ...who, targetingKey: who.sessionId },
            silentSdkLogger,
          ),
        )
        expect(second).to.deep.equal(first)
      }),
    )
  })
})
