import { readFileSync } from 'node:fs'
import { MemoryStorage } from '@openfeature/flagd-core'
import { expect } from 'chai'
import fc from 'fast-check'
import { checkFlagDocument } from '../../../src/decision/check/ops-file-check.js'
import { silentSdkLogger } from '../../../src/decision/sdk-logger.js'
import { OVERRIDE_FLAG_KEY } from '../../../src/protocol/fallback.js'
import { scopeOf } from '../../../src/protocol/fallback-scope.js'
import { ROLLOUT_FLAG_KEY } from '../../../src/protocol/rollout.js'
import {
  type AutoLayer,
  type ManualLayer,
  NEUTRAL,
  type Override,
} from '../../../src/store/override/override.js'
import {
  overrideOfMetadata,
  parseOverride,
  renderOverride,
} from '../../../src/store/override/override-document.js'
import { anyOverride, plainOverride, propertyRuns } from './override-arbitrary.js'

const TEMPLATE = readFileSync('flags/auto-fallback.flagd.json', 'utf8')
const AT = Date.UTC(2026, 10, 22, 8, 0, 0, 123)
const TRIP = { cause: 'error_rate', value: 0.55, threshold: 0.5 } as const
const FALLBACK: AutoLayer = { state: 'fallback', trip: TRIP, since: AT, holdUntil: AT + 30_000 }
const RECOVERING: AutoLayer = { state: 'recovering', trip: TRIP, since: AT, percent: 25 }
const ORGS: ManualLayer = {
  scope: 'orgs',
  target: { kind: 'orgs', orgIds: ['acme', 'globex'] },
  reason: '演练',
}
const SHARE = {
  fractional: [
    ['on', 75],
    ['off', 25],
  ],
}

const override = (parts: Partial<Override>): Override => ({ ...NEUTRAL, revision: 7, ...parts })

function flagOf(text: string) {
  const document: { flags: Record<string, { metadata: Record<string, unknown> } & Record<string, unknown>> } =
    JSON.parse(text)
  const { metadata, ...rule } = document.flags[OVERRIDE_FLAG_KEY] ?? { metadata: {} }
  return { metadata, rule }
}

const rule = (parts: Partial<Override>) => flagOf(renderOverride(override(parts))).rule
const flag = (defaultVariant: string, targeting?: object) => ({
  state: 'ENABLED',
  variants: { on: true, off: false },
  defaultVariant,
  ...(targeting === undefined ? {} : { targeting }),
})

describe('the override as a document', () => {
  it('is off for everybody when nothing is wrong', () => {
    expect(rule({})).to.deep.equal(flag('off'))
  })

  it('is on for everybody in a fallback, and in a manual one whatever the automatic layer says', () => {
    expect(rule({ auto: FALLBACK })).to.deep.equal(flag('on'))
    for (const auto of [NEUTRAL.auto, FALLBACK, RECOVERING])
      expect(rule({ auto, manual: { scope: 'all', reason: '' } })).to.deep.equal(flag('on'))
  })

  it('lets a share back while recovering, with weights flagd takes up to the end', () => {
    expect(rule({ auto: RECOVERING })).to.deep.equal(flag('on', SHARE))
    const whole = {
      fractional: [
        ['on', 0],
        ['off', 100],
      ],
    }
    expect(rule({ auto: { ...RECOVERING, percent: 100 } })).to.deep.equal(flag('on', whole))
  })

  for (const [state, auto, others, byDefault] of [
    ['nothing is wrong', NEUTRAL.auto, 'off', 'off'],
    ['all are in fallback', FALLBACK, 'on', 'on'],
    ['others recover', RECOVERING, SHARE, 'on'],
  ] as const)
    it(`is on for some orgs, the rest always explicit, while ${state}`, () => {
      const covered = { in: [{ var: 'orgId' }, ['acme', 'globex']] }
      expect(rule({ auto, manual: ORGS })).to.deep.equal(flag(byDefault, { if: [covered, 'on', others] }))
    })

  it('carries a rule of a person within its own', () => {
    const theirs = { if: [{ '===': [{ var: 'userId' }, 'u'] }, 'on'] }
    const manual = (otherwise: 'on' | 'off'): ManualLayer => ({
      scope: 'orgs',
      target: { kind: 'rule', rule: theirs, otherwise },
      reason: '',
    })
    expect(rule({ manual: manual('off') }).targeting).to.deep.equal({
      if: [{ '===': [theirs, 'on'] }, 'on', 'off'],
    })
    expect(rule({ manual: manual('on') }).targeting).to.deep.equal({
      if: [{ '!==': [theirs, 'off'] }, 'on', 'off'],
    })
  })

  it('tells all of the automatic layer in flat metadata', () => {
    const parts = { trips: 2, evidenceSince: AT, replica: 'r-1', updatedAt: AT + 5 }
    const { checksum, ...metadata } = flagOf(renderOverride(override({ auto: FALLBACK, ...parts }))).metadata
    expect(checksum).to.match(/^[0-9a-f]{12}-[0-9a-f]{12}$/)
    expect(metadata).to.deep.equal({
      description: 'The override, written by the service alone. on: the direct LLM answers.',
      state: 'fallback',
      scope: 'all',
      cause: 'error_rate',
      reason: '错误率过高: 55.00% (阈值: 50.00%)',
      value: 0.55,
      threshold: 0.5,
      since: '2026-11-22T08:00:00.123Z',
      holdUntil: '2026-11-22T08:00:30.123Z',
      trips: 2,
      evidenceSince: '2026-11-22T08:00:00.123Z',
      manual: 'none',
      revision: 7,
      replica: 'r-1',
      actor: 'auto',
      updatedAt: '2026-11-22T08:00:00.128Z',
    })
  })

  it('is on for the scope of the automatic layer alone, below the manual layer, and off by default', () => {
    const acme = { in: [{ var: 'orgId' }, ['acme']] }
    const analyst = { in: [{ var: 'agentId' }, ['analyst', 'writer']] }
    const forAcme: AutoLayer = { ...FALLBACK, scope: scopeOf('orgs', ['acme']) }
    const forAgents: AutoLayer = { ...RECOVERING, scope: scopeOf('agents', ['writer', 'analyst']) }
    expect(rule({ auto: forAcme })).to.deep.equal(flag('off', { if: [acme, 'on', 'off'] }))
    expect(rule({ auto: forAgents })).to.deep.equal(flag('off', { if: [analyst, SHARE, 'off'] }))
    expect(rule({ auto: forAgents, manual: ORGS })).to.deep.equal(
      flag('off', {
        if: [{ in: [{ var: 'orgId' }, ['acme', 'globex']] }, 'on', { if: [analyst, SHARE, 'off'] }],
      }),
    )
  })

  it('tells the scope in flat metadata, ids with a comma too', () => {
    const auto: AutoLayer = { ...FALLBACK, scope: scopeOf('agents', ['b,c', 'a', '100%']) }
    const { metadata } = flagOf(renderOverride(override({ auto })))
    expect(metadata).to.include({ scope: 'agents', scopeIds: '100%25,a,b%2Cc' })
    expect(metadata.reason).to.equal('错误率过高: 55.00% (阈值: 50.00%)（仅限智能体: 100%、a、b,c）')
    expect(overrideOfMetadata(metadata as Record<string, string>)?.auto).to.deep.equal(auto)
  })

  it('of an earlier version, without a scope, is for everybody', () => {
    const { metadata } = flagOf(renderOverride(override({ auto: FALLBACK })))
    const { scope: _, ...earlier } = metadata
    expect(overrideOfMetadata(earlier as Record<string, string>)?.auto).to.deep.equal(FALLBACK)
  })

  it('names the manual layer as the cause where it stands alone, and keeps the automatic state beside it', () => {
    const manual: ManualLayer = { scope: 'all', reason: '升级', until: AT }
    const alone = flagOf(renderOverride(override({ manual, actor: 'manual' }))).metadata
    expect(alone).to.include({ state: 'normal', cause: 'manual', reason: '升级', manual: 'all' })
    expect(alone).to.include({
      manualReason: '升级',
      manualUntil: '2026-11-22T08:00:00.123Z',
      actor: 'manual',
    })
    const both = flagOf(renderOverride(override({ manual, auto: RECOVERING }))).metadata
    expect(both).to.include({
      state: 'recovering',
      cause: 'error_rate',
      recoveringPercent: 25,
      manual: 'all',
    })
  })

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(anyOverride, (written) => {
        expect(parseOverride(renderOverride(written))).to.deep.equal({ kind: 'override', override: written })
      }),
      propertyRuns(200),
    )
  })

  it('is accepted by flagd and by our own check, whatever it says', () => {
    fc.assert(
      fc.property(plainOverride, (written) => {
        const text = renderOverride(written, TEMPLATE)
        expect(checkFlagDocument(text, 'override')).to.deep.equal([])
        new MemoryStorage(silentSdkLogger).setConfigurations(text, true)
      }),
      propertyRuns(200),
    )
  })

  it('is accepted with odd names too, of which our own check tells and refuses nothing', () => {
    const odd =
      /^no (orgId|agentId) |^".*" is one (orgId|agentId) that contains the separators|^".*" is listed twice/s
    fc.assert(
      fc.property(anyOverride, (written) => {
        const text = renderOverride(written, TEMPLATE)
        for (const { refuses, message } of checkFlagDocument(text, 'override')) {
          expect(refuses).to.equal('nothing')
          expect(message).to.match(odd)
        }
        new MemoryStorage(silentSdkLogger).setConfigurations(text, true)
      }),
      propertyRuns(200),
    )
  })

  it('is written also where a number or an instant makes no sense', () => {
    for (const odd of [Number.NaN, Number.POSITIVE_INFINITY, -1e300]) {
      const auto: AutoLayer = { state: 'recovering', trip: { ...TRIP, value: odd }, since: odd, percent: odd }
      const text = renderOverride(override({ auto, updatedAt: odd }))
      expect(checkFlagDocument(text, 'override')).to.deep.equal([])
    }
  })

  it('keeps its checksum through any formatting of the file', () => {
    const written = override({ auto: RECOVERING, manual: ORGS })
    const document = JSON.parse(renderOverride(written))
    const reversed = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(reversed)
        : typeof value === 'object' && value !== null
          ? Object.fromEntries(
              Object.entries(value)
                .map(([key, item]) => [key, reversed(item)])
                .reverse(),
            )
          : value
    for (const text of [JSON.stringify(document), JSON.stringify(reversed(document), null, '\t')])
      expect(parseOverride(text)).to.deep.equal({ kind: 'override', override: written })
  })

  it('keeps whatever else is in the file, and the words about it', () => {
    const present = JSON.parse(TEMPLATE)
    const other = { state: 'ENABLED', variants: { a: 1 }, defaultVariant: 'a' }
    present.flags = { before: other, ...present.flags, after: other }
    present.flags[OVERRIDE_FLAG_KEY].metadata.description = 'ask the night shift'
    present.$evaluators = { mine: { in: [{ var: 'orgId' }, ['acme']] } }
    present.metadata = { flagSetId: 'ours' }
    const text = renderOverride(override({ auto: FALLBACK }), JSON.stringify(present))
    const document = JSON.parse(text)
    expect(Object.keys(document.flags)).to.deep.equal([
      'before',
      OVERRIDE_FLAG_KEY,
      ROLLOUT_FLAG_KEY,
      'after',
    ])
    expect(document).to.deep.include({ $evaluators: present.$evaluators, metadata: present.metadata })
    expect(flagOf(text).metadata.description).to.equal('ask the night shift')
    expect(parseOverride(text)).to.deep.equal({ kind: 'override', override: override({ auto: FALLBACK }) })
  })

  for (const [what, base] of [
    ['is torn', TEMPLATE.slice(0, 100)],
    ['has a flag that flagd refuses', '{"flags": {"other": {"variants": {}}}}'],
    ['is a list', '[]'],
    ['has flags that are no object', '{"flags": 1}'],
  ] as const)
    it(`leaves a file behind that ${what}`, () => {
      expect(renderOverride(override({}), base)).to.equal(renderOverride(override({})))
    })

  it('takes the shipped template for nothing in force', () => {
    expect(parseOverride(TEMPLATE)).to.deep.equal({ kind: 'override', override: NEUTRAL })
  })
})

describe('the override in flat metadata', () => {
  const fromMetadata = (written: Override) => {
    const { metadata } = flagOf(renderOverride(written))
    return overrideOfMetadata(metadata as Record<string, string | number | boolean>)
  }

  it('is known but for whom a scoped manual layer covers', () => {
    fc.assert(
      fc.property(anyOverride, (written) => {
        const { manual } = written
        const target = { kind: 'orgs', orgIds: [] } as const
        expect(fromMetadata(written)).to.deep.equal(
          manual.scope === 'orgs' ? { ...written, manual: { ...manual, target } } : written,
        )
      }),
      propertyRuns(100),
    )
  })

  it('is nothing without a revision, and no more than that where the rest makes no sense', () => {
    expect(overrideOfMetadata({})).to.equal(undefined)
    expect(overrideOfMetadata({ revision: '7', state: 'normal' })).to.equal(undefined)
    expect(overrideOfMetadata({ revision: 1.5 })).to.equal(undefined)
    expect(overrideOfMetadata({ revision: 7 })).to.deep.equal({ ...NEUTRAL, revision: 7 })
    expect(overrideOfMetadata({ revision: 7, state: 'fallback' })).to.deep.equal({ ...NEUTRAL, revision: 7 })
  })
})
