import { expect } from 'chai'
import type { EnvironmentMode } from '../../src/flag-edits/edit-ops-file.js'
import type { FlagEdit } from '../../src/protocol/flag-edit.js'
import { edited, fileOf, orgsRule, SHIPPED, valuesOf, withFlag } from './edited.js'

const MODE = {
  state: 'ENABLED',
  variants: { direct_llm: 'direct_llm', runtime_orchestrator: 'runtime_orchestrator' },
}
const ORGS = { $ref: 'runtime-enabled-orgs' }

const ALL: FlagEdit = {
  mode: 'runtime_orchestrator',
  enabledOrgs: { add: ['acme'] },
  canaryPercent: 5,
  shadowPercent: 10,
  guardrails: { minSamples: 5 },
  fallbackPolicy: 'observe',
  llmRoute: { endpoints: ['b', 'a'] },
  limits: { maxStreams: 7 },
}
const MADE = {
  'chat-execution-mode': {
    ...MODE,
    defaultVariant: 'runtime_orchestrator',
    targeting: {
      if: [
        ORGS,
        'runtime_orchestrator',
        {
          fractional: [
            ['runtime_orchestrator', 5],
            ['direct_llm', 95],
          ],
        },
      ],
    },
  },
  'chat-runtime-shadow': {
    state: 'ENABLED',
    variants: { on: true, off: false },
    defaultVariant: null,
    targeting: {
      fractional: [
        ['on', 10],
        ['off', 90],
      ],
    },
  },
  'chat-runtime-guardrails': {
    state: 'ENABLED',
    variants: { standard: { minSamples: 5 } },
    defaultVariant: 'standard',
  },
  'chat-runtime-fallback-policy': {
    state: 'ENABLED',
    variants: { auto: 'auto', observe: 'observe', off: 'off' },
    defaultVariant: 'observe',
  },
  'chat-llm-route': {
    state: 'ENABLED',
    variants: { default: { endpoints: ['b', 'a'] } },
    defaultVariant: 'default',
  },
  'chat-limits': { state: 'ENABLED', variants: { standard: { maxStreams: 7 } }, defaultVariant: 'standard' },
}

describe('flags that an edit makes', () => {
  it('are whole in an empty file', () => {
    expect(JSON.parse(edited('{"flags": {}}', ALL).text)).to.deep.equal({
      $evaluators: orgsRule(['acme']),
      flags: MADE,
    })
  })

  it('are told as they were made: the list of orgs empty at first', () => {
    const { changes } = edited('{"flags": {}}', { enabledOrgs: { add: ['acme'] } })
    expect(changes).to.deep.include({
      path: '$evaluators.runtime-enabled-orgs',
      after: { in: [{ var: 'orgId' }, []] },
    })
  })

  it('carry their keys in a list', () => {
    const other = { key: 'others', state: 'ENABLED', variants: { on: true }, defaultVariant: 'on' }
    const { text, changes } = edited(JSON.stringify({ flags: [other] }), ALL)
    const { flags } = JSON.parse(text)
    expect(flags).to.deep.equal([other, ...Object.entries(MADE).map(([key, flag]) => ({ key, ...flag }))])
    expect(changes.map(({ path }) => path)).to.deep.equal([
      'flags.chat-execution-mode',
      '$evaluators.runtime-enabled-orgs',
      '$evaluators.runtime-enabled-orgs.in.1',
      'flags.chat-execution-mode.defaultVariant',
      'flags.chat-execution-mode.targeting',
      'flags.chat-runtime-shadow',
      'flags.chat-runtime-shadow.targeting',
      'flags.chat-runtime-guardrails',
      'flags.chat-runtime-fallback-policy',
      'flags.chat-runtime-fallback-policy.defaultVariant',
      'flags.chat-llm-route',
      'flags.chat-limits',
    ])
  })

  it('get the variants that they lack', () => {
    const text = withFlag('chat-runtime-fallback-policy', { variants: { auto: 'auto' } })
    expect(edited(text, { fallbackPolicy: 'off' }).changes).to.deep.equal([
      { path: 'flags.chat-runtime-fallback-policy.variants.observe', after: 'observe' },
      { path: 'flags.chat-runtime-fallback-policy.variants.off', after: 'off' },
      { path: 'flags.chat-runtime-fallback-policy.defaultVariant', before: 'auto', after: 'off' },
    ])
  })

  it('are not made where there is nothing to say', () => {
    const none = edited('{"flags": {}}', { llmRoute: null })
    expect(none).to.deep.equal({ kind: 'edited', text: '{"flags": {}}', changes: [] })
  })

  it('leave the rest as it was: an edit of one changes no other', () => {
    const { flags } = JSON.parse(SHIPPED)
    for (const edit of [
      { limits: { maxStreams: 7 } },
      { guardrails: { minSamples: 7 } },
      { shadowPercent: 7 },
      { fallbackPolicy: 'off' as const },
      { llmRoute: { endpoints: ['a'] } },
    ]) {
      const after = JSON.parse(edited(SHIPPED, edit).text).flags
      const changed = Object.keys(flags).filter(
        (key) => JSON.stringify(flags[key]) !== JSON.stringify(after[key]),
      )
      expect(changed).to.have.lengthOf(1)
    }
  })
})

describe('the route', () => {
  it('is written into the variant that is in effect, or into one of its own', () => {
    const named = withFlag('chat-llm-route', {
      variants: { mine: { endpoints: ['a'] }, default: { endpoints: ['d'] } },
      defaultVariant: 'mine',
    })
    expect(edited(named, { llmRoute: { endpoints: ['b'] } }).changes).to.deep.equal([
      { path: 'flags.chat-llm-route.variants.mine.endpoints', before: ['a'], after: ['b'] },
    ])
    const bare = withFlag('chat-llm-route', { variants: { other: { endpoints: ['a'] } } })
    expect(edited(bare, { llmRoute: { endpoints: ['b'] } }).changes.map(({ path }) => path)).to.deep.equal([
      'flags.chat-llm-route.variants.default.endpoints',
      'flags.chat-llm-route.defaultVariant',
    ])
    expect(edited(named, { llmRoute: null }).changes).to.deep.equal([
      { path: 'flags.chat-llm-route.defaultVariant', before: 'mine', after: null },
    ])
  })
})

describe('the mode flag and the environment', () => {
  const environment: EnvironmentMode = { mode: 'runtime_orchestrator', enabledOrgs: ['acme'] }
  const modeOf = (text: string) => JSON.parse(text).flags['chat-execution-mode']
  const orgsOf = (text: string) => JSON.parse(text).$evaluators['runtime-enabled-orgs'].in[1]

  it('takes over what the environment says, and the orgs first', () => {
    const { text } = edited(SHIPPED, { enabledOrgs: { add: ['globex'] } }, environment)
    expect(modeOf(text).defaultVariant).to.equal('runtime_orchestrator')
    expect(orgsOf(text)).to.deep.equal(['acme', 'globex'])
    const set = edited(SHIPPED, { enabledOrgs: { set: ['globex'] } }, environment)
    expect(orgsOf(set.text)).to.deep.equal(['globex'])
    const mode = edited(SHIPPED, { mode: 'direct_llm' }, environment)
    expect(modeOf(mode.text).defaultVariant).to.equal('direct_llm')
    expect(orgsOf(mode.text)).to.deep.equal(['acme'])
    const canary = edited(SHIPPED, { canaryPercent: 1 }, environment)
    expect(modeOf(canary.text).defaultVariant).to.equal('runtime_orchestrator')
  })

  it('leaves the say to the environment where nothing is asked of the flag', () => {
    for (const edit of [{ canaryPercent: 0 }, { mode: null }, { mode: null, canaryPercent: 0 }])
      expect(edited(SHIPPED, edit, environment)).to.deep.equal({ kind: 'edited', text: SHIPPED, changes: [] })
    const orgs = edited(SHIPPED, { mode: null, enabledOrgs: { add: ['globex'] } }, environment)
    expect(modeOf(orgs.text).defaultVariant).to.equal(null)
    expect(orgsOf(orgs.text)).to.deep.equal(['globex'])
  })

  it('takes nothing over once the flag says anything', () => {
    const text = withFlag('chat-execution-mode', { defaultVariant: 'direct_llm' })
    const { changes } = edited(text, { enabledOrgs: { add: ['globex'] } }, environment)
    expect(changes).to.deep.equal([
      { path: '$evaluators.runtime-enabled-orgs.in.1', before: [], after: ['globex'] },
    ])
    expect(edited(text, { mode: null }, environment).changes).to.deep.equal([
      { path: 'flags.chat-execution-mode.defaultVariant', before: 'direct_llm', after: null },
    ])
  })

  it('gets its rule with the first org or the first share of a canary', () => {
    const bare = fileOf({ 'chat-execution-mode': { ...MODE, defaultVariant: 'direct_llm' } }, orgsRule([]))
    expect(modeOf(edited(bare, { mode: 'runtime_orchestrator' }).text)).to.not.have.property('targeting')
    expect(edited(bare, { canaryPercent: 0, enabledOrgs: { set: [] } }).changes).to.deep.equal([])
    const org = edited(bare, { enabledOrgs: { add: ['acme'] } })
    expect(modeOf(org.text).targeting).to.deep.equal({ if: [ORGS, 'runtime_orchestrator', null] })
    expect(modeOf(edited(bare, { canaryPercent: 1 }).text).targeting.if[2]).to.deep.equal({
      fractional: [
        ['runtime_orchestrator', 1],
        ['direct_llm', 99],
      ],
    })
    const listed = fileOf(
      { 'chat-execution-mode': { ...MODE, defaultVariant: 'direct_llm' } },
      orgsRule(['acme']),
    )
    expect(modeOf(edited(listed, { canaryPercent: 0 }).text).targeting.if[2]).to.equal(null)
    expect(valuesOf(org.text).mode).to.deep.equal({
      value: 'direct_llm',
      enabledOrgs: ['acme'],
      canaryPercent: 0,
    })
  })

  it('loses the share of a canary that is taken away, also where no org is named', () => {
    const { text } = edited(SHIPPED, { canaryPercent: 5 })
    expect(modeOf(edited(text, { canaryPercent: 0 }).text).targeting.if[2]).to.equal(null)
  })

  it('keeps a rule that is as wanted, in the form it was written in', () => {
    const short = withFlag('chat-execution-mode', { targeting: { if: [ORGS, 'runtime_orchestrator'] } })
    expect(edited(short, { canaryPercent: 0 }).changes).to.deep.equal([])
  })

  it('adds no org twice and removes one that is added in the same edit', () => {
    const text = withFlag('chat-execution-mode', { defaultVariant: 'direct_llm' })
    const both = edited(text, { enabledOrgs: { add: ['a', 'b', 'a'], remove: ['b'] } })
    expect(orgsOf(both.text)).to.deep.equal(['a'])
  })

  it('says nothing about shadows any more once the share is null', () => {
    const text = edited(withFlag('chat-runtime-shadow', { defaultVariant: 'on' }), { shadowPercent: 5 }).text
    expect(edited(text, { shadowPercent: null }).changes).to.deep.equal([
      {
        path: 'flags.chat-runtime-shadow.targeting',
        before: {
          fractional: [
            ['on', 5],
            ['off', 95],
          ],
        },
      },
      { path: 'flags.chat-runtime-shadow.defaultVariant', before: 'on', after: null },
    ])
  })
})
