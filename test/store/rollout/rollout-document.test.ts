import { expect } from 'chai'
import fc from 'fast-check'
import { modeTargeting } from '../../../src/flag-edits/targeting.js'
import { tripCauseSchema } from '../../../src/protocol/fallback.js'
import { ROLLOUT_ENDS } from '../../../src/protocol/rollout.js'
import { booleanFlag, flagdRefusal } from '../../../src/store/override/flagd-check.js'
import { NEUTRAL } from '../../../src/store/override/override.js'
import { parseOverride, renderOverride } from '../../../src/store/override/override-document.js'
import type { Rollout, RolloutPlan, RolloutProgress } from '../../../src/store/rollout/rollout.js'
import {
  createRolloutEvaluator,
  parseRollout,
  renderRollout,
} from '../../../src/store/rollout/rollout-document.js'
import { testRuns } from '../../support/test-runs.js'

const runs = { numRuns: testRuns(100) }
const KEY = 'chat-runtime-rollout'

const id = fc.oneof(
  fc.constantFrom('acme', 'globex', '机构', 'a,b%2C'),
  fc.string({ minLength: 1, maxLength: 12 }),
)
const ids = fc.array(id, { minLength: 1, maxLength: 5 })
const plan: fc.Arbitrary<RolloutPlan> = fc.record(
  {
    stages: fc
      .uniqueArray(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 6 })
      .map((stages) => stages.sort((a, b) => a - b)),
    everyMinutes: fc.double({ min: 0.02, max: 10_080, noNaN: true }),
    orgIds: ids,
    agentIds: ids,
  },
  { requiredKeys: ['stages', 'everyMinutes'] },
)
const since = fc.integer({ min: 0, max: 4_102_444_800_000 })
const reason = fc.string({ maxLength: 20 })
const breach = fc.record({
  cause: fc.constantFrom(...tripCauseSchema.options),
  value: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
  threshold: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
})
const progress: fc.Arbitrary<RolloutProgress> = plan.chain((chosen) => {
  const stage = fc.nat({ max: chosen.stages.length - 1 })
  const failed = fc.record({ stage, breach })
  const at = { plan: fc.constant(chosen), since }
  return fc.oneof(
    fc.constant({ state: 'none' } as const),
    fc.record(
      { state: fc.constant('running' as const), ...at, stage, failed },
      { requiredKeys: ['state', 'plan', 'since', 'stage'] },
    ),
    fc.record(
      { state: fc.constant('paused' as const), ...at, stage, failed, reason },
      { requiredKeys: ['state', 'plan', 'since', 'stage', 'reason'] },
    ),
    fc.record({ state: fc.constant('finished' as const), ...at }),
    fc.record(
      { state: fc.constant('ended' as const), ...at, how: fc.constantFrom(...ROLLOUT_ENDS), breach, reason },
      { requiredKeys: ['state', 'plan', 'since', 'how', 'reason'] },
    ),
  )
})
const anyRollout: fc.Arbitrary<Rollout> = fc.record(
  {
    progress,
    evidenceSince: since,
    revision: fc.integer({ min: 1, max: 1_000_000 }),
    replica: fc.constantFrom('a', '副本'),
    actor: fc.constantFrom('auto' as const, 'manual' as const),
    updatedAt: since,
  },
  { requiredKeys: ['progress', 'revision', 'actor'] },
)

const BASE = renderOverride({ ...NEUTRAL, revision: 7, replica: 'a' })
const running = (percent: number, over: Partial<RolloutPlan> = {}): Rollout => ({
  progress: { state: 'running', plan: { stages: [percent], everyMinutes: 5, ...over }, stage: 0, since: 0 },
  revision: 3,
  actor: 'auto',
})
const session = (number: number): string => `7d9f2c04-1a2b-4c3d-8e4f-${String(number).padStart(12, '0')}`
const subject = (number: number, orgId = 'acme', agentId = 'assistant') => ({
  orgId,
  userId: 'u',
  agentId,
  sessionId: session(number),
})

describe('the rollout as a flagd document', () => {
  it('is read back as it was written, beside the override, and taken by flagd', () => {
    fc.assert(
      fc.property(anyRollout, (rollout) => {
        const text = renderRollout(rollout, BASE)
        expect(flagdRefusal(text)).to.equal(undefined)
        expect(parseRollout(text)).to.deep.equal({ kind: 'rollout', rollout })
        expect(parseOverride(text)).to.deep.equal(parseOverride(BASE))
        // The fallback writes its flag, and leaves this one.
        const both = renderOverride({ ...NEUTRAL, revision: 8 }, text)
        expect(parseRollout(both)).to.deep.equal({ kind: 'rollout', rollout })
      }),
      runs,
    )
  })

  it('only adds sessions as its share rises, and puts as many on as it says', () => {
    const shares = [1, 5, 25, 60, 100]
    const evaluators = shares.map((percent) => createRolloutEvaluator(running(percent)))
    const counts = shares.map(() => 0)
    for (let number = 0; number < 4000; number += 1) {
      const on = evaluators.map((evaluate) => evaluate(subject(number)))
      expect(on.every((value, at) => at === 0 || value || !on[at - 1])).to.equal(true)
      for (const [at, value] of on.entries()) counts[at] = (counts[at] ?? 0) + Number(value)
    }
    for (const [at, percent] of shares.entries()) expect((counts[at] ?? 0) / 40).to.be.closeTo(percent, 2.5)
  })

  it('puts the same sessions on as a canary of the same share', () => {
    const canary = JSON.stringify({
      flags: {
        'chat-execution-mode': {
          state: 'ENABLED',
          variants: { runtime_orchestrator: true, direct_llm: false },
          defaultVariant: 'direct_llm',
          targeting: JSON.parse(
            JSON.stringify(modeTargeting(30)).replace('{"$ref":"runtime-enabled-orgs"}', 'false'),
          ),
        },
      },
    })
    const byCanary = booleanFlag(canary, 'chat-execution-mode')
    const byRollout = createRolloutEvaluator(running(30))
    let on = 0
    for (let number = 0; number < 1000; number += 1) {
      expect(byRollout(subject(number))).to.equal(byCanary(subject(number)))
      on += Number(byRollout(subject(number)))
    }
    expect(on).to.be.within(250, 350)
  })

  it('is for its orgs and agents alone', () => {
    const evaluate = createRolloutEvaluator(
      running(100, { orgIds: ['acme'], agentIds: ['assistant', 'other'] }),
    )
    expect(evaluate(subject(1))).to.equal(true)
    expect(evaluate(subject(1, 'globex'))).to.equal(false)
    expect(evaluate(subject(1, 'acme', 'analyst'))).to.equal(false)
  })

  it('is absent from a file of an earlier version, and neutral in the template', () => {
    expect(parseRollout(BASE)).to.deep.equal({ kind: 'absent' })
    const template = renderRollout({ progress: { state: 'none' }, revision: 0, actor: 'auto' }, BASE)
    const unsigned = JSON.parse(template)
    delete unsigned.flags[KEY].metadata.checksum
    expect(parseRollout(JSON.stringify(unsigned)).kind).to.equal('rollout')
  })

  describe('edited by hand', () => {
    const edited = (
      change: (flag: Record<string, unknown> & { metadata: Record<string, unknown> }) => void,
    ) => {
      const document = JSON.parse(renderRollout({ ...running(5), progress: { ...progressAt(1) } }, BASE))
      change(document.flags[KEY])
      return parseRollout(JSON.stringify(document))
    }
    const progressAt = (stage: number): Extract<RolloutProgress, { state: 'running' }> => ({
      state: 'running',
      plan: { stages: [1, 5, 25], everyMinutes: 5 },
      stage,
      since: 0,
    })
    const share = (percent: number) => ({
      fractional: [
        { cat: ['chat-execution-mode', { var: 'targetingKey' }] },
        ['on', percent],
        ['off', 100 - percent],
      ],
    })

    it('takes a stage, an end, or metadata that tell what the rule does', () => {
      const stage = edited((flag) => {
        flag.targeting = share(25)
      })
      expect(stage).to.deep.equal({ kind: 'hand_edit', edit: { kind: 'stage', stage: 2 }, revision: 3 })
      const off = edited((flag) => {
        flag.state = 'DISABLED'
      })
      expect(off).to.deep.equal({ kind: 'hand_edit', edit: { kind: 'abort' }, revision: 3 })
      const zero = edited((flag) => {
        flag.targeting = share(0)
      })
      expect(zero).to.have.nested.property('edit.kind', 'abort')
      const paused = edited((flag) => {
        flag.metadata.state = 'paused'
      })
      expect(paused).to.have.nested.property('edit.progress.state', 'paused')
    })

    it('refuses what no rollout can be, and says why', () => {
      const other = edited((flag) => {
        flag.targeting = share(40)
      })
      expect(other)
        .to.have.nested.property('edit.detail')
        .that.includes('40% is none of its stages (1, 5, 25)')
      const rule = edited((flag) => {
        flag.targeting = { if: [{ '==': [{ var: 'orgId' }, 'acme'] }, 'on', 'off'] }
      })
      expect(rule).to.have.nested.property('edit.kind', 'refused')
      const shape = edited((flag) => {
        flag.variants = { on: 1 }
      })
      expect(shape)
        .to.have.nested.property('edit.detail')
        .that.matches(/line \d+: each of "variants"/)
    })

    it('is unparsable where the file is no document', () => {
      for (const text of ['', '{', '[]', '{"flags": 1}'])
        expect(parseRollout(text).kind, text).to.equal('unparsable')
    })
  })
})
