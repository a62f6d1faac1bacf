import type { ListedCommand } from './command/invocation.js'

/** Commands that change something in a running service; in the order of the help. */
export const STEER_COMMANDS: readonly ListedCommand[] = [
  {
    words: ['fallback', 'trigger'],
    section: 'steer',
    summary: {
      en: 'send everybody, or some orgs, to the direct LLM',
      'zh-CN': '将全部或部分组织切到直连 LLM',
    },
    load: async () => (await import('./show/fallback.js')).triggerCommand,
  },
  {
    words: ['fallback', 'reset'],
    section: 'steer',
    summary: { en: 'end a fallback, automatic or by hand', 'zh-CN': '结束回退，无论由谁触发' },
    load: async () => (await import('./show/fallback.js')).resetCommand,
  },
  {
    words: ['mode', 'set'],
    section: 'steer',
    summary: { en: 'the mode for everybody that no rule names', 'zh-CN': '设置未被规则命中者的模式' },
    load: async () => (await import('./edit/mode.js')).modeSetCommand,
  },
  {
    words: ['orgs', 'add'],
    section: 'steer',
    summary: { en: 'put orgs on the runtime', 'zh-CN': '让组织使用 runtime' },
    load: async () => (await import('./edit/orgs.js')).orgsAddCommand,
  },
  {
    words: ['orgs', 'remove'],
    section: 'steer',
    summary: { en: 'take orgs off that list', 'zh-CN': '将组织移出该列表' },
    load: async () => (await import('./edit/orgs.js')).orgsRemoveCommand,
  },
  {
    words: ['canary', 'set'],
    section: 'steer',
    summary: {
      en: 'share of the other sessions that get the runtime',
      'zh-CN': '设置其余会话使用 runtime 的比例',
    },
    load: async () => (await import('./edit/shares.js')).canarySetCommand,
  },
  {
    words: ['rollout', 'start'],
    section: 'steer',
    summary: {
      en: 'let the service raise the share of sessions on the runtime, stage by stage while it is healthy',
      'zh-CN': '开始灰度放量：健康时由服务逐阶段提高 runtime 的会话比例',
    },
    load: async () => (await import('./show/rollout.js')).rolloutStartCommand,
  },
  {
    words: ['rollout', 'pause'],
    section: 'steer',
    summary: { en: 'pause the rollout; the share stays', 'zh-CN': '暂停灰度放量，比例保持不变' },
    load: async () => (await import('./show/rollout.js')).rolloutPauseCommand,
  },
  {
    words: ['rollout', 'resume'],
    section: 'steer',
    summary: {
      en: 'go on with a paused rollout; its stage starts again',
      'zh-CN': '继续已暂停的灰度放量，本阶段重新计时',
    },
    load: async () => (await import('./show/rollout.js')).rolloutResumeCommand,
  },
  {
    words: ['rollout', 'abort'],
    section: 'steer',
    summary: { en: 'end the rollout; the share goes to 0', 'zh-CN': '中止灰度放量，比例降为 0' },
    load: async () => (await import('./show/rollout.js')).rolloutAbortCommand,
  },
  {
    words: ['shadow', 'set'],
    section: 'steer',
    summary: {
      en: 'share of the sessions that also run on the other backend, unseen',
      'zh-CN': '设置影子执行的会话比例',
    },
    load: async () => (await import('./edit/shares.js')).shadowSetCommand,
  },
  {
    words: ['guardrails', 'set'],
    section: 'steer',
    summary: { en: 'thresholds, windows and deadlines', 'zh-CN': '设置阈值、窗口与时限' },
    load: async () => (await import('./edit/guardrails.js')).guardrailsSetCommand,
  },
  {
    words: ['limits', 'set'],
    section: 'steer',
    summary: {
      en: 'limits of turns, by user, org and in all',
      'zh-CN': '设置对话限额（按用户、组织与总量）',
    },
    load: async () => (await import('./edit/limits.js')).limitsSetCommand,
  },
  {
    words: ['policy', 'set'],
    section: 'steer',
    summary: { en: 'whether the service may fall back by itself', 'zh-CN': '设置服务能否自动回退' },
    load: async () => (await import('./edit/shares.js')).policySetCommand,
  },
  {
    words: ['sessions', 'delete'],
    section: 'steer',
    summary: { en: 'erase a conversation of your own for good', 'zh-CN': '彻底删除您自己的一段对话' },
    load: async () => (await import('./show/sessions.js')).sessionsDeleteCommand,
  },
]
