import type { Sentence } from './language.js'

export const EXPLAIN = {
  title: { en: 'Explain a decision', 'zh-CN': '决策说明' },
  lead: {
    en: 'Which backend a turn would get, and which flag decides. Empty fields: your own organisation and user, a new session, no agent.',
    'zh-CN': '某个轮次会使用哪个后端，由哪个标志决定。留空表示：您自己的组织和用户、新会话、无智能体。',
  },
  userId: { en: 'User', 'zh-CN': '用户' },
  sessionId: { en: 'Session', 'zh-CN': '会话' },
  ask: { en: 'Explain', 'zh-CN': '说明' },
  answer: { en: 'Decision', 'zh-CN': '决策' },
  withShadow: { en: 'with a shadow on the other backend', 'zh-CN': '同时在另一后端进行影子执行' },
  withoutShadow: { en: 'without a shadow', 'zh-CN': '无影子执行' },
  reason: { en: 'Reason:', 'zh-CN': '原因：' },
  decides: { en: 'decides', 'zh-CN': '起决定作用' },
  context: {
    en: 'Asked for: organisation {orgId}, user {userId}, agent {agentId}, session',
    'zh-CN': '查询对象：组织 {orgId}，用户 {userId}，智能体 {agentId}，会话',
  },
} as const satisfies Record<string, Sentence>
