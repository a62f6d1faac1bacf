import { expect } from 'chai'
import fc from 'fast-check'
import { transitionSchema } from '../../src/protocol/fallback.js'
import { transitionKind, transitionReason } from '../../src/protocol/transition-text.js'
import { transitionView } from '../../src/protocol/transition-view.js'
import { anyTransition, sampleTransition } from '../support/transitions.js'

const both = (...args: Parameters<typeof sampleTransition>): [string, string] => {
  const transition = sampleTransition(...args)
  return [transitionReason(transition, 'zh-CN'), transitionReason(transition, 'en')]
}
const STEP = { from: 'recovering', to: 'recovering', recoveringPercent: 25 } as const

describe('why the override changed', () => {
  it('is the breach, for a trip and a relapse', () => {
    const expected = ['错误率过高: 55.00% (阈值: 50.00%)', 'Error rate too high: 55.00% (threshold: 50.00%)']
    expect(both()).to.deep.equal(expected)
    expect(both({ from: 'recovering' })).to.deep.equal(expected)
    expect(both({ kind: 'relapse', from: 'recovering' })).to.deep.equal(expected)
    expect(both({ cause: 'latency', value: 250_000, threshold: 240_000 })[0]).to.equal(
      '平均延迟过高: 250000ms (阈值: 240000ms)',
    )
  })

  it('needs no numbers for a failed health check, and says little where they miss for a rate', () => {
    const { value, threshold, ...unmeasured } = sampleTransition({ cause: 'health' })
    expect([value, threshold]).to.deep.equal([0.55, 0.5])
    expect(transitionReason(unmeasured, 'zh-CN')).to.equal('Runtime 服务不可用: 健康检查失败')
    expect(transitionReason({ ...unmeasured, cause: 'error_rate' }, 'en')).to.equal('Automatic fallback')
  })

  it('is how far recovery is', () => {
    expect(both({ from: 'fallback', to: 'recovering', recoveringPercent: 5 })).to.deep.equal([
      '开始恢复: 5% 的会话回到 Runtime',
      'Recovery begun: 5% of the sessions back on the runtime',
    ])
    expect(both(STEP)).to.deep.equal([
      '继续恢复: 25% 的会话回到 Runtime',
      'Recovery goes on: 25% of the sessions back on the runtime',
    ])
    expect(both({ from: 'recovering', to: 'normal' })).to.deep.equal(['已恢复正常', 'Back to normal'])
  })

  it("is a person's own words", () => {
    const drill = { actor: 'manual', to: 'normal', manualTo: 'all', reason: ' 演练 ' } as const
    expect(both(drill)).to.deep.equal(['演练', '演练'])
    expect(both({ ...drill, kind: 'hand_edit' })).to.deep.equal(['演练', '演练'])
  })

  it('is a sentence where the person gave no words', () => {
    const byHand = { actor: 'manual', to: 'normal', manualTo: 'all' } as const
    for (const reason of ['', '  '])
      expect(both({ ...byHand, reason })).to.deep.equal(['手动回退', 'Manual fallback'])
    expect(both({ ...byHand, manualTo: 'orgs' })[1]).to.equal('Manual fallback (some orgs)')
    expect(both({ ...byHand, manualFrom: 'all', manualTo: 'none' })).to.deep.equal([
      '手动重置',
      'Manual reset',
    ])
    expect(both({ ...byHand, kind: 'hand_edit' })[1]).to.equal('Flag file edited by hand: manual fallback')
    expect(both({ ...byHand, kind: 'hand_edit', manualTo: 'none' })[1]).to.equal(
      'Flag file edited by hand: reset',
    )
  })

  it('is the time that is over, not the words that were right until then', () => {
    const expired = {
      from: 'normal',
      to: 'recovering',
      manualFrom: 'all',
      reason: '演练',
      recoveringPercent: 5,
    } as const
    expect(both(expired)).to.deep.equal([
      '手动回退已到期: 5% 的会话回到 Runtime',
      'Manual fallback is over: 5% of the sessions back on the runtime',
    ])
    expect(both({ from: 'normal', to: 'normal', manualFrom: 'orgs' })[0]).to.equal('手动回退已到期')
  })

  it('is the policy, or what was found in the store', () => {
    expect(both({ kind: 'policy_off', to: 'normal' })[1]).to.equal(
      'Fallback policy is off: automatic fallback lifted',
    )
    expect(both({ from: 'fallback', to: 'normal' })[1]).to.contain('policy is off')
    expect(both({ kind: 'adopted' })[0]).to.equal('采用 flag 存储中的状态')
  })

  it('believes the kind that was noted', () => {
    expect(transitionKind(sampleTransition({ kind: 'adopted' }))).to.equal('adopted')
    expect(transitionKind(sampleTransition(STEP))).to.equal('ramp_step')
  })
})

describe('the entry of the history', () => {
  it('follows its schema and tells the reason in both languages, whatever happened', () => {
    fc.assert(
      fc.property(anyTransition, (transition) => {
        for (const language of ['zh-CN', 'en'] as const) {
          const view = transitionView(transition, language)
          expect(transitionSchema.safeParse({ id: 1, ...view }).error).to.equal(undefined)
          expect(view.reason.trim()).to.not.equal('')
        }
      }),
      { numRuns: 200 },
    )
  })
})
