import { expect } from 'chai'
import { fileOf, orgsRule, SHIPPED, valuesOf, withFlag } from './edited.js'

const RULE = (...parts: unknown[]) => ({
  if: [{ $ref: 'runtime-enabled-orgs' }, 'runtime_orchestrator', ...parts],
})
const share = (...pairs: unknown[]) => ({ fractional: pairs })
const modeOf = (targeting: unknown) => valuesOf(withFlag('chat-execution-mode', { targeting })).mode

describe('what the operators’ file says', () => {
  it('is read from the shipped file', () => {
    const { guardrails, limits, ...rest } = valuesOf(SHIPPED)
    expect(guardrails).to.include({ minSamples: 10, scoped: true })
    expect(limits).to.include({ overloadDelayMs: 100 })
    expect(rest).to.deep.equal({
      mode: { value: null, enabledOrgs: [], canaryPercent: 0 },
      shadow: { percent: null, handMade: false },
      fallbackPolicy: 'auto',
      llmRoute: null,
    })
  })

  it('is nothing in an empty file, and in one without flags', () => {
    for (const text of [fileOf({}), '{}'])
      expect(valuesOf(text)).to.deep.equal({
        mode: { value: null, enabledOrgs: null, canaryPercent: 0 },
        shadow: { percent: null, handMade: false },
        guardrails: null,
        fallbackPolicy: null,
        limits: null,
        llmRoute: null,
      })
  })

  it('knows the share of the canary in each form of its rule', () => {
    const five = share(['runtime_orchestrator', 5], ['direct_llm', 95])
    for (const [targeting, percent] of [
      [null, 0],
      [{}, 0],
      [RULE(), 0],
      [RULE(null), 0],
      [RULE(five), 5],
      [RULE(share(['runtime_orchestrator', 100], ['direct_llm', 0])), 100],
    ] as const)
      expect(modeOf(targeting), JSON.stringify(targeting)).to.deep.equal({
        value: null,
        enabledOrgs: [],
        canaryPercent: percent,
      })
  })

  it('takes any other rule for one made by hand', () => {
    const five = share(['runtime_orchestrator', 5], ['direct_llm', 95])
    for (const targeting of [
      5,
      'runtime_orchestrator',
      [],
      five,
      { if: 'x' },
      { if: [{ $ref: 'others' }, 'runtime_orchestrator', null] },
      { if: [{}, 'runtime_orchestrator', null] },
      { if: [{ $ref: 'runtime-enabled-orgs' }, 'direct_llm', null] },
      { ...RULE(null), and: [] },
      RULE(null, null),
      RULE('runtime_orchestrator'),
      RULE({ fractional: 5 }),
      RULE(share('runtime_orchestrator', 'direct_llm')),
      RULE(share(['runtime_orchestrator'], ['direct_llm'])),
      RULE(share(['runtime_orchestrator', '5'], ['direct_llm', 95])),
      RULE(share(['runtime_orchestrator', 5], ['direct_llm', 94])),
      RULE(share(['direct_llm', 5], ['runtime_orchestrator', 95])),
      RULE(share(['runtime_orchestrator', 5], ['direct_llm', 95], ['other', 0])),
      RULE({ ...five, or: [] }),
    ])
      expect(modeOf(targeting), JSON.stringify(targeting)).to.deep.equal({
        value: null,
        enabledOrgs: null,
        canaryPercent: null,
      })
  })

  it('shows no orgs where their list was made by hand', () => {
    for (const rule of [
      { in: [{ var: 'orgId' }, ['acme'], []] },
      { in: [{ var: 'orgId' }] },
      { in: { 0: { var: 'orgId' }, 1: ['acme'], length: 2 } },
      { in: [{ var: 'orgId' }, ['acme']], or: [] },
      { in: [{ var: 'userId' }, ['acme']] },
      { in: [{}, ['acme']] },
      { in: [{ var: 'orgId' }, ['acme', 5]] },
      [{ var: 'orgId' }, ['acme']],
    ])
      expect(valuesOf(fileOf({}, { 'runtime-enabled-orgs': rule })).mode.enabledOrgs).to.equal(null)
  })

  it('tells the share of shadows from a rule made by hand and from none', () => {
    const shadowOf = (targeting: unknown) => valuesOf(withFlag('chat-runtime-shadow', { targeting })).shadow
    expect(shadowOf(share(['on', 5], ['off', 95]))).to.deep.equal({ percent: 5, handMade: false })
    for (const none of [null, {}]) expect(shadowOf(none)).to.deep.equal({ percent: null, handMade: false })
    for (const rule of [{ if: [true, 'on', 'off'] }, share(['off', 5], ['on', 95]), [], 'on'])
      expect(shadowOf(rule)).to.deep.equal({ percent: null, handMade: true })
  })

  it('shows the orgs and the variants that are in effect', () => {
    const { mode } = valuesOf(
      fileOf(
        { 'chat-execution-mode': { variants: { x: 'runtime_orchestrator' }, defaultVariant: 'x' } },
        orgsRule(['acme', 'globex']),
      ),
    )
    expect(mode).to.deep.equal({
      value: 'runtime_orchestrator',
      enabledOrgs: ['acme', 'globex'],
      canaryPercent: 0,
    })
    const odd = valuesOf(
      fileOf({
        'chat-execution-mode': { variants: { x: 'both' }, defaultVariant: 'x' },
        'chat-runtime-guardrails': { variants: { x: [1] }, defaultVariant: 'x' },
        'chat-runtime-fallback-policy': { variants: { x: 'sometimes' }, defaultVariant: 'x' },
        'chat-limits': { variants: { x: null }, defaultVariant: 'x' },
        'chat-llm-route': { variants: { x: { endpoints: ['a', 5] } }, defaultVariant: 'x' },
      }),
    )
    expect(odd).to.deep.include({ guardrails: null, fallbackPolicy: null, limits: null, llmRoute: null })
    expect(odd.mode.value).to.equal(null)
  })

  it('shows no route that a rule decides', () => {
    const route = { variants: { x: { endpoints: ['a'] } }, defaultVariant: 'x' }
    const routeOf = (flag: object) => valuesOf(withFlag('chat-llm-route', flag)).llmRoute
    expect(routeOf(route)).to.deep.equal(['a'])
    expect(routeOf({ ...route, targeting: {} })).to.deep.equal(['a'])
    expect(routeOf({ ...route, targeting: { if: [true, 'x', null] } })).to.equal(null)
    expect(routeOf({ ...route, defaultVariant: 5 })).to.equal(null)
  })
})
