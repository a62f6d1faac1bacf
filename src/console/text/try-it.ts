import type { Sentence } from './language.js'

export const TRY_IT = {
  lead: {
    en: 'A real turn as you, and what happens in it while it happens.',
    'zh-CN': '以您的身份发起一次真实的轮次，并实时查看其过程。',
  },
  message: { en: 'Message', 'zh-CN': '消息' },
  send: { en: 'Send', 'zh-CN': '发送' },
  stop: { en: 'Stop', 'zh-CN': '停止' },
  fresh: { en: 'New session', 'zh-CN': '新会话' },
  said: { en: 'What was said', 'zh-CN': '对话' },
  you: { en: 'You', 'zh-CN': '您' },
  empty: { en: 'No turn yet. Send a message.', 'zh-CN': '尚无轮次，请发送消息。' },
  trace: { en: 'What happened', 'zh-CN': '过程' },
  traceEmpty: { en: 'The trace of the turn appears here.', 'zh-CN': '轮次的过程会显示在这里。' },
  opened: { en: 'Stream opened', 'zh-CN': '流已打开' },
  thinking: { en: 'Thinking: {text}', 'zh-CN': '思考：{text}' },
  plan: { en: 'Plan: {steps}', 'zh-CN': '计划：{steps}' },
  step: { en: 'Step "{title}": {status}', 'zh-CN': '步骤“{title}”：{status}' },
  call: { en: 'Call of {name}', 'zh-CN': '调用 {name}' },
  result: { en: 'Result of {name}: {status}', 'zh-CN': '{name} 的结果：{status}' },
  firstText: { en: 'First text: from here on there is no failover', 'zh-CN': '首段文本：此后不再故障转移' },
  file: { en: 'File {name}', 'zh-CN': '文件 {name}' },
  retry: { en: 'Connection lost: {why}; next try in {after}', 'zh-CN': '连接中断：{why}；{after} 后重试' },
  failover: {
    en: 'Failover: {from} failed ({cause}, {phase}) after {after}; the other backend answered',
    'zh-CN': '故障转移：{from} 失败（{cause}，{phase}），用时 {after}；由另一后端应答',
  },
  done: {
    en: 'Done by the {mode}: {tokens} tokens in {latency}; decided by {reason}',
    'zh-CN': '由 {mode} 完成：{tokens} 个 token，用时 {latency}；决策原因 {reason}',
  },
  stopped: { en: 'Stopped', 'zh-CN': '已停止' },
  failed: { en: 'Failed: {message}', 'zh-CN': '失败：{message}' },
  kept: { en: 'The kept trace', 'zh-CN': '保存的过程记录' },
  success: { en: 'success', 'zh-CN': '成功' },
  error: { en: 'error', 'zh-CN': '失败' },
} as const satisfies Record<string, Sentence>

/** of a step of a plan */
export const STEP_STATUSES = {
  pending: { en: 'pending', 'zh-CN': '等待中' },
  running: { en: 'running', 'zh-CN': '进行中' },
  completed: { en: 'completed', 'zh-CN': '已完成' },
  failed: { en: 'failed', 'zh-CN': '失败' },
  skipped: { en: 'skipped', 'zh-CN': '已跳过' },
} as const satisfies Record<string, Sentence>
