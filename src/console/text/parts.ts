import type { Sentence } from './language.js'

/** Texts that views share. */
export const PARTS = {
  cancel: { en: 'Cancel', 'zh-CN': '取消' },
  unreachable: { en: 'The service cannot be reached: {message}', 'zh-CN': '无法连接服务：{message}' },
  asJson: { en: 'as JSON', 'zh-CN': '以 JSON 显示' },
  asList: { en: 'as a list', 'zh-CN': '以列表显示' },
  more: { en: 'Show older ones', 'zh-CN': '显示更早的记录' },
  now: { en: 'now', 'zh-CN': '现在' },
} as const satisfies Record<string, Sentence>
