import { expect } from 'chai'
import fc from 'fast-check'
import { notificationText } from '../../src/notifications/notification-text.js'
import { scopeOf } from '../../src/protocol/fallback-scope.js'
import { anyTransition, sampleTransition } from '../support/transitions.js'

const both = (...args: Parameters<typeof sampleTransition>): [string, string] => {
  const transition = sampleTransition(...args)
  return [notificationText(transition, 'zh-CN'), notificationText(transition, 'en')]
}

describe('the sentence of a notification', () => {
  it('tells a trip, which one it is and until when it holds', () => {
    expect(both({ trips: 2 })).to.deep.equal([
      '[chat-cutover] 自动回退到 direct 模式: 错误率过高: 55.00% (阈值: 50.00%)；副本 replica-a；第 2 次；保持至 2026-01-01T00:00:30Z；版本 7',
      '[chat-cutover] Automatic fallback to direct mode: Error rate too high: 55.00% (threshold: 50.00%); ' +
        'replica replica-a; trip 2; on hold until 2026-01-01T00:00:30Z; revision 7',
    ])
  })

  it('tells for whom a scoped one is, and that it was widened', () => {
    const scope = scopeOf('orgs', ['acme', 'globex'])
    expect(both({ scope })[1]).to.equal(
      '[chat-cutover] Automatic fallback to direct mode: Error rate too high: 55.00% (threshold: 50.00%) ' +
        '(only orgs: acme, globex); replica replica-a; trip 1; on hold until 2026-01-01T00:00:30Z; revision 7',
    )
    const [zh, en] = both({ kind: 'widened', from: 'fallback', scope })
    expect(zh).to.match(
      /^\[chat-cutover\] 回退范围扩大: 错误率过高: 55.00% \(阈值: 50.00%\)（仅限组织: acme、globex）；/,
    )
    expect(en).to.match(/^\[chat-cutover\] Fallback widened: Error rate .* \(only orgs: acme, globex\); /)
    expect(both({ kind: 'widened', from: 'fallback' })[1]).to.match(
      /Fallback widened: Error rate .*%\); replica/,
    )
  })

  it('tells a relapse from a trip', () => {
    const [zh, en] = both({ from: 'recovering' })
    expect(zh).to.match(/^\[chat-cutover\] 恢复失败，再次自动回退到 direct 模式: 错误率过高/)
    expect(en).to.match(
      /^\[chat-cutover\] Recovery failed, automatic fallback to direct mode again: Error rate/,
    )
  })

  it('tells the steps back, without trips and hold', () => {
    expect(both({ from: 'recovering', to: 'recovering', recoveringPercent: 25 })).to.deep.equal([
      '[chat-cutover] 继续恢复: 25% 的会话回到 Runtime；副本 replica-a；版本 7',
      '[chat-cutover] Recovery goes on: 25% of the sessions back on the runtime; replica replica-a; revision 7',
    ])
    expect(both({ from: 'recovering', to: 'normal' })[1]).to.equal(
      '[chat-cutover] Back to normal; replica replica-a; revision 7',
    )
  })

  it('tells who acted by hand and why', () => {
    const byHand = { to: 'normal', actor: 'manual', manualTo: 'all', userId: 'alice' } as const
    expect(both({ ...byHand, reason: '演练' })).to.deep.equal([
      '[chat-cutover] 手动回退: 演练；操作人 alice；副本 replica-a；版本 7',
      '[chat-cutover] Manual fallback: 演练; user alice; replica replica-a; revision 7',
    ])
    expect(both(byHand)[1]).to.equal(
      '[chat-cutover] Manual fallback; user alice; replica replica-a; revision 7',
    )
    expect(both({ ...byHand, manualFrom: 'all', manualTo: 'none' })[1]).to.contain('Manual reset; user alice')
  })

  it('is one short line, whatever happened and whatever was written', () => {
    fc.assert(
      fc.property(anyTransition, (transition) => {
        for (const language of ['zh-CN', 'en'] as const) {
          const text = notificationText(transition, language)
          expect(text).to.match(/^\[chat-cutover\] \S/)
          expect(text).to.not.match(/[\n\r\p{Cc}\u2028]/u)
          expect(text.length).to.be.lessThan(2_000)
        }
      }),
      { numRuns: 200 },
    )
  })
})
