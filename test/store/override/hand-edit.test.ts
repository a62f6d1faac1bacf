import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import fc from 'fast-check'
import { checkFlagDocument } from '../../../src/decision/check/ops-file-check.js'
import { OVERRIDE_FLAG_KEY } from '../../../src/protocol/fallback.js'
import { scopeOf } from '../../../src/protocol/fallback-scope.js'
import { ROLLOUT_FLAG_KEY } from '../../../src/protocol/rollout.js'
import { booleanFlag } from '../../../src/store/override/flagd-check.js'
import {
  type AutoLayer,
  type HandEdit,
  NEUTRAL,
  type Override,
} from '../../../src/store/override/override.js'
import {
  handEditOf,
  type ParsedOverride,
  parseOverride,
  renderOverride,
} from '../../../src/store/override/override-document.js'
import { anyOverride, anyRule, anySubject, propertyRuns } from './override-arbitrary.js'

const TEMPLATE = readFileSync('flags/auto-fallback.flagd.json', 'utf8')
const TRIP = { cause: 'health', value: 2, threshold: 2 } as const
const FALLBACK: AutoLayer = { state: 'fallback', trip: TRIP, since: 1000, holdUntil: 2000 }
const RECOVERING: AutoLayer = { state: 'recovering', trip: TRIP, since: 1000, percent: 5 }
const NORMAL = NEUTRAL.auto
const ALL: HandEdit = { kind: 'manual', manual: { scope: 'all', reason: '' } }

type Flag = Record<string, unknown> & { metadata: Record<string, unknown> }
type Document = Record<string, unknown> & { flags: Record<string, Flag> }

/** The document of an override (the template without one) as a person saves it after changing the flag. */
function edited(
  override: Partial<Override> | undefined,
  change: (flag: Flag, document: Document) => void,
): string {
  const document: Document = JSON.parse(
    override === undefined ? TEMPLATE : renderOverride({ ...NEUTRAL, revision: 7, ...override }),
  )
  const flag = document.flags[OVERRIDE_FLAG_KEY]
  if (flag === undefined) throw new Error('the document has no override')
  change(flag, document)
  return JSON.stringify(document, null, 2)
}

function edit(text: string): HandEdit {
  const parsed = parseOverride(text)
  if (parsed.kind !== 'hand_edit') throw new Error(`read as ${JSON.stringify(parsed)}`)
  return parsed.edit
}

const orgs = (...orgIds: string[]): HandEdit => ({
  kind: 'manual',
  manual: { scope: 'orgs', target: { kind: 'orgs', orgIds }, reason: '' },
})
const byRule = (rule: unknown, otherwise: 'on' | 'off'): HandEdit => ({
  kind: 'manual',
  manual: { scope: 'orgs', target: { kind: 'rule', rule, otherwise }, reason: '' },
})
const forOrgs = (...orgIds: string[]) => ({ in: [{ var: 'orgId' }, orgIds] })

/** The same document with its flags as a list, as flagd takes them too. */
function asList(text: string): string {
  const { flags, ...rest }: Document = JSON.parse(text)
  return JSON.stringify(
    { ...rest, flags: Object.entries(flags).map(([key, flag]) => ({ key, ...flag })) },
    null,
    2,
  )
}

describe('the override as a person edits it', () => {
  it('may have its flags in a list', () => {
    const on = edited(undefined, (flag) => Object.assign(flag, { defaultVariant: 'on' }))
    expect(edit(asList(on))).to.deep.equal(ALL)
    const targeted = edited({ auto: FALLBACK }, (flag) =>
      Object.assign(flag, { targeting: { if: [forOrgs('acme'), 'on', 'on'] } }),
    )
    expect(edit(asList(targeted))).to.deep.equal(edit(targeted))
    const ours = renderOverride({ ...NEUTRAL, revision: 7, auto: RECOVERING })
    expect(parseOverride(asList(ours))).to.deep.equal(parseOverride(ours))
  })

  it('is a manual layer for the orgs of its own beside a scoped fallback, and a reset without them', () => {
    const auto: AutoLayer = { ...FALLBACK, scope: scopeOf('orgs', ['acme']) }
    const more = edited({ auto }, (flag) =>
      Object.assign(flag, { targeting: { if: [forOrgs('acme', 'globex'), 'on', 'off'] } }),
    )
    expect(edit(more)).to.deep.equal(orgs('acme', 'globex'))
    const wrapped = edited({ auto }, (flag) => {
      flag.targeting = { if: [forOrgs('globex'), 'on', flag.targeting] }
    })
    expect(edit(wrapped)).to.deep.equal(orgs('globex'))
    const none = edited({ auto }, (flag) => {
      delete flag.targeting
    })
    expect(edit(none)).to.deep.equal({ kind: 'reset' })
    const all = edited({ auto }, (flag) => Object.assign(flag, { defaultVariant: 'on' }))
    expect(edit(all)).to.deep.equal(ALL)
  })

  it('is refused where their list names the override twice, or has a fault, with the line', () => {
    const list = asList(TEMPLATE)
    const parsed: { flags: object[] } = JSON.parse(list)
    const twice = JSON.stringify({ flags: [...parsed.flags, ...parsed.flags] }, null, 2)
    const line = twice.slice(0, twice.lastIndexOf(`"key": "${OVERRIDE_FLAG_KEY}"`)).split('\n').length
    expect(parseOverride(twice)).to.deep.equal({
      kind: 'unparsable',
      detail: `line ${line}: "${OVERRIDE_FLAG_KEY}" is there twice`,
    })
    const state = list.slice(0, list.indexOf('"ENABLED"')).split('\n').length
    expect(parseOverride(list.replace('"ENABLED"', '"on"'))).to.deep.equal({
      kind: 'unparsable',
      detail: `line ${state}: "state" must be "ENABLED" or "DISABLED"`,
    })
    const deep = list.replace('"trips": 0', '"trips": [0]')
    const deepLine = deep.slice(0, deep.indexOf('"trips"')).split('\n').length
    expect(parseOverride(deep)).to.deep.include({ kind: 'unparsable' })
    expect(JSON.stringify(parseOverride(deep))).to.include(`line ${deepLine}: flagd refuses it`)
  })

  it('keeps the other flags of their list when the override is written again', () => {
    const other = { key: 'other', state: 'ENABLED', variants: { on: true }, defaultVariant: 'on' }
    const document: { flags: object[] } = JSON.parse(asList(TEMPLATE))
    const base = JSON.stringify({ ...document, flags: [other, ...document.flags] })
    const { key: _, ...kept } = other
    const written: Document = JSON.parse(renderOverride(NEUTRAL, base))
    expect(written.flags.other).to.deep.equal(kept)
    expect(Object.keys(written.flags)).to.have.members(['other', OVERRIDE_FLAG_KEY, ROLLOUT_FLAG_KEY])
  })

  it('is a manual layer for all where they switch it on', () => {
    for (const before of [undefined, {}, { manual: { scope: 'none' } as const, trips: 3 }])
      expect(edit(edited(before, (flag) => Object.assign(flag, { defaultVariant: 'on' })))).to.deep.equal(ALL)
  })

  it('is a reset where they switch it off, by whatever means', () => {
    const off: ((flag: Flag) => void)[] = [
      (flag) => Object.assign(flag, { defaultVariant: 'off' }),
      (flag) => Object.assign(flag, { defaultVariant: null }),
      (flag) => Object.assign(flag, { state: 'DISABLED' }),
      (flag) =>
        Object.assign(flag, { variants: { on: true, off: false, out: false }, defaultVariant: 'out' }),
    ]
    for (const change of off)
      for (const auto of [FALLBACK, RECOVERING])
        for (const scope of ['none', 'all'] as const) {
          const manual = scope === 'none' ? ({ scope } as const) : { scope, reason: '' }
          const text = edited({ auto, manual }, change)
          // a targeting that they left as it was is not new; with variants of their own it is
          if (
            JSON.parse(text).flags[OVERRIDE_FLAG_KEY].variants.out === undefined ||
            !text.includes('fractional')
          )
            expect(edit(text), text).to.deep.equal({ kind: 'reset' })
        }
  })

  it('has the rules of nobody yet: a file without metadata is read by its flag alone', () => {
    const bare = (flag: object) => JSON.stringify({ flags: { [OVERRIDE_FLAG_KEY]: flag } })
    const variants = { on: true, off: false }
    expect(parseOverride(bare({ state: 'ENABLED', variants, defaultVariant: 'off' }))).to.deep.equal({
      kind: 'hand_edit',
      edit: { kind: 'reset' },
    })
    expect(edit(bare({ state: 'ENABLED', variants, defaultVariant: 'on' }))).to.deep.equal(ALL)
    expect(edit(bare({ state: 'ENABLED', variants }))).to.deep.equal({ kind: 'reset' })
  })

  for (const [others, targeting] of [
    ['explicit', { if: [forOrgs('acme', 'globex'), 'on', 'off'] }],
    ['left to the default', { if: [forOrgs('acme', 'globex'), 'on'] }],
    ['null', { if: [forOrgs('acme', 'globex'), 'on', null] }],
  ] as const)
    it(`knows a list of orgs, the others ${others}`, () => {
      const text = edited(undefined, (flag) => Object.assign(flag, { targeting: targeting }))
      expect(edit(text)).to.deep.equal(orgs('acme', 'globex'))
    })

  it('takes over a list of orgs that they changed, with reason and end, whatever auto says beside it', () => {
    const words = { reason: '升级', until: 5000 }
    for (const auto of [NORMAL, FALLBACK, RECOVERING]) {
      const manual = { scope: 'orgs', target: { kind: 'orgs', orgIds: ['acme'] }, ...words } as const
      const text = edited({ auto, manual }, (flag) => {
        Object.assign(flag, {
          targeting: JSON.parse(JSON.stringify(flag.targeting).replace('acme', 'globex')),
        })
      })
      const target = { kind: 'orgs', orgIds: ['globex'] }
      expect(parseOverride(text)).to.deep.equal({
        kind: 'hand_edit',
        revision: 7,
        edit: { kind: 'manual', manual: { scope: 'orgs', target, ...words } },
      })
    }
  })

  it('keeps any other targeting as a rule, with what stays for whom it says nothing', () => {
    const targeting = { if: [{ '===': [{ var: 'userId' }, 'u-1'] }, 'on'] }
    const text = (variant: string) =>
      edited(undefined, (flag) => Object.assign(flag, { targeting, defaultVariant: variant }))
    expect(edit(text('off'))).to.deep.equal(byRule(targeting, 'off'))
    expect(edit(text('on'))).to.deep.equal(byRule(targeting, 'on'))
    const exempt = { if: [forOrgs('acme'), 'off'] }
    expect(
      edit(edited({ auto: FALLBACK }, (flag) => Object.assign(flag, { targeting: exempt }))),
    ).to.deep.equal(byRule(exempt, 'on'))
    const whole = { if: [forOrgs('acme'), 'on'] }
    expect(
      edit(edited({ auto: FALLBACK }, (flag) => Object.assign(flag, { targeting: whole }))),
    ).to.deep.equal(byRule(whole, 'on'))
  })

  it('knows the rule again that it carries for them', () => {
    const target = { kind: 'rule', rule: { if: [forOrgs('acme'), 'on'] }, otherwise: 'off' } as const
    const text = edited({ auto: RECOVERING, manual: { scope: 'orgs', target, reason: '' } }, (flag) =>
      Object.assign(flag, {
        targeting: JSON.parse(JSON.stringify(flag.targeting).replace('acme', 'globex')),
      }),
    )
    expect(edit(text)).to.deep.equal(byRule({ if: [forOrgs('globex'), 'on'] }, 'off'))
  })

  it('is for all where they switch the default on and leave the targeting', () => {
    const manual = { scope: 'orgs', target: { kind: 'orgs', orgIds: ['acme'] }, reason: '' } as const
    expect(edit(edited({ manual }, (flag) => Object.assign(flag, { defaultVariant: 'on' })))).to.deep.equal(
      ALL,
    )
  })

  it('has a new share as a rule, and all of it where the share is taken away', () => {
    const targeting = {
      fractional: [
        ['on', 50],
        ['off', 50],
      ],
    }
    expect(
      edit(edited({ auto: RECOVERING }, (flag) => Object.assign(flag, { targeting: targeting }))),
    ).to.deep.equal(byRule(targeting, 'on'))
    for (const none of [{}, undefined])
      expect(
        edit(edited({ auto: RECOVERING }, (flag) => Object.assign(flag, { targeting: none }))),
      ).to.deep.equal(ALL)
  })

  it('may be left as it was where they touched texts alone', () => {
    const auto = RECOVERING
    const manual = { scope: 'orgs', target: { kind: 'orgs', orgIds: ['acme'] }, reason: 'a' } as const
    const override = { ...NEUTRAL, revision: 7, auto, manual }
    const text = edited(override, ({ metadata }) => Object.assign(metadata, { description: 'call Li' }))
    const parsed = parseOverride(text)
    expect(parsed).to.deep.include({ kind: 'hand_edit', revision: 7, override })
    const other = edited(override, ({ metadata }) => Object.assign(metadata, { manualReason: 'b' }))
    expect(parseOverride(other)).to.deep.include({
      override: { ...override, manual: { ...manual, reason: 'b' } },
    })
    const reworded = renderOverride(override, text)
    expect(reworded).to.include('call Li')
    expect(parseOverride(reworded)).to.deep.equal({ kind: 'override', override })
  })

  it('is not left as it was where the metadata tells of something else', () => {
    const text = edited({ auto: FALLBACK }, ({ metadata }) => Object.assign(metadata, { state: 'normal' }))
    expect(parseOverride(text)).to.deep.equal({ kind: 'hand_edit', revision: 7, edit: ALL })
    const without = edited({ auto: FALLBACK }, (flag) => Object.assign(flag, { metadata: {} }))
    expect(parseOverride(without)).to.deep.equal({ kind: 'hand_edit', edit: ALL })
  })

  it('outlives the evaluators it refers to', () => {
    const text = edited(undefined, (flag, document) => {
      document.$evaluators = { all: { or: [{ $ref: 'mine' }, { $ref: 'mine' }] }, mine: forOrgs('acme') }
      flag.targeting = { if: [{ $ref: 'mine' }, 'on', { if: [{ $ref: 'all' }, 'on'] }] }
    })
    expect(edit(text)).to.deep.equal(
      byRule(
        { if: [forOrgs('acme'), 'on', { if: [{ or: [forOrgs('acme'), forOrgs('acme')] }, 'on'] }] },
        'off',
      ),
    )
    const listed = edited(undefined, (flag, document) => {
      document.$evaluators = { mine: forOrgs('acme') }
      flag.targeting = { if: [{ $ref: 'mine' }, 'on'] }
    })
    expect(edit(listed)).to.deep.equal(orgs('acme'))
  })

  it('is told in our variants where theirs have other names', () => {
    const text = edited(undefined, (flag) =>
      Object.assign(flag, {
        variants: { true: true, false: false },
        defaultVariant: 'false',
        targeting: { '===': [{ var: 'orgId' }, 'acme'] },
      }),
    )
    const { manual } = edit(text) as Extract<HandEdit, { kind: 'manual' }>
    const isOn = booleanFlag(renderOverride({ ...NEUTRAL, manual }), OVERRIDE_FLAG_KEY)
    const someone = { userId: 'u', agentId: 'a', sessionId: 's' }
    expect(isOn({ ...someone, orgId: 'acme' })).to.equal(true)
    expect(isOn({ ...someone, orgId: 'globex' })).to.equal(false)
  })

  it('answers each caller as their flag did, once it is taken over', () => {
    fc.assert(
      fc.property(anyRule, fc.constantFrom('on', 'off'), anySubject, (targeting, byDefault, subject) => {
        const text = edited({ auto: FALLBACK }, (flag) =>
          Object.assign(flag, { targeting, defaultVariant: byDefault }),
        )
        const taken = edit(text)
        if (taken.kind === 'reset') throw new Error('a targeting was read as a reset')
        const rewritten = renderOverride({ ...NEUTRAL, manual: taken.manual })
        expect(booleanFlag(rewritten, OVERRIDE_FLAG_KEY)(subject)).to.equal(
          booleanFlag(text, OVERRIDE_FLAG_KEY)(subject),
        )
      }),
      propertyRuns(100),
    )
  })

  it('is asked again of an older document of ours', () => {
    const manual = { scope: 'orgs', target: { kind: 'orgs', orgIds: ['acme'] }, reason: 'x' } as const
    expect(handEditOf(NEUTRAL)).to.deep.equal({ kind: 'reset' })
    expect(handEditOf({ ...NEUTRAL, trips: 4, revision: 9 })).to.deep.equal({ kind: 'reset' })
    expect(handEditOf({ ...NEUTRAL, auto: FALLBACK })).to.deep.equal(ALL)
    expect(handEditOf({ ...NEUTRAL, manual })).to.deep.equal({ kind: 'manual', manual })
  })
})

describe('a file that is no override', () => {
  const faults: readonly (readonly [string, string, RegExp])[] = [
    ['nothing', '', /empty/],
    ['blanks', ' \n ', /empty/],
    ['a torn document', TEMPLATE.slice(0, 120), /^line \d+: not JSON/],
    ['a comment', `${TEMPLATE}\n// no`, /^line 31: not JSON: invalid comment token/],
    ['a byte order mark', `\ufeff${TEMPLATE}`, /byte order mark/],
    ['brackets without end', '['.repeat(100_000), /^line 1: nested deeper than 256/],
    ['null', 'null', /must be an object/],
    ['a list', '[1]', /must be an object/],
    ['no flags', '{}', /"flags" must be an object or a list/],
    ['another flag alone', '{"flags": {"__proto__": {}}}', /"chat-runtime-fallback" is missing/],
    [
      'a flag that is null',
      TEMPLATE.replace(/"chat-runtime-fallback": \{[\s\S]*/, '"chat-runtime-fallback": null}}'),
      /must be an object/,
    ],
    ['a state of its own', TEMPLATE.replace('ENABLED', 'ON'), /^line 5: "state" must be/],
    [
      'variants that are no booleans',
      TEMPLATE.replace('"on": true', '"on": "true"'),
      /^line 6: each of "variants"/,
    ],
    ['no variants', TEMPLATE.replace('{ "on": true, "off": false }', '{}'), /^line 6: "variants" must/],
    [
      'a default that is no variant',
      TEMPLATE.replace('"off",', '"out",'),
      /^line 7: "defaultVariant" is not among/,
    ],
    [
      'a default that is a boolean',
      TEMPLATE.replace('"off",', 'false,'),
      /^line 7: "defaultVariant" must be/,
    ],
    [
      'metadata that is a list',
      TEMPLATE.replace(/"metadata": \{[^}]*\}/, '"metadata": []'),
      /^line 8: "metadata" must/,
    ],
    ['metadata that is not flat', TEMPLATE.replace('"trips": 0', '"trips": [0]'), /flagd refuses it/],
  ]
  for (const [what, text, detail] of faults)
    it(`says so of ${what}`, () => {
      const parsed = parseOverride(text)
      expect(parsed.kind).to.equal('unparsable')
      expect(parsed.kind === 'unparsable' ? parsed.detail : '').to.match(detail)
    })

  for (const [what, targeting, detail] of [
    ['a text', 'on', /^line 19: "targeting" must be an object/],
    ['an unknown operator', { sometimes: [] }, /flagd refuses it/],
    ['a variant that is none', { if: [true, 'direct'] }, /yields no variant/],
    ['a truth instead of a variant', { '===': [1, 1] }, /yields no variant/],
    ['a reference to nothing', { if: [{ $ref: 'nothing' }, 'on'] }, /references name nothing/],
    ['a sum over texts', { '+': [{ var: 'orgId' }, 1] }, /fails when it is evaluated/],
  ] as const)
    it(`says so of a targeting that has ${what}`, () => {
      const text = edited(undefined, (flag) => {
        const { metadata } = flag
        Object.assign(flag, { metadata: undefined, targeting, variants: { on: true, off: false } })
        flag.metadata = metadata
      })
      const parsed = parseOverride(text)
      expect(parsed.kind === 'unparsable' ? parsed.detail : parsed).to.match(detail)
    })

  it('says so of a rule too deep to be carried on, and of references that double without end', () => {
    const deep = (levels: number) => `${'{"!":['.repeat(levels)}1${']}'.repeat(levels)}`
    const withRule = (rule: string) =>
      edited(undefined, (flag) => Object.assign(flag, { targeting: { if: [0, 'on', 'off'] } })).replace(
        /\[\s*0,/,
        `[${rule},`,
      )
    expect(parseOverride(withRule(deep(100))).kind).to.equal('hand_edit')
    expect(parseOverride(withRule(deep(125))).kind).to.equal('unparsable')
    const doubling = edited(undefined, (flag, document) => {
      const names = Array.from({ length: 16 }, (_, at) => `e${at}`)
      document.$evaluators = Object.fromEntries(
        names.map((name, at) => [
          name,
          at === 15 ? { var: 'orgId' } : { or: [{ $ref: `e${at + 1}` }, { $ref: `e${at + 1}` }] },
        ]),
      )
      flag.targeting = { if: [{ $ref: 'e0' }, 'on'] }
    })
    expect(parseOverride(doubling).kind).to.equal('unparsable')
    const chained = edited(undefined, (flag, document) => {
      const lists = (at: number) => JSON.parse(`${'['.repeat(200)}{"$ref":"e${at + 1}"}${']'.repeat(200)}`)
      document.$evaluators = Object.fromEntries(
        Array.from({ length: 20 }, (_, at) => [`e${at}`, { or: lists(at) }]),
      )
      flag.targeting = { if: [{ $ref: 'e0' }, 'on'] }
    })
    expect(parseOverride(chained).kind).to.equal('unparsable')
  })
})

/** What parseOverride may never do, whatever the file says. */
function expectSound(text: string): void {
  const parsed: ParsedOverride = parseOverride(text)
  if (parsed.kind === 'unparsable') expect(parsed.detail).to.not.equal('')
  if (parsed.kind !== 'hand_edit' || parsed.edit.kind === 'reset') return
  const taken = renderOverride({ ...NEUTRAL, auto: FALLBACK, manual: parsed.edit.manual }, text)
  // An odd name is taken as the person wrote it. Nothing else is found, and nothing is added.
  const told = checkFlagDocument(text, 'override')
    .filter(({ refuses }) => refuses === 'nothing')
    .map(({ message }) => message)
  const found = checkFlagDocument(taken, 'override').filter(({ severity }) => severity === 'error')
  expect(
    found.filter(({ refuses, message }) => refuses !== 'nothing' || !told.includes(message)),
  ).to.deep.equal([])
  expect(parseOverride(taken).kind).to.equal('override')
}

describe('whatever a person saves', () => {
  const anyValue = fc.oneof(
    fc.jsonValue(),
    anyRule,
    fc.constantFrom('on', 'off', true, false, null, 'ENABLED', 'DISABLED', -1, {}, [], { if: [true, 'on'] }),
  )
  const KEYS = ['state', 'variants', 'defaultVariant', 'targeting', 'metadata']

  it('has an answer: any text', () => {
    fc.assert(fc.property(fc.string({ maxLength: 200 }), expectSound), propertyRuns(100))
  })

  it('has an answer: any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.boolean(), (value, asFlag) =>
        expectSound(JSON.stringify(asFlag ? { flags: { [OVERRIDE_FLAG_KEY]: value } } : value)),
      ),
      propertyRuns(100),
    )
  })

  it('has an answer: a real document with a part changed, and what is taken over stays valid', () => {
    fc.assert(
      fc.property(anyOverride, fc.constantFrom(...KEYS), anyValue, (override, key, value) => {
        expectSound(edited(override, (flag) => Object.assign(flag, { [key]: value })))
      }),
      propertyRuns(200),
    )
  })

  it('has an answer: a real document with metadata changed', () => {
    fc.assert(
      fc.property(
        anyOverride,
        fc.dictionary(fc.string(), anyValue, { maxKeys: 2 }),
        fc.nat(30),
        anyValue,
        (override, more, at, value) => {
          expectSound(
            edited(override, ({ metadata }) => {
              const key = Object.keys(metadata)[at % Object.keys(metadata).length]
              if (key !== undefined) metadata[key] = value
              Object.assign(metadata, more)
            }),
          )
        },
      ),
      propertyRuns(100),
    )
  })

  it('has an answer: a real document torn, doubled or with a letter changed', () => {
    fc.assert(
      fc.property(
        anyOverride,
        fc.nat(),
        fc.nat(),
        fc.string({ maxLength: 3 }),
        (override, from, length, put) => {
          const text = renderOverride(override)
          const at = from % text.length
          expectSound(text.slice(0, at) + put + text.slice(at + (length % 4)))
          expectSound(text.slice(0, at))
        },
      ),
      propertyRuns(100),
    )
  })
})
