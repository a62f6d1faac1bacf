import type { AnyCommand } from './command/invocation.js'
import { OWN_COMMANDS } from './own-commands.js'
import { SEE_COMMANDS } from './see-commands.js'
import { STEER_COMMANDS } from './steer-commands.js'

/** Every command, in the order of the help. The code of each is loaded when it is called. */
export const COMMANDS: readonly AnyCommand[] = [
  ...SEE_COMMANDS,
  ...STEER_COMMANDS,
  {
    words: ['chat'],
    section: 'try',
    summary: {
      en: 'a turn in the terminal, streamed, with its plan and tools',
      'zh-CN': '在终端对话，流式显示计划与工具',
    },
    load: async () => (await import('./chat/chat.js')).chatCommand,
  },
  {
    words: ['drill'],
    section: 'try',
    summary: {
      en: 'a manual fallback that measures how long decisions take to flip, and ends itself',
      'zh-CN': '演练：手动回退并测量各副本决策切换耗时，随后自动重置',
    },
    load: async () => (await import('./doctor/drill.js')).drillCommand,
  },
  {
    words: ['replay'],
    section: 'try',
    summary: {
      en: 'what the fallback would have done with other guardrails',
      'zh-CN': '换用其他护栏时回退会如何动作',
    },
    load: async () => (await import('./show/replay.js')).replayCommand,
  },
  ...OWN_COMMANDS,
  {
    words: ['doctor'],
    section: 'check',
    summary: {
      en: 'configuration, flags, flagd, runtime, LLM, database, Redis, keys, clock: what is wrong, and what to do',
      'zh-CN': '检查配置、flag、flagd、runtime、LLM、数据库、Redis、密钥与时钟，并给出处理建议',
    },
    load: async () => (await import('./doctor/doctor.js')).doctorCommand,
  },
  {
    words: ['runtime-check'],
    section: 'check',
    summary: {
      en: 'what a runtime gets wrong, and how to mend it',
      'zh-CN': '检查 runtime 哪里不符合要求，并给出修正建议',
    },
    load: async () => (await import('./runtime-check/runtime-check.js')).runtimeCheckCommand,
  },
  {
    words: ['flags', 'diff'],
    section: 'check',
    summary: { en: 'values in which two flag files differ', 'zh-CN': '两个 flag 文件的取值差异' },
    load: async () => (await import('./edit/flags-diff.js')).flagsDiffCommand,
  },
  {
    words: ['login'],
    section: 'setup',
    summary: { en: 'keep address and token as a profile', 'zh-CN': '将地址与令牌保存为配置' },
    load: async () => (await import('./setup/login.js')).loginCommand,
  },
  {
    words: ['logout'],
    section: 'setup',
    summary: { en: 'forget a profile', 'zh-CN': '删除配置' },
    load: async () => (await import('./setup/login.js')).logoutCommand,
  },
  {
    words: ['profiles'],
    section: 'setup',
    summary: { en: 'the profiles, or the one to use from now on', 'zh-CN': '列出配置，或切换当前配置' },
    load: async () => (await import('./setup/login.js')).profilesCommand,
  },
  {
    words: ['token'],
    section: 'setup',
    summary: {
      en: 'an access token for development, signed with JWT_SECRET',
      'zh-CN': '用 JWT_SECRET 签发开发用访问令牌',
    },
    load: async () => (await import('./setup/token.js')).tokenCommand,
  },
  {
    words: ['migrate'],
    section: 'setup',
    summary: {
      en: 'move conversations, journal and the rest of a SQLite file to PostgreSQL; can be interrupted and run again',
      'zh-CN': '将 SQLite 文件迁移到 PostgreSQL：对话、幂等键、当日 token 用量与日志记录；可中断后重新运行',
    },
    load: async () => (await import('./setup/migrate.js')).migrateCommand,
  },
  {
    words: ['completion'],
    section: 'setup',
    summary: { en: 'completion for bash, zsh or fish', 'zh-CN': '生成 bash、zsh 或 fish 的补全脚本' },
    load: async () => (await import('./setup/completion.js')).completionCommand(() => COMMANDS),
  },
]
