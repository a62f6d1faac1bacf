import { expect } from 'chai'
import type { FlagEdit } from '../../src/protocol/flag-edit.js'
import { edited, fileOf, orgsRule, refusals, SHIPPED, withFlag } from './edited.js'

const BY_HAND = { if: [{ '==': [{ var: 'orgId' }, 'acme'] }, 'standard', null] }
const MADE_BY_HAND = 'was made by hand and is not a form that this service writes; edit the file by hand'

describe('an edit that is refused', () => {
  const targeted: readonly (readonly [flag: string, edit: FlagEdit, what: string])[] = [
    ['chat-execution-mode', { canaryPercent: 5 }, 'the targeting of the mode'],
    ['chat-execution-mode', { enabledOrgs: { add: ['acme'] } }, 'the targeting of the mode'],
    ['chat-runtime-shadow', { shadowPercent: 5 }, 'the targeting of the shadow'],
    ['chat-runtime-guardrails', { guardrails: { minSamples: 5 } }, 'the targeting of the guardrails'],
    ['chat-runtime-fallback-policy', { fallbackPolicy: 'off' }, 'the targeting of the policy'],
    ['chat-llm-route', { llmRoute: { endpoints: ['a'] } }, 'the targeting of the route'],
    ['chat-llm-route', { llmRoute: null }, 'the targeting of the route'],
    ['chat-limits', { limits: { maxStreams: 5 } }, 'the limits'],
  ]
  for (const [flag, edit, what] of targeted)
    it(`names the rule made by hand in ${flag}, for ${JSON.stringify(edit)}`, () => {
      const [first, ...rest] = refusals(withFlag(flag, { targeting: BY_HAND }), edit)
      expect(first?.path).to.equal(`flags.${flag}.targeting`)
      expect(first?.message).to.include(what).and.include(MADE_BY_HAND)
      expect(rest).to.deep.equal([])
    })

  it('takes empty targeting for no rule', () => {
    const text = withFlag('chat-runtime-guardrails', { targeting: {} })
    expect(edited(text, { guardrails: { minSamples: 5 } }).changes).to.have.lengthOf(1)
  })

  it('says so where the list of orgs was made by hand', () => {
    const lists = [
      { in: [{ var: 'userId' }, []] },
      { in: [{ var: 'orgId' }, ['acme', 5]] },
      { in: [{ var: 'orgId' }, 'acme'] },
      { '!': { in: [{ var: 'orgId' }, ['acme']] } },
    ]
    for (const list of lists) {
      const { flags, ...rest } = JSON.parse(SHIPPED)
      const text = JSON.stringify({ ...rest, $evaluators: { 'runtime-enabled-orgs': list }, flags })
      for (const edit of [{ enabledOrgs: { add: ['globex'] } }, { canaryPercent: 5 }]) {
        const found = refusals(text, edit)
        expect(found, text).to.deep.include({
          path: '$evaluators.runtime-enabled-orgs',
          message: `the list of orgs ${MADE_BY_HAND}`,
          zh: '组织列表是手工编写的，不是本服务写入的形式，请直接修改文件',
        })
        expect(found).to.have.lengthOf(1)
      }
    }
  })

  it('lets the mode be set beside a list of orgs made by hand', () => {
    const text = SHIPPED.replace('{ "var": "orgId" }', '{ "var": "userId" }')
    expect(edited(text, { mode: 'direct_llm' }).text).to.equal(
      text.replace('"defaultVariant": null', '"defaultVariant": "direct_llm"'),
    )
    const { $evaluators, flags } = JSON.parse(text)
    delete flags['chat-execution-mode'].targeting
    expect(edited(fileOf(flags, $evaluators), { mode: 'direct_llm' }).changes).to.have.lengthOf(1)
  })

  it('says which variant does not hold what its name says', () => {
    const text = withFlag('chat-runtime-fallback-policy', {
      variants: { auto: 'auto', observe: 'auto', off: 'off' },
    })
    expect(refusals(text, { fallbackPolicy: 'off' })).to.deep.equal([
      {
        path: 'flags.chat-runtime-fallback-policy.variants.observe',
        message: 'is not "observe", as its name says; edit the file by hand',
        zh: '的取值与名称不符，应为 "observe"，请直接修改文件',
      },
    ])
  })

  it('asks for a variant where fields are to be edited and none is in effect', () => {
    const text = withFlag('chat-limits', { defaultVariant: null })
    expect(refusals(text, { limits: { maxStreams: 5 } })).to.deep.equal([
      {
        path: 'flags.chat-limits.defaultVariant',
        message: 'names no variant; name the one that is to be edited',
        zh: '没有指定 variant，请指定要修改的那一个',
      },
    ])
  })

  it('names the part that has another form: a value where an object belongs', () => {
    const text = fileOf({
      'chat-runtime-guardrails': {
        state: 'ENABLED',
        variants: { standard: 5 },
        defaultVariant: 'standard',
      },
    })
    expect(refusals(text, { guardrails: { minSamples: 5 } })).to.deep.equal([
      {
        path: 'flags.chat-runtime-guardrails.variants.standard',
        message: 'has another form than this service writes; edit the file by hand',
        zh: '不是本服务写入的形式，请直接修改文件',
      },
    ])
    const list = `{"$evaluators": [], "flags": {}}`
    expect(refusals(list, { mode: 'direct_llm' })[0]?.path).to.equal('$evaluators')
  })

  it('tells all that is refused, and the place in the text it would have become', () => {
    const text = withFlag('chat-llm-route', { targeting: BY_HAND })
    expect(
      refusals(withFlag('chat-llm-route', { targeting: BY_HAND }), {
        llmRoute: null,
        fallbackPolicy: 'off',
        shadowPercent: 5,
      }).map(({ path }) => path),
    ).to.deep.equal(['flags.chat-llm-route.targeting'])
    const [fault, ...rest] = refusals(text, { guardrails: { minSamples: 0 } })
    const line = text.split('\n').findIndex((one) => one.includes('"minSamples"')) + 1
    expect(fault).to.deep.include({
      path: 'flags.chat-runtime-guardrails.variants.standard.minSamples',
      line,
    })
    expect(fault?.column).to.be.greaterThan(1)
    expect(fault?.message).to.match(/./)
    expect(rest).to.deep.equal([])
  })

  it('is not refused for a fault that was there before', () => {
    const text = withFlag('chat-agent-profile', { variants: { standard: { temperature: 'hot' } } })
    expect(edited(text, { mode: 'direct_llm' }).changes).to.have.lengthOf(1)
    const odd = withFlag('chat-runtime-guardrails', {
      variants: { standard: { minSample: 3, minSamples: 3 } },
    })
    expect(edited(odd, { guardrails: { minSamples: 4 } }).changes).to.have.lengthOf(1)
  })

  it('is refused where the edit itself sets a field that nothing reads, also inside of a block', () => {
    const limits = { variants: { standard: {} }, defaultVariant: 'standard' }
    for (const edit of [{ guardrails: { llm: { gapMss: 5 } } }, { guardrails: { gapMss: 5 } }])
      expect(refusals(SHIPPED, edit)[0]?.message).to.match(/not a field of this flag/)
    const beside: FlagEdit = { mode: 'direct_llm', guardrails: { gapMss: 5 } }
    expect(refusals(SHIPPED, beside)[0]?.message).to.match(/not a field of this flag/)
    // The fault is beneath what changed: the whole flag is new.
    const bare = fileOf({})
    expect(refusals(bare, { guardrails: { minSample: 5 } }).map(({ path }) => path)).to.deep.equal([
      'flags.chat-runtime-guardrails.variants.standard.minSample',
    ])
    expect(refusals(withFlag('chat-limits', limits), { limits: { weight: {} } })).to.have.lengthOf(1)
  })

  it('takes a name that is hardly one, for it was asked for word by word', () => {
    const odd = edited(fileOf({}, orgsRule([])), { enabledOrgs: { add: ['acme, globex'] } })
    expect(odd.text).to.include('"acme, globex"')
  })
})
