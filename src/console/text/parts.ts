import type { Sentence } from './language.js'

/** Texts that views share. */
export const PARTS = {
  cancel: { en: 'Cancel', 'zh-CN': '取消' },
  unreachable: {
    en: 'The service does not answer ({message}). Check that it runs and that your network reaches it, then try again.',
    'zh-CN': '服务没有响应（{message}）。请确认服务正在运行且网络可达，然后重试。',
  },
  asJson: { en: 'as JSON', 'zh-CN': '以 JSON 显示' },
  asList: { en: 'as a list', 'zh-CN': '以列表显示' },
  more: { en: 'Show older ones', 'zh-CN': '显示更早的记录' },
  orgId: { en: 'Organisation', 'zh-CN': '组织' },
  agentId: { en: 'Agent', 'zh-CN': '智能体' },
  span: { en: 'Span', 'zh-CN': '时间范围' },
  everybody: { en: 'everybody', 'zh-CN': '所有会话' },
  reason: { en: 'Reason, as others will read it', 'zh-CN': '原因（其他人会看到）' },
  policy: { en: 'Fallback policy', 'zh-CN': '回退策略' },
} as const satisfies Record<string, Sentence>

export const MODES = {
  direct_llm: { en: 'direct LLM', 'zh-CN': '直连 LLM' },
  runtime_orchestrator: { en: 'runtime', 'zh-CN': 'Runtime' },
} as const satisfies Record<string, Sentence>

/** What guardrails and reports measure. */
export const MEASURES = {
  error_rate: { en: 'error rate', 'zh-CN': '错误率' },
  timeout_rate: { en: 'timeout rate', 'zh-CN': '超时率' },
  latency: { en: 'latency', 'zh-CN': '延迟' },
  first_content: { en: 'first content', 'zh-CN': '首个内容' },
} as const satisfies Record<string, Sentence>

/** What happens to a file that fallback and rollout keep. */
export const FILE_CHANGES = {
  hand_edit: { en: 'File edited by hand', 'zh-CN': '手工编辑文件' },
  hand_edit_refused: { en: 'Edit by hand refused', 'zh-CN': '手工编辑被拒绝' },
  adopted: { en: 'State taken from the flag store', 'zh-CN': '采用标志存储中的状态' },
} as const satisfies Record<string, Sentence>
