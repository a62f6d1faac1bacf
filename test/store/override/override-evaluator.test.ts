import { FlagdCore } from '@openfeature/flagd-core'
import { expect } from 'chai'
import fc from 'fast-check'
import { evaluationContext } from '../../../src/decision/caller.js'
import { silentSdkLogger } from '../../../src/decision/sdk-logger.js'
import { OVERRIDE_FLAG_KEY } from '../../../src/protocol/fallback.js'
import { scopeOf } from '../../../src/protocol/fallback-scope.js'
import {
  type AutoLayer,
  type ManualLayer,
  NEUTRAL,
  type Override,
} from '../../../src/store/override/override.js'
import { renderOverride } from '../../../src/store/override/override-document.js'
import { createOverrideEvaluator } from '../../../src/store/override/override-evaluator.js'
import { anyAuto, anyOverride, anySubject, propertyRuns } from './override-arbitrary.js'

const TRIP = { cause: 'latency', value: 250_000, threshold: 240_000 } as const
const recovering = (percent: number): AutoLayer => ({ state: 'recovering', trip: TRIP, since: 0, percent })
const FALLBACK: AutoLayer = { state: 'fallback', trip: TRIP, since: 0, holdUntil: 1 }

type Subject = Parameters<ReturnType<typeof createOverrideEvaluator>>[0]
const subject = (at: number, orgId = 'acme'): Subject => ({
  orgId,
  userId: `user-${at}`,
  agentId: 'assistant',
  sessionId: `5f0c1f3e-0000-4000-8000-${String(at).padStart(12, '0')}`,
})

/** What any provider answers with the same document. */
function provided(text: string, who: Subject): boolean {
  const core = new FlagdCore(undefined, silentSdkLogger)
  core.setConfigurations(text)
  return core.resolveBooleanEvaluation(OVERRIDE_FLAG_KEY, false, evaluationContext(who), silentSdkLogger)
    .value
}

const isOn = (override: Partial<Override>, who: Subject): boolean =>
  createOverrideEvaluator({ ...NEUTRAL, ...override })(who)

/** The manual layer as the domain says it, with its rule told by flagd alone. */
function covers(manual: ManualLayer, who: Subject): boolean {
  if (manual.scope !== 'orgs') return manual.scope === 'all'
  if (manual.target.kind === 'orgs') return manual.target.orgIds.includes(who.orgId)
  const { rule: targeting, otherwise } = manual.target
  const flag = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: otherwise, targeting }
  return provided(JSON.stringify({ flags: { [OVERRIDE_FLAG_KEY]: flag } }), who)
}

describe('the override as we evaluate it', () => {
  it('is what a provider answers, and the union of both layers', () => {
    fc.assert(
      fc.property(anyOverride, anySubject, (override, who) => {
        const on = createOverrideEvaluator(override)(who)
        expect(on).to.equal(provided(renderOverride(override), who))
        expect(on).to.equal(isOn({ auto: override.auto }, who) || covers(override.manual, who))
      }),
      propertyRuns(300),
    )
  })

  it('answers for the scope of the automatic layer alone, also beside a rule that flagd refuses', () => {
    const auto: AutoLayer = { ...FALLBACK, scope: scopeOf('orgs', ['acme']) }
    const refused: ManualLayer = {
      scope: 'orgs',
      target: { kind: 'rule', rule: { nonsense: [] }, otherwise: 'off' },
      reason: '',
    }
    for (const manual of [NEUTRAL.manual, refused]) {
      expect(isOn({ auto, manual }, subject(1, 'acme'))).to.equal(true)
      expect(isOn({ auto, manual }, subject(1, 'globex'))).to.equal(false)
    }
  })

  it('gives no session back as the share that returns grows', () => {
    const back = (percent: number) => {
      const on = createOverrideEvaluator({ ...NEUTRAL, auto: recovering(percent) })
      return new Set(Array.from({ length: 2000 }, (_, at) => at).filter((at) => !on(subject(at))))
    }
    const [first, second, last] = [back(5), back(25), back(100)]
    expect(first.size).to.be.within(60, 140)
    expect(second.size).to.be.within(420, 580)
    expect([...first].every((at) => second.has(at))).to.equal(true)
    expect(last.size).to.equal(2000)
    expect(back(0).size).to.equal(0)
  })

  it('keeps the same sessions back beside a manual layer for some orgs', () => {
    const manual: ManualLayer = { scope: 'orgs', target: { kind: 'orgs', orgIds: ['globex'] }, reason: '' }
    const [alone, beside] = [{}, { manual }].map((more) =>
      createOverrideEvaluator({ ...NEUTRAL, auto: recovering(25), ...more }),
    )
    for (let at = 0; at < 200; at += 1) {
      expect(beside?.(subject(at))).to.equal(alone?.(subject(at)))
      expect(beside?.(subject(at, 'globex'))).to.equal(true)
    }
  })

  it('leaves it to the automatic layer where a rule fails for somebody', () => {
    const rule = { if: [{ '>': [{ '+': [{ var: 'orgId' }, 0] }, 5] }, 'on', 'off'] }
    const manual: ManualLayer = {
      scope: 'orgs',
      target: { kind: 'rule', rule, otherwise: 'off' },
      reason: '',
    }
    expect(isOn({ manual, auto: FALLBACK }, subject(1, '7'))).to.equal(true)
    expect(isOn({ manual }, subject(1, '7'))).to.equal(true)
    expect(isOn({ manual }, subject(1, 'acme'))).to.equal(false)
    expect(isOn({ manual, auto: FALLBACK }, subject(1, 'acme'))).to.equal(true)
    const refused: ManualLayer = {
      scope: 'orgs',
      target: { kind: 'rule', rule: { no: 1 }, otherwise: 'off' },
      reason: '',
    }
    fc.assert(
      fc.property(anyAuto, anySubject, (auto, who) => {
        expect(isOn({ manual: refused, auto }, who)).to.equal(isOn({ auto }, who))
      }),
      propertyRuns(50),
    )
  })
})
