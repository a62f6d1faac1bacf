import type { ListedCommand } from './command/invocation.js'

/** Commands that show what a running service does; in the order of the help. */
export const SEE_COMMANDS: readonly ListedCommand[] = [
  {
    words: ['status'],
    section: 'see',
    summary: {
      en: 'fallback, flags, alerts and both modes at a glance',
      'zh-CN': '一览：回退、flag、告警与两种模式',
    },
    load: async () => (await import('./show/status.js')).statusCommand,
  },
  {
    words: ['watch'],
    section: 'see',
    summary: {
      en: 'fallback, metrics and edits of the flags, live',
      'zh-CN': '实时查看回退、指标与 flag 修改',
    },
    load: async () => (await import('./show/watch.js')).watchCommand,
  },
  {
    words: ['explain'],
    section: 'see',
    summary: {
      en: 'which mode a caller gets, and what each flag said',
      'zh-CN': '某个调用者会得到哪种模式，以及各 flag 的取值',
    },
    load: async () => (await import('./show/explain.js')).explainCommand,
  },
  {
    words: ['metrics'],
    section: 'see',
    summary: {
      en: 'both modes over the last five minutes, of all orgs or one',
      'zh-CN': '两种模式最近五分钟的指标，全部组织或某一组织',
    },
    load: async () => (await import('./show/metrics.js')).metricsCommand,
  },
  {
    words: ['fallback', 'history'],
    section: 'see',
    summary: { en: 'what happened to the fallback, newest first', 'zh-CN': '回退的变更记录，最新在前' },
    load: async () => (await import('./show/fallback.js')).historyCommand,
  },
  {
    words: ['rollout', 'status'],
    section: 'see',
    summary: {
      en: 'the guarded rollout: stage, verdict, what it waits for',
      'zh-CN': '灰度放量的阶段、判定与等待原因',
    },
    load: async () => (await import('./show/rollout.js')).rolloutStatusCommand,
  },
  {
    words: ['rollout', 'history'],
    section: 'see',
    summary: { en: 'what happened to rollouts, newest first', 'zh-CN': '灰度放量的变更记录，最新在前' },
    load: async () => (await import('./show/rollout.js')).rolloutHistoryCommand,
  },
  {
    words: ['mode', 'get'],
    section: 'see',
    summary: {
      en: 'the mode, the orgs and the canary of the flag',
      'zh-CN': 'flag 中的模式、组织与灰度比例',
    },
    load: async () => (await import('./edit/mode.js')).modeGetCommand,
  },
  {
    words: ['orgs', 'list'],
    section: 'see',
    summary: { en: 'the orgs that the flag puts on the runtime', 'zh-CN': 'flag 中使用 runtime 的组织' },
    load: async () => (await import('./edit/orgs.js')).orgsListCommand,
  },
  {
    words: ['guardrails', 'get'],
    section: 'see',
    summary: {
      en: 'every guardrail, and whether the file or the default says so',
      'zh-CN': '全部护栏及其来源（文件或默认值）',
    },
    load: async () => (await import('./edit/guardrails.js')).guardrailsGetCommand,
  },
  {
    words: ['limits', 'get'],
    section: 'see',
    summary: {
      en: 'limits of turns: streams, starts, tokens, and what decides each',
      'zh-CN': '对话限额（流、发起频率、token）及其来源',
    },
    load: async () => (await import('./edit/limits.js')).limitsGetCommand,
  },
  {
    words: ['flags', 'show'],
    section: 'see',
    summary: {
      en: "what the operators' file says, and what is wrong with it",
      'zh-CN': '运维 flag 文件的内容与问题',
    },
    load: async () => (await import('./show/flags-show.js')).flagsShowCommand,
  },
  {
    words: ['flags', 'history'],
    section: 'see',
    summary: { en: 'who edited the flags by the API, and what', 'zh-CN': '通过 API 修改 flag 的记录' },
    load: async () => (await import('./show/flags-show.js')).flagsHistoryCommand,
  },
  {
    words: ['sessions', 'list'],
    section: 'see',
    summary: { en: 'your own conversations, newest first', 'zh-CN': '列出您自己的对话，最新在前' },
    load: async () => (await import('./show/sessions.js')).sessionsListCommand,
  },
  {
    words: ['sessions', 'show'],
    section: 'see',
    summary: { en: 'a conversation of your own', 'zh-CN': '查看您自己的一段对话' },
    load: async () => (await import('./show/sessions.js')).sessionsShowCommand,
  },
  {
    words: ['sessions', 'trace'],
    section: 'see',
    summary: {
      en: 'what happened in a turn, without its content',
      'zh-CN': '查看一轮对话的过程（不含内容）',
    },
    load: async () => (await import('./show/turn-trace.js')).sessionsTraceCommand,
  },
  {
    words: ['shadow', 'report'],
    section: 'see',
    summary: { en: 'what would change if users were switched', 'zh-CN': '若切换用户会有何变化' },
    load: async () => (await import('./show/shadow-report.js')).shadowReportCommand,
  },
  {
    words: ['shadow', 'pairs'],
    section: 'see',
    summary: { en: 'pairs whose sides differ most, by id', 'zh-CN': '两侧差异最大的配对（按编号）' },
    load: async () => (await import('./show/shadow-pairs.js')).shadowPairsCommand,
  },
]
