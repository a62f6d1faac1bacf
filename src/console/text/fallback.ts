import type { TransitionKind } from '../../protocol/fallback.js'
import type { Sentence } from './language.js'
import { FILE_CHANGES, MEASURES } from './parts.js'

export const FALLBACK = {
  state: { en: 'State', 'zh-CN': '状态' },
  normal: { en: 'Normal', 'zh-CN': '正常' },
  fallback: { en: 'Fallback', 'zh-CN': '回退中' },
  recovering: { en: 'Recovering {percent}%', 'zh-CN': '恢复 {percent}%' },
  normalNote: {
    en: 'The operators’ flags decide who is on the runtime.',
    'zh-CN': '由运维标志决定哪些会话使用 Runtime。',
  },
  cause: { en: 'Cause', 'zh-CN': '原因' },
  measured: { en: 'Measured', 'zh-CN': '测得' },
  threshold: { en: 'Threshold', 'zh-CN': '阈值' },
  since: { en: 'Since', 'zh-CN': '开始时间' },
  scope: { en: 'For whom', 'zh-CN': '范围' },
  scopeOf: { en: 'For whom: {scope}', 'zh-CN': '范围：{scope}' },
  measuredOf: {
    en: 'Measured: {value} · Threshold: {threshold}',
    'zh-CN': '测得：{value} · 阈值：{threshold}',
  },
  orgs: { en: 'organisations: {ids}', 'zh-CN': '组织：{ids}' },
  agents: { en: 'agents: {ids}', 'zh-CN': '智能体：{ids}' },
  holdLeft: {
    en: 'The runtime is left alone for another {left}; then recovery shadows test it.',
    'zh-CN': '再等待 {left}，之后用恢复影子测试 Runtime。',
  },
  holdOver: {
    en: 'The wait is over. Recovery shadows test the runtime; the first sessions return once enough of them are good.',
    'zh-CN': '等待已结束。恢复影子正在测试 Runtime，足够多成功后首批会话切回。',
  },
  rampLeft: {
    en: '{percent}% of the sessions are back. The next step comes in {left} at the earliest, if enough executions are healthy.',
    'zh-CN': '已有 {percent}% 的会话切回。若有足够多的执行成功，最快 {left} 后进入下一步。',
  },
  rampNext: {
    en: '{percent}% of the sessions are back. The next step comes as soon as enough executions in this step are healthy.',
    'zh-CN': '已有 {percent}% 的会话切回。本步骤中足够多的执行成功后，即进入下一步。',
  },
  trips: { en: 'Trips in a row', 'zh-CN': '连续触发次数' },
  revision: { en: 'Revision', 'zh-CN': '修订号' },
  written: { en: 'Written to the flag store', 'zh-CN': '已写入标志存储' },
  seen: { en: 'Seen again by this replica', 'zh-CN': '本副本已读回' },
  yes: { en: 'yes', 'zh-CN': '是' },
  no: { en: 'not yet', 'zh-CN': '尚未' },
  afterMs: { en: 'after {ms}', 'zh-CN': '用时 {ms}' },
  manual: { en: 'Manual layer', 'zh-CN': '手动层' },
  manualNone: { en: 'No manual fallback.', 'zh-CN': '没有手动回退。' },
  manualAll: {
    en: 'An operator keeps everybody on the direct LLM.',
    'zh-CN': '运维人员让所有会话使用直连 LLM。',
  },
  manualOrgs: {
    en: 'An operator keeps these organisations on the direct LLM: {ids}',
    'zh-CN': '运维人员让以下组织使用直连 LLM：{ids}',
  },
  until: { en: 'until {at}', 'zh-CN': '至 {at}' },
  orgHeld: { en: 'sessions of {orgId} are on the direct LLM', 'zh-CN': '{orgId} 的会话使用直连 LLM' },
  orgFree: { en: 'no fallback for {orgId}', 'zh-CN': '{orgId} 没有回退' },
  orgStarted: { en: 'The fallback of {orgId} has started,', 'zh-CN': '{orgId} 的回退已开始，' },
  orgMay: {
    en: 'You may send the sessions of {orgId} to the direct LLM, and of no other organisation. You cannot reset it: it ends after the time that you choose, or an operator resets it. To change more, ask an operator with the role owner.',
    'zh-CN':
      '您可以让 {orgId} 的会话使用直连 LLM，但不能影响其他组织。您无法重置：它会在所选时间后自动结束，或由运维人员重置。如需更多操作，请联系角色为 owner 的运维人员。',
  },
  trigger: { en: 'Send sessions to the direct LLM', 'zh-CN': '手动回退' },
  triggerOrgs: {
    en: 'Organisations (one a line; none: everybody)',
    'zh-CN': '组织（每行一个；留空表示所有会话）',
  },
  triggerTtl: { en: 'Ends by itself after', 'zh-CN': '自动结束' },
  ttlNever: { en: 'never', 'zh-CN': '不自动结束' },
  triggerAsk: { en: 'Start a manual fallback…', 'zh-CN': '开始手动回退…' },
  triggerTitle: { en: 'Start a manual fallback?', 'zh-CN': '开始手动回退？' },
  triggerYes: { en: 'Start the fallback', 'zh-CN': '开始回退' },
  triggerEffect: {
    en: '{whom}: every new turn goes to the direct LLM, on every replica, within seconds. Turns that run now end where they are. {ends}',
    'zh-CN': '{whom}：数秒内所有副本上的新轮次都改用直连 LLM。正在进行的轮次不受影响。{ends}',
  },
  endsNever: { en: 'It lasts until somebody resets it.', 'zh-CN': '它会一直持续，直到有人重置。' },
  endsAfter: { en: 'It ends by itself after {duration}.', 'zh-CN': '{duration}后自动结束。' },
  traffic: {
    en: 'Now: {runtime} turns in 5 minutes on the runtime, {direct} on the direct LLM.',
    'zh-CN': '目前：最近 5 分钟 Runtime 有 {runtime} 个轮次，直连 LLM 有 {direct} 个。',
  },
  reset: { en: 'Reset…', 'zh-CN': '重置…' },
  resetTitle: { en: 'Reset the fallback?', 'zh-CN': '重置回退？' },
  resetYes: { en: 'Reset', 'zh-CN': '重置' },
  resetEffect: {
    en: 'Both layers end and the runtime’s window is cleared. Everybody whom the flags put on the runtime returns to it at once, without steps. If it is still unhealthy, the fallback trips again.',
    'zh-CN':
      '两层回退都会结束，Runtime 的统计窗口清零。标志允许的所有会话立即回到 Runtime，不再分步。如果 Runtime 仍不健康，会再次触发回退。',
  },
  nothingToReset: { en: 'There is no fallback to reset.', 'zh-CN': '没有需要重置的回退。' },
  history: { en: 'History', 'zh-CN': '历史' },
  historyEmpty: { en: 'Nothing has happened yet.', 'zh-CN': '暂无记录。' },
  evidence: { en: 'Evidence', 'zh-CN': '依据' },
  guardrails: { en: 'Guardrails at that moment', 'zh-CN': '当时的护栏' },
  byLoop: { en: 'by the service itself, replica {replica}', 'zh-CN': '由服务自动执行，副本 {replica}' },
  byPerson: { en: 'by {user}, through replica {replica}', 'zh-CN': '由 {user} 操作，经副本 {replica}' },
  somebody: { en: 'somebody who edited the file', 'zh-CN': '编辑文件的人员' },
} as const satisfies Record<string, Sentence>

export const TRANSITION_NAMES: Readonly<Record<TransitionKind, Sentence>> = {
  ...FILE_CHANGES,
  trip: { en: 'Fallback tripped', 'zh-CN': '触发回退' },
  relapse: { en: 'Recovery failed', 'zh-CN': '恢复失败' },
  widened: { en: 'Fallback widened', 'zh-CN': '回退范围扩大' },
  recovery_begun: { en: 'Recovery started', 'zh-CN': '开始恢复' },
  ramp_step: { en: 'Recovery step', 'zh-CN': '恢复步进' },
  recovered: { en: 'Recovered', 'zh-CN': '已恢复' },
  reset: { en: 'Reset', 'zh-CN': '重置' },
  triggered: { en: 'Manual fallback', 'zh-CN': '手动回退' },
  manual_expired: { en: 'Manual fallback ended', 'zh-CN': '手动回退到期' },
  policy_off: { en: 'Ended by the policy', 'zh-CN': '因策略结束' },
}

export const CAUSE_NAMES = {
  ...MEASURES,
  health: { en: 'health check', 'zh-CN': '健康检查' },
  manual: { en: 'an operator', 'zh-CN': '人工' },
} as const satisfies Record<string, Sentence>
