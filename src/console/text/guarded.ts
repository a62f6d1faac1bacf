import type { RolloutChangeKind, RolloutStateName, RolloutWait } from '../../protocol/rollout.js'
import type { Sentence } from './language.js'
import { FILE_CHANGES } from './parts.js'

export const GUARDED = {
  title: { en: 'Guarded rollout', 'zh-CN': '灰度放量' },
  lead: {
    en: 'The service itself raises the share of sessions on the runtime while the runtime is healthy, and goes back on a breach.',
    'zh-CN': '只要 Runtime 健康，服务自动提高使用 Runtime 的会话比例；越过护栏则自动退回。',
  },
  stages: { en: 'Stages in percent', 'zh-CN': '各阶段百分比' },
  stagesRise: {
    en: 'Whole percentages from 1 to 100 with commas between them, each larger than the one before, such as 1, 5, 25, 100.',
    'zh-CN': '请填写 1 到 100 的整数百分比，以逗号分隔并逐个递增，例如 1, 5, 25, 100。',
  },
  minutes: { en: 'Minutes of each stage, at least', 'zh-CN': '每阶段至少分钟数' },
  orgs: { en: 'Organisations (none: everybody)', 'zh-CN': '组织（留空表示所有）' },
  agents: { en: 'Agents (none: all)', 'zh-CN': '智能体（留空表示所有）' },
  start: { en: 'Start a rollout…', 'zh-CN': '开始灰度放量…' },
  startTitle: { en: 'Start a guarded rollout?', 'zh-CN': '开始灰度放量？' },
  startYes: { en: 'Start', 'zh-CN': '开始' },
  startEffect: {
    en: '{whom}: the first {percent}% of the sessions go to the runtime now, then {rest}. Each stage lasts at least {minutes} minutes and goes on only while the runtime is healthy. A breach goes back one stage; a second one stops it.',
    'zh-CN':
      '{whom}：首先 {percent}% 的会话使用 Runtime，之后为 {rest}。每阶段至少 {minutes} 分钟，仅在 Runtime 健康时继续。越过护栏退回一个阶段，再次越过则停止。',
  },
  onlyStage: { en: 'there is no further stage', 'zh-CN': '没有后续阶段' },
  pause: { en: 'Pause', 'zh-CN': '暂停' },
  resume: { en: 'Resume', 'zh-CN': '继续' },
  abort: { en: 'Abort…', 'zh-CN': '中止…' },
  abortTitle: { en: 'Abort the rollout?', 'zh-CN': '中止灰度放量？' },
  abortYes: { en: 'Abort', 'zh-CN': '中止' },
  abortEffect: {
    en: 'The {percent}% of the sessions that the rollout put on the runtime return to the direct LLM with their next turn.',
    'zh-CN': '由灰度放量分配到 Runtime 的 {percent}% 会话，从下一轮次起改用直连 LLM。',
  },
  finishedNext: { en: 'Make it permanent: {command}', 'zh-CN': '使其永久生效：{command}' },
  verdict: { en: 'Verdict of this stage', 'zh-CN': '本阶段结论' },
  executions: { en: 'Executions of this stage', 'zh-CN': '本阶段执行数' },
  errors: { en: 'Errors', 'zh-CN': '错误' },
  waits: { en: 'Waits for', 'zh-CN': '等待' },
  left: { en: 'Least time left', 'zh-CN': '剩余最短时间' },
  history: { en: 'Earlier changes', 'zh-CN': '历史变化' },
  historyEmpty: { en: 'There was no rollout yet.', 'zh-CN': '还没有灰度放量。' },
} as const satisfies Record<string, Sentence>

export const ROLLOUT_STATE_NAMES: Readonly<Record<RolloutStateName, Sentence>> = {
  none: { en: 'No rollout', 'zh-CN': '没有灰度放量' },
  running: { en: 'running', 'zh-CN': '进行中' },
  paused: { en: 'paused', 'zh-CN': '已暂停' },
  finished: { en: 'finished', 'zh-CN': '已完成' },
  ended: { en: 'ended', 'zh-CN': '已结束' },
}

export const WAIT_NAMES: Readonly<Record<RolloutWait, Sentence>> = {
  time: { en: 'the least time of the stage', 'zh-CN': '阶段最短时间' },
  samples: { en: 'more executions', 'zh-CN': '更多执行' },
  rates: { en: 'better rates', 'zh-CN': '指标好转' },
  probe: { en: 'a good health check', 'zh-CN': '健康检查通过' },
  fallback: { en: 'the end of the fallback', 'zh-CN': '回退结束' },
  both_fail: { en: 'the direct LLM, which fails as well', 'zh-CN': '直连 LLM 恢复' },
  leader: { en: 'the replica that leads', 'zh-CN': '负责的副本' },
  store: { en: 'the flag store', 'zh-CN': '标志存储' },
}

export const ROLLOUT_CHANGE_NAMES: Readonly<Record<RolloutChangeKind, Sentence>> = {
  ...FILE_CHANGES,
  started: { en: 'Started', 'zh-CN': '开始' },
  raised: { en: 'Raised', 'zh-CN': '提高' },
  lowered: { en: 'Lowered', 'zh-CN': '降低' },
  stopped: { en: 'Stopped', 'zh-CN': '停止' },
  finished: { en: 'Finished', 'zh-CN': '完成' },
  paused: { en: 'Paused', 'zh-CN': '暂停' },
  resumed: { en: 'Resumed', 'zh-CN': '继续' },
  aborted: { en: 'Aborted', 'zh-CN': '中止' },
  made_permanent: { en: 'Made permanent', 'zh-CN': '永久生效' },
  superseded: { en: 'Superseded by a rule', 'zh-CN': '被规则取代' },
}
