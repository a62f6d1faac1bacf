import type { Sentence } from './language.js'

export const WHAT_IF = {
  title: { en: 'What if', 'zh-CN': '假设分析' },
  lead: {
    en: 'The kept evidence of the last hours, judged once more with other guardrails. Nothing changes.',
    'zh-CN': '用其他护栏重新判断最近几小时保存的依据。不会改变任何设置。',
  },
  hours: { en: 'last {hours} h', 'zh-CN': '最近 {hours} 小时' },
  errorRate: { en: 'Error rate above', 'zh-CN': '错误率高于' },
  timeoutRate: { en: 'Timeout rate above', 'zh-CN': '超时率高于' },
  latencyShare: {
    en: 'Mean latency above, share of the longest turn',
    'zh-CN': '平均延迟高于最长轮次的比例',
  },
  run: { en: 'Replay', 'zh-CN': '重放' },
  happened: { en: 'What happened', 'zh-CN': '实际情况' },
  replayed: { en: 'With these guardrails', 'zh-CN': '使用这些护栏' },
  trips: { en: 'Trips', 'zh-CN': '触发次数' },
  inFallback: { en: 'Time in fallback', 'zh-CN': '回退时长' },
  inRecovery: { en: 'Time in recovery', 'zh-CN': '恢复时长' },
  none: { en: 'No transition.', 'zh-CN': '没有状态变化。' },
  executions: { en: '{count} executions were judged.', 'zh-CN': '共判断 {count} 次执行。' },
  partial: {
    en: 'Only up to {until}: there was more than one replay looks at.',
    'zh-CN': '只到 {until}：数据超过一次重放的上限。',
  },
} as const satisfies Record<string, Sentence>
