import { expect } from 'chai'
import fc from 'fast-check'
import {
  compare,
  editOf,
  type FormValues,
  formOf,
  lines,
  onTop,
} from '../../../src/console/rollout/form-values.js'
import type { OpsValues } from '../../../src/protocol/flag-edit.js'

const VALUES: OpsValues = {
  mode: { value: null, enabledOrgs: ['acme', 'globex'], canaryPercent: 0 },
  shadow: { percent: null, handMade: false },
  guardrails: { errorRate: null, timeoutRate: 0.3, rampPercents: [5, 25, 100] },
  fallbackPolicy: 'auto',
  llmRoute: null,
  limits: { maxStreams: null, streamsPerOrg: 200, weights: { acme: 3 }, overloadDelayMs: 100 },
}
const FORM = formOf(VALUES)

const name = fc.constantFrom('acme', 'globex', 'initech', 'umbrella', 'hooli')
const form: fc.Arbitrary<FormValues> = fc.record({
  mode: fc.constantFrom('', 'direct_llm', 'runtime_orchestrator'),
  orgs: fc.uniqueArray(name).map((orgs) => orgs.join('\n')),
  canary: fc.integer({ min: 0, max: 100 }).map(String),
  shadow: fc.option(fc.integer({ min: 0, max: 100 }).map(String), { nil: '' }),
  policy: fc.constantFrom('auto', 'observe', 'off'),
  route: fc.uniqueArray(name).map((endpoints) => endpoints.join('\n')),
  guardrails: fc.record({
    errorRate: fc.double({ min: 0, max: 1, noNaN: true }).map((n) => JSON.stringify(n)),
  }),
  limits: fc.record({
    maxStreams: fc.option(fc.integer({ min: 1, max: 1_000 }).map(String), { nil: '' }),
    streamsPerUser: fc.constant(''),
    streamsPerOrg: fc.option(fc.nat(1_000).map(String), { nil: '' }),
    startsPerMinutePerUser: fc.constant(''),
    startsPerMinutePerOrg: fc.constant(''),
    tokensPerDayPerOrg: fc.constant(''),
    overloadDelayMs: fc.nat(1_000).map(String),
    weights: fc
      .uniqueArray(fc.tuple(name, fc.integer({ min: 1, max: 9 })), { selector: ([org]) => org })
      .map((all) => all.map(([org, weight]) => `${org} = ${weight}`).join('\n')),
  }),
})

describe('the form of the flags', () => {
  it('changes nothing as long as nothing is touched', () => {
    fc.assert(
      fc.property(form, (values) => {
        expect(editOf(values, values)).to.deep.equal({ kind: 'none' })
      }),
    )
  })

  it('names only what was touched, and organisations one by one', () => {
    const now = {
      ...FORM,
      mode: 'runtime_orchestrator',
      orgs: 'globex\n initech \n\ninitech',
      canary: '5',
      shadow: '10',
      guardrails: { ...FORM.guardrails, errorRate: ' 0.4 ' },
    }
    expect(editOf(FORM, now)).to.deep.equal({
      kind: 'edit',
      edit: {
        mode: 'runtime_orchestrator',
        enabledOrgs: { add: ['initech'], remove: ['acme'] },
        canaryPercent: 5,
        shadowPercent: 10,
        guardrails: { errorRate: 0.4 },
      },
    })
  })

  it('gives a decision back to the environment by an empty field', () => {
    const before = { ...FORM, mode: 'direct_llm', shadow: '10', route: 'primary' }
    const now = { ...before, mode: '', shadow: '', route: '' }
    expect(editOf(before, now)).to.deep.equal({
      kind: 'edit',
      edit: { mode: null, shadowPercent: null, llmRoute: null },
    })
  })

  it('names the limits that were touched, and shares one by one', () => {
    const limits = {
      ...FORM.limits,
      maxStreams: ' 500',
      streamsPerOrg: '',
      weights: 'globex = 0.5\n\n',
    }
    expect(editOf(FORM, { ...FORM, limits })).to.deep.equal({
      kind: 'edit',
      edit: { limits: { maxStreams: 500, streamsPerOrg: null, weights: { acme: null, globex: 0.5 } } },
    })
    const same = { ...FORM.limits, streamsPerOrg: '0200', weights: ' acme=3 ' }
    expect(editOf(FORM, { ...FORM, limits: same })).to.deep.equal({ kind: 'none' })
  })

  it('says which limit cannot be', () => {
    const limits = { ...FORM.limits, overloadDelayMs: '' }
    expect(editOf(FORM, { ...FORM, limits })).to.deep.equal({
      kind: 'limit',
      field: 'overloadDelayMs',
      fault: { kind: 'whole', least: 0, most: 60_000 },
    })
  })

  it('says which guardrail is no JSON', () => {
    const now = { ...FORM, guardrails: { ...FORM.guardrails, timeoutRate: '0,3' } }
    expect(editOf(FORM, now)).to.deep.equal({ kind: 'fault', field: 'timeoutRate' })
  })
})

describe('two edits of the same flags', () => {
  it('put on top of each other keep what each one touched, and mine where both did', () => {
    fc.assert(
      fc.property(form, form, form, (before, theirs, mine) => {
        const both = onTop(before, theirs, mine)
        for (const field of ['mode', 'canary', 'shadow', 'policy', 'route'] as const)
          expect(both[field]).to.equal(mine[field] === before[field] ? theirs[field] : mine[field])
        const [b, t, m, all] = [before, theirs, mine, both].map(({ orgs }) => new Set(lines(orgs)))
        for (const org of ['acme', 'globex', 'initech', 'umbrella', 'hooli']) {
          const untouched = b?.has(org) === m?.has(org)
          expect(all?.has(org), org).to.equal((untouched ? t : m)?.has(org))
        }
        for (const limit of ['maxStreams', 'streamsPerOrg', 'overloadDelayMs'] as const)
          expect(both.limits[limit]).to.equal(
            mine.limits[limit] === before.limits[limit] ? theirs.limits[limit] : mine.limits[limit],
          )
        const [wb, wt, wm, shares] = [before, theirs, mine, both].map(
          ({ limits }) => new Map(lines(limits.weights).map((line) => line.split(' = ') as [string, string])),
        )
        for (const org of ['acme', 'globex', 'initech', 'umbrella', 'hooli']) {
          const untouched = wb?.get(org) === wm?.get(org)
          expect(shares?.get(org), org).to.equal((untouched ? wt : wm)?.get(org))
        }
      }),
    )
  })

  it('are compared field by field, and equal fields are left out', () => {
    const theirs = { ...FORM, canary: '10' }
    const mine = { ...FORM, canary: '5', guardrails: { ...FORM.guardrails, errorRate: '0.4' } }
    expect(compare(FORM, theirs, mine)).to.deep.equal([
      { field: 'canary', before: '0', theirs: '10', mine: '5' },
      { field: 'guardrails.errorRate', before: 'null', theirs: 'null', mine: '0.4' },
    ])
  })
})
