import { expect } from 'chai'
import fc from 'fast-check'
import type { Alert, FallbackSnapshot } from '../../../src/fallback/fallback.js'
import { alertText } from '../../../src/http/operator/alert-text.js'
import {
  fallbackEnabled,
  fallbackReason,
  metricsView,
  snapshotForOrg,
  statusView,
} from '../../../src/http/operator/fallback-view.js'
import { fallbackStatusSchema, metricsSchema } from '../../../src/protocol/fallback.js'
import { type Scope, scopeOf } from '../../../src/protocol/fallback-scope.js'
import { type AutoLayer, type ManualLayer, NEUTRAL, type Trip } from '../../../src/store/override/override.js'
import { fakeWindows, QUIET } from '../../support/fallback-fakes.js'

const NOON = Date.UTC(2026, 0, 1, 12)
const ERRORS: Trip = { cause: 'error_rate', value: 0.55, threshold: 0.5 }

const tripped = (trip: Trip): AutoLayer => ({
  state: 'fallback',
  trip,
  since: NOON,
  holdUntil: NOON + 30_000,
})
const everybody = (reason: string): ManualLayer => ({ scope: 'all', reason, until: NOON + 60_000 })
const some = (reason: string, ...orgIds: string[]): Extract<ManualLayer, { scope: 'orgs' }> => ({
  scope: 'orgs',
  target: { kind: 'orgs', orgIds },
  reason,
})
const NONE: ManualLayer = { scope: 'none' }
const NORMAL: AutoLayer = { state: 'normal' }

describe('the reason of a fallback', () => {
  const cases: [what: string, auto: AutoLayer, manual: ManualLayer, zh: string, en: string][] = [
    ['none', NORMAL, NONE, '', ''],
    [
      'errors',
      tripped(ERRORS),
      NONE,
      '错误率过高: 55.00% (阈值: 50.00%)',
      'Error rate too high: 55.00% (threshold: 50.00%)',
    ],
    [
      'timeouts',
      tripped({ cause: 'timeout_rate', value: 0.35, threshold: 0.3 }),
      NONE,
      '超时率过高: 35.00% (阈值: 30.00%)',
      'Timeout rate too high: 35.00% (threshold: 30.00%)',
    ],
    [
      'latency',
      tripped({ cause: 'latency', value: 250_000, threshold: 240_000 }),
      NONE,
      '平均延迟过高: 250000ms (阈值: 240000ms)',
      'Average latency too high: 250000ms (threshold: 240000ms)',
    ],
    [
      'health',
      tripped({ cause: 'health', value: 2, threshold: 2 }),
      NONE,
      'Runtime 服务不可用: 健康检查失败',
      'Runtime unavailable: health check failed',
    ],
    [
      'recovering from it',
      { state: 'recovering', trip: ERRORS, since: NOON, percent: 5 },
      NONE,
      '错误率过高: 55.00% (阈值: 50.00%)',
      'Error rate too high: 55.00% (threshold: 50.00%)',
    ],
    ['a person', NORMAL, everybody('发布演练'), '发布演练', '发布演练'],
    [
      'a person without a word',
      NORMAL,
      everybody(' '),
      '手动回退（未说明原因）',
      'Fallback by hand (no reason given)',
    ],
    ['a person, for some', NORMAL, some('drill', 'org-1'), 'drill', 'drill'],
    ['a person for all before the loop', tripped(ERRORS), everybody('drill'), 'drill', 'drill'],
    [
      'the loop before a person for some',
      tripped(ERRORS),
      some('drill', 'org-1'),
      '错误率过高: 55.00% (阈值: 50.00%)',
      'Error rate too high: 55.00% (threshold: 50.00%)',
    ],
  ]
  for (const [what, auto, manual, zh, en] of cases)
    it(`is told exactly: ${what}`, () => {
      expect(fallbackReason({ auto, manual }, 'zh-CN')).to.equal(zh)
      expect(fallbackReason({ auto, manual }, 'en')).to.equal(en)
      expect(fallbackEnabled({ auto, manual })).to.equal(zh !== '')
      const override = { ...NEUTRAL, auto, manual }
      expect(metricsSchema.parse(metricsView(fakeWindows(), { override }, 'en'))).to.include({
        fallbackEnabled: zh !== '',
        fallbackReason: en,
      })
    })
})

describe('the status', () => {
  const full: FallbackSnapshot = {
    ...QUIET,
    override: {
      ...NEUTRAL,
      auto: tripped(ERRORS),
      manual: { ...some('drill', 'org-1', 'org-2'), until: NOON + 60_000 },
      trips: 2,
      revision: 9,
      replica: 'replica-2',
    },
    persisted: true,
    propagated: true,
    propagationMs: 12.5,
    policy: 'observe',
    wouldTrip: { cause: 'latency', value: 250_000, threshold: 240_000 },
    probe: { healthy: false, failures: 3, at: NOON },
    lease: { holder: 'replica-2', mine: false },
    isolated: true,
    alerts: [{ kind: 'not_propagated', revision: 9 }],
  }

  it('tells everything, in the shape of the protocol', () => {
    const replicas = [
      { name: 'replica-2', version: '1.2.3', state: 'leaving', firstSeen: 0, lastSeen: 5_000 },
    ] as const
    expect(fallbackStatusSchema.parse(statusView(full, 'en', replicas))).to.deep.equal({
      fallbackEnabled: true,
      fallbackReason: 'Error rate too high: 55.00% (threshold: 50.00%)',
      fallback: {
        state: 'fallback',
        scope: 'all',
        scopeIds: [],
        cause: 'error_rate',
        value: 0.55,
        threshold: 0.5,
        since: '2026-01-01T12:00:00.000Z',
        holdUntil: '2026-01-01T12:00:30.000Z',
        trips: 2,
        recoveringPercent: null,
        persisted: true,
        propagated: true,
        propagationMs: 12.5,
        revision: 9,
        replica: 'replica-2',
      },
      manual: {
        scope: 'orgs',
        orgIds: ['org-1', 'org-2'],
        reason: 'drill',
        until: '2026-01-01T12:01:00.000Z',
      },
      policy: 'observe',
      wouldTrip: 'Average latency too high: 250000ms (threshold: 240000ms)',
      probe: { healthy: false, failures: 3, at: '2026-01-01T12:00:00.000Z' },
      lease: { holder: 'replica-2', mine: false },
      isolated: true,
      alerts: [alertText({ kind: 'not_propagated', revision: 9 }).en],
      alertKinds: ['not_propagated'],
      replicas: [
        {
          name: 'replica-2',
          version: '1.2.3',
          state: 'leaving',
          firstSeen: '1970-01-01T00:00:00.000Z',
          lastSeen: '1970-01-01T00:00:05.000Z',
        },
      ],
      replica: 'replica-1',
    })
  })

  it('tells the scope of the automatic fallback, in the data and in the reason', () => {
    const scope = scopeOf('orgs', ['org-1', 'org-2'])
    const auto: AutoLayer = { state: 'recovering', trip: ERRORS, since: NOON, percent: 5, scope }
    const status = fallbackStatusSchema.parse(
      statusView({ ...QUIET, override: { ...NEUTRAL, auto } }, 'zh-CN'),
    )
    expect(status.fallback).to.deep.include({ scope: 'orgs', scopeIds: ['org-1', 'org-2'] })
    expect(status.fallbackReason).to.equal('错误率过高: 55.00% (阈值: 50.00%)（仅限组织: org-1、org-2）')
  })

  it('of a scoped fallback names no other org, and no agent, to an admin of one org', () => {
    const seen = (scope: Scope, orgId: string) => {
      const auto: AutoLayer = { ...(tripped(ERRORS) as AutoLayer & { state: 'fallback' }), scope }
      return statusView(snapshotForOrg({ ...QUIET, override: { ...NEUTRAL, auto } }, orgId), 'en')
    }
    const orgs = scopeOf('orgs', ['org-1', 'org-2'])
    expect(seen(orgs, 'org-1').fallback).to.deep.include({ state: 'fallback', scopeIds: ['org-1'] })
    expect(seen(orgs, 'org-1').fallbackReason).to.match(/\(only orgs: org-1\)$/)
    expect(seen(orgs, 'org-3').fallbackEnabled).to.equal(false)
    expect(JSON.stringify(seen(orgs, 'org-3'))).to.not.match(/org-/)
    const agents = seen(scopeOf('agents', ['secret']), 'org-3')
    expect(agents.fallback).to.deep.include({ state: 'fallback', scope: 'agents', scopeIds: [] })
    expect(agents.fallbackReason).to.match(/\(only some agents\)$/)
  })

  it('of nothing is nothing: nulls, empty texts, no alert', () => {
    const status = fallbackStatusSchema.parse(
      statusView({ ...QUIET, probe: { failures: 0 }, lease: { mine: false } }, 'zh-CN'),
    )
    expect(status).to.deep.include({ fallbackEnabled: false, fallbackReason: '', wouldTrip: '', alerts: [] })
    expect(status.fallback).to.include({ state: 'normal', cause: null, since: null, replica: '' })
    expect(status.probe).to.deep.equal({ healthy: null, failures: 0, at: null })
    expect(status.lease).to.deep.equal({ holder: null, mine: false })
  })

  it('names manual as the cause where a person decided, without numbers', () => {
    const of = (auto: AutoLayer, manual: ManualLayer) =>
      statusView({ ...QUIET, override: { ...NEUTRAL, auto, manual } }, 'en').fallback
    expect(of(tripped(ERRORS), everybody('drill'))).to.include({
      state: 'fallback',
      cause: 'manual',
      value: null,
      threshold: null,
    })
    const handedOver: Trip = { cause: 'manual', value: 0, threshold: 0 }
    expect(of({ state: 'recovering', trip: handedOver, since: NOON, percent: 25 }, NONE)).to.include({
      state: 'recovering',
      cause: 'manual',
      value: null,
      recoveringPercent: 25,
    })
  })

  it('lists no orgs where a person wrote a rule into the file', () => {
    const manual: ManualLayer = {
      scope: 'orgs',
      target: { kind: 'rule', rule: { if: [] }, otherwise: 'off' },
      reason: 'by hand',
    }
    const view = statusView({ ...QUIET, override: { ...NEUTRAL, manual } }, 'en')
    expect(view.manual).to.deep.equal({ scope: 'orgs', orgIds: [], reason: 'by hand', until: null })
    const seen = statusView(snapshotForOrg({ ...QUIET, override: { ...NEUTRAL, manual } }, 'org-1'), 'en')
    expect(seen.manual).to.deep.equal(view.manual)
  })

  it('keeps its shape whatever a broken clock wrote', () => {
    fc.assert(
      fc.property(fc.double(), fc.double(), (since, holdUntil) => {
        const auto: AutoLayer = { state: 'fallback', trip: ERRORS, since, holdUntil }
        fallbackStatusSchema.parse(statusView({ ...QUIET, override: { ...NEUTRAL, auto } }, 'en'))
      }),
      { numRuns: 100 },
    )
  })

  it('for one org names no other, no replica and no fault', () => {
    const seen = (orgId: string) => statusView(snapshotForOrg(full, orgId), 'en')
    expect(seen('org-1')).to.deep.include({ alerts: [], wouldTrip: '', lease: { holder: null, mine: false } })
    expect(seen('org-1').manual).to.deep.include({ scope: 'orgs', orgIds: ['org-1'], reason: 'drill' })
    expect(seen('org-3').manual).to.deep.equal({ scope: 'none', orgIds: [], reason: '', until: null })
    expect(JSON.stringify(seen('org-3'))).to.not.match(/org-|drill/)
  })
})

describe('alerts', () => {
  const alerts: Alert[] = [
    { kind: 'not_persisted', code: 'EROFS', detail: 'read-only' },
    { kind: 'store_unreadable', code: 'EIO', detail: 'a bad disk' },
    { kind: 'not_propagated', revision: 41 },
    { kind: 'override_unparsable', detail: 'line 3' },
    { kind: 'hand_edit_refused', detail: 'line 3' },
    { kind: 'hand_edit_refused', detail: 'line 3', aside: 'o.json.unreadable-1' },
    { kind: 'override_missing' },
    { kind: 'both_sick' },
    { kind: 'loop_failed', detail: 'boom' },
  ]
  for (const alert of alerts)
    it(`are sentences that say what to do: ${JSON.stringify(alert)}`, () => {
      const text = alertText(alert)
      expect(text['zh-CN']).to.match(/请/)
      expect(text.en).to.match(/[;,] (?:check|find out|look into)/)
      if (alert.kind === 'not_persisted') expect(text.en).to.include('EROFS').and.to.include('read-only')
      if (alert.kind === 'not_propagated') expect(text.en).to.include('41')
    })
})
