import type { Sentence } from './language.js'

export const DEMO = {
  title: { en: 'Demo: what is wrong with the simulated runtime', 'zh-CN': '演示：模拟 Runtime 的故障' },
  none: { en: 'Nothing', 'zh-CN': '无故障' },
  errors: { en: 'It answers 500', 'zh-CN': '返回 500' },
  hangs: { en: 'It hangs', 'zh-CN': '无响应' },
  unreachable: { en: 'It is down', 'zh-CN': '宕机' },
  breaks_off: { en: 'It breaks off in mid-answer', 'zh-CN': '回答中途断开' },
  turn: { en: 'Does the runtime still answer?', 'zh-CN': 'Runtime 还能应答吗？' },
  noFailover: { en: 'No turn has failed over yet.', 'zh-CN': '尚未发生故障转移。' },
  failovers: {
    en: 'Turns that failed over since you opened this page: {count}. The runtime failed, and the direct LLM answered in the same turn.',
    'zh-CN': '打开此页面以来发生故障转移的轮次：{count}。Runtime 失败后，由直连 LLM 在同一轮次内作答。',
  },
  hint: {
    en: 'Break it, and one turn of yours is sent at once. Watch turns fail over, then the fallback. Mend it, and watch the recovery.',
    'zh-CN': '制造故障后，会立即以您的身份发送一个轮次。观察轮次的故障转移，然后是回退；修复后观察恢复过程。',
  },
} as const satisfies Record<string, Sentence>
