import type { Sentence } from './language.js'

export const LIMITS = {
  title: { en: 'Limits', 'zh-CN': '限额' },
  hint: {
    en: 'What users and organisations may use. Changes take effect without a restart; running turns go on. 0: no limit.',
    'zh-CN': '用户和组织可以使用的额度。修改无需重启即可生效，正在进行的轮次不受影响。0 表示不限。',
  },
  noLimit: { en: 'Empty: no limit.', 'zh-CN': '留空：不限。' },
  environment: { en: 'Empty: {name} decides.', 'zh-CN': '留空：由 {name} 决定。' },
  unwatched: { en: '0: not watched.', 'zh-CN': '0：不监测。' },
  weightsHint: {
    en: 'One organisation a line, as acme = 3. Others have 1.',
    'zh-CN': '每行一个组织，例如 acme = 3。其他组织为 1。',
  },
  whole: {
    en: 'Must be a whole number from {least} to {most}.',
    'zh-CN': '必须是 {least} 到 {most} 之间的整数。',
  },
  badLine: { en: '“{line}” is not organisation = number.', 'zh-CN': '“{line}”不是“组织 = 数字”的形式。' },
  twice: { en: '“{line}”: this organisation is listed twice.', 'zh-CN': '“{line}”：该组织重复出现。' },
  badWeight: {
    en: '“{line}”: the share must be from {least} to {most}.',
    'zh-CN': '“{line}”：份额必须在 {least} 到 {most} 之间。',
  },
} as const satisfies Record<string, Sentence>

export const LIMIT_NAMES = {
  maxStreams: { en: 'Open streams of a process', 'zh-CN': '单个进程的流数上限' },
  streamsPerUser: { en: 'Streams of a user at a time', 'zh-CN': '单个用户的并发流数' },
  streamsPerOrg: { en: 'Streams of an organisation at a time', 'zh-CN': '单个组织的并发流数' },
  startsPerMinutePerUser: { en: 'Turns a user starts in a minute', 'zh-CN': '单个用户每分钟发起的轮次' },
  startsPerMinutePerOrg: {
    en: 'Turns an organisation starts in a minute',
    'zh-CN': '单个组织每分钟发起的轮次',
  },
  tokensPerDayPerOrg: {
    en: 'Tokens of an organisation in a UTC day',
    'zh-CN': '单个组织每个 UTC 日的 Token 数',
  },
  overloadDelayMs: {
    en: 'Delay of the event loop that counts as overload, ms',
    'zh-CN': '视为过载的事件循环延迟（毫秒）',
  },
  weights: { en: 'Shares while all places are taken', 'zh-CN': '名额用尽时各组织的份额' },
} as const satisfies Record<string, Sentence>
