import type { Sentence } from './language.js'

export const OVERVIEW = {
  rate: { en: 'Turns a minute', 'zh-CN': '每分钟轮次' },
  errorRate: { en: 'Error rate', 'zh-CN': '错误率' },
  timeoutRate: { en: 'Timeout rate', 'zh-CN': '超时率' },
  latency: { en: 'Latency', 'zh-CN': '延迟' },
  firstContent: { en: 'First content, p95', 'zh-CN': '首个内容 P95' },
  threshold: { en: 'threshold', 'zh-CN': '阈值' },
  window: {
    en: 'The last hour, each figure over {window}. What the journal kept counts all replicas; since this page was opened it is this replica alone.',
    'zh-CN':
      '显示最近一小时，每个数值统计 {window}。打开本页面之前的数据来自日志，包含所有副本；之后只统计本副本。',
  },
  keptMissing: {
    en: 'The lines begin when this page was opened: {message}',
    'zh-CN': '曲线从打开本页面时开始：{message}',
  },
  ofOrg: {
    en: 'A new session of {orgId} is answered by: {mode}.',
    'zh-CN': '{orgId} 的新会话由{mode}应答。',
  },
  health: { en: 'Health', 'zh-CN': '健康状态' },
  healthy: { en: 'healthy', 'zh-CN': '健康' },
  unhealthy: { en: '{failures} failed probes in a row', 'zh-CN': '连续 {failures} 次探测失败' },
  unprobed: { en: 'not probed yet', 'zh-CN': '尚未探测' },
  lastProbe: { en: 'last probe', 'zh-CN': '最近一次探测' },
  replicas: { en: 'Replicas seen', 'zh-CN': '已知副本' },
  replicasHint: {
    en: 'This one, and those that hold the lease or changed the fallback since this page was opened.',
    'zh-CN': '包括本副本，以及持有租约或在打开本页面后修改过回退状态的副本。',
  },
  thisOne: { en: 'this page', 'zh-CN': '本页面' },
  leads: { en: 'leads the recovery', 'zh-CN': '负责恢复' },
  wrote: { en: 'made the last change', 'zh-CN': '最近一次修改' },
  endpoints: { en: 'Direct LLM', 'zh-CN': '直连 LLM' },
  working: { en: 'working', 'zh-CN': '正常' },
  resting: { en: 'paused after failures', 'zh-CN': '因失败暂停' },
  requests: { en: '{requests} requests under way', 'zh-CN': '{requests} 个进行中的请求' },
  waiting: { en: '{waiting} turns wait for a place', 'zh-CN': '{waiting} 个轮次在排队' },
  flags: { en: 'Flags', 'zh-CN': '标志' },
  alerts: { en: 'Alerts', 'zh-CN': '告警' },
  noAlerts: { en: 'Nothing needs your attention.', 'zh-CN': '没有需要处理的事项。' },
  runbook: { en: 'What to do: runbook, {section}', 'zh-CN': '处理方法：运维手册 {section} 一节' },
  rollout: { en: 'Guarded rollout', 'zh-CN': '灰度放量' },
  wouldTrip: { en: 'Would trip (policy observe): {reason}', 'zh-CN': '将会触发（observe 策略）：{reason}' },
} as const satisfies Record<string, Sentence>
