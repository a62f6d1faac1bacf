import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import fc from 'fast-check'
import { fieldsRead, loadFlags } from '../../../src/decision/check/flag-source.js'
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

  it('are found in one look at each evaluator, however often they name each other', () => {
    const steps = Array.from({ length: 60 }, (_, step) => step)
    const ref = (step: number) => ({ $ref: `step-${step}` })
    const evaluators = Object.fromEntries(
      steps.map((step) => [
        `step-${step}`,
        step === 0 ? { var: 'orgId' } : { or: [ref(step - 1), ref(step - 1)] },
      ]),
    )
    let looks = 0
    const counted = new Proxy(evaluators, {
      get(target, name) {
        looks += 1
        if (looks > 1_000) throw new Error('it looks too often')
        return Reflect.get(target, name)
      },
    })
    expect(of({ if: [ref(20), 'on', ref(19)] }, counted)).to.deep.equal(['orgId'])
    expect(looks).to.equal(21)
    expect(of({ if: [ref(59), 'on'] }, counted)).to.equal(undefined)
  })

  it('are not told where an evaluator refers to itself', () => {
    const evaluators = {
      one: { or: [{ var: 'orgId' }, { $ref: 'other' }] },
      other: { '!': [{ $ref: 'one' }] },
    }
    expect(of({ if: [{ $ref: 'one' }, 'on'] }, evaluators)).to.equal(undefined)
    expect(of({ if: [{ $ref: 'other' }, 'on'] }, evaluators)).to.equal(undefined)
  })

  it('are those of whose values they read a part', () => {
    expect(of({ '>': [{ var: 'orgId.length' }, 3] })).to.deep.equal(['orgId'])
    expect(of({ '>': [{ var: ['userId.0', ''] }, 3] })).to.deep.equal(['userId'])
  })

  it('are none for names that no caller has', () => {
    expect(of({ '==': [{ var: '../sessionId' }, { var: '.sessionId' }] })).to.deep.equal([])
  })

  it('are not told where the time is read by an evaluator, in which flagd takes $$ for $', () => {
    const evaluators = { late: { '>': [{ var: '$$flagd.timestamp' }, 1] } }
    expect(of({ if: [{ $ref: 'late' }, 'on'] }, evaluators)).to.equal(undefined)
  })

  const untold: Record<string, unknown> = {
    'the session': { '==': [{ var: 'sessionId' }, 's'] },
    'the targeting key': { '==': [{ var: 'targetingKey' }, 's'] },
    'a part of the session': { '>': [{ var: 'sessionId.length' }, 1] },
    'the time': { '>': [{ var: '$flagd.timestamp' }, 1] },
    'the key of the flag': { '==': [{ var: '$flagd.flagKey' }, 'a'] },
    'all that flagd adds': { '!!': { var: '$flagd' } },
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
    'a share by a field of its own': { fractional: [{ var: 'orgId' }, ['on', 1], ['off', 1]] },
    'whether one is missing of some': { missing_some: [1, ['sessionId']] },
    'a name that is no text': { var: 1 },
    'no name at all': { var: [] },
    'the session from within a scope of its own': {
      some: [['s'], { '==': [{ var: '../../sessionId' }, { var: '' }] }],
    },
    'a part of what is in a scope': { all: [['s'], { '==': [{ var: 'length' }, 1] }] },
    'what others make of a scope': { map: [['s'], { var: 'length' }] },
    'a scope of its own': { some: [[1], { '==': [{ var: '' }, 1] }] },
    'two operators': { if: [true, 'on'], var: 'sessionId' },
    'an operator of tomorrow': { tomorrow: [] },
  }
  for (const [what, rule] of Object.entries(untold))
    it(`are not told where the rules read ${what}`, () => {
      expect(of(rule)).to.equal(undefined)
      expect(of({ if: [true, { if: [rule, 'on'] }] })).to.equal(undefined)
    })

  it('are org, user and agent at most in the shipped files, where a flag that turns ask for is loaded', () => {
    const others = { mine: { state: 'ENABLED', variants: { on: true }, defaultVariant: 'on' } }
    for (const [file, kind] of [
      ['flags/chat.flagd.json', 'ops'],
      ['flags/auto-fallback.flagd.json', 'override'],
    ] as const) {
      const document = JSON.parse(readFileSync(file, 'utf8'))
      const text = JSON.stringify({ ...document, flags: { ...document.flags, ...others } })
      const loaded = loadFlags({ kind: 'text', text }, kind, new Map())
      if (loaded.kind !== 'loaded') throw new Error(`${file} is refused`)
      const found = [...loaded.flags].filter(([, flag]) => fieldsRead(flag) !== undefined)
      expect(found.map(([key]) => key)).to.deep.equal(
        [...loaded.flags.keys()].filter((key) => key !== 'mine'),
        file,
      )
    }
  })

  const field = fc.constantFrom(
    ...['orgId', 'userId', 'agentId', 'sessionId', 'targetingKey', 'plan', '', '$flagd.flagKey'],
    ...['orgId.length', 'sessionId.length', '../sessionId', '.sessionId', '\\\\sessionId', 'constructor'],
  )
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
      fc.tuple(tie('value'), tie('value')).map((both) => ({ in: both })),
      fc.tuple(tie('value'), tie('value')).map((both) => ({ cat: both })),
      fc.tuple(tie('value'), tie('value')).map((both) => ({ or: both })),
      tie('value').map((one) => ({ '!': one })),
      field.map((name) => ({ missing: [name] })),
      fc.constantFrom({ $ref: 'first' }, { $ref: 'second' }),
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
      fc.property(rule, rule, field, caller, caller, (condition, first, name, one, other) => {
        const targeting = { if: [condition, 'on', 'off'] }
        const $evaluators = { first: { '!': [first] }, second: { '==': [{ var: name }, 'a'] } }
        const text = JSON.stringify({
          $evaluators,
          flags: {
            flag: { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off', targeting },
          },
        })
        const loaded = loadFlags({ kind: 'text', text }, 'ops', new Map())
        const fields = readFields(targeting, $evaluators)
        fc.pre(loaded.kind === 'loaded' && fields !== undefined)
        const core = flagCoreOf(() => (loaded.kind === 'loaded' ? loaded.flags : new Map()))
        const same = { ...other }
        for (const name of fields ?? []) same[name] = one[name]
        const [answer, second] = [one, same].map((who) =>
          core.resolveBooleanEvaluation(
            'flag',
            false,
            { ...who, targetingKey: who.sessionId },
            silentSdkLogger,
          ),
        )
        expect(second).to.deep.equal(answer)
      }),
      { numRuns: 300 },
    )
  })
})
