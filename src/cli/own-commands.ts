import type { OwnCommand } from './command/invocation.js'

/** Commands that read their own words. */
export const OWN_COMMANDS: readonly OwnCommand[] = [
  {
    words: ['baseline'],
    section: 'see',
    summary: {
      en: 'both execution modes beside their targets, from a running service',
      'zh-CN': '两种执行模式与目标值对照',
    },
    options: ['--from', '--to', '--org', '--json', '--url', '--profile', '--timeout', '--help'],
    async runWords(words, { env, output }, language) {
      const { runBaseline } = await import('./show/baseline.js')
      return runBaseline(words, env, output, language)
    },
  },
  {
    words: ['demo'],
    section: 'try',
    summary: {
      en: 'the whole service on this machine, with simulated LLM and runtime',
      'zh-CN': '在本机运行整套服务，LLM 与 runtime 为模拟器',
    },
    options: ['--data', '--fresh', '--port', '--help'],
    async runWords(words, { output }, language) {
      const { runDemo } = await import('./demo.js')
      return runDemo(words, output, language)
    },
  },
  {
    words: ['flags', 'validate'],
    section: 'check',
    summary: {
      en: 'what a daemon or provider would refuse in the flag files',
      'zh-CN': 'flag 文件中守护进程或提供方会拒绝的内容',
    },
    options: ['--override', '--json', '--help'],
    async runWords(words, { env, output }, language) {
      const { runFlagsValidate } = await import('./setup/flags-validate.js')
      return runFlagsValidate(words, env, output, language)
    },
  },
  {
    words: ['llm', 'validate'],
    section: 'check',
    summary: {
      en: 'what the service would refuse in a file of LLM endpoints',
      'zh-CN': 'LLM 端点文件中服务会拒绝的内容',
    },
    options: ['--keys', '--json', '--help'],
    async runWords(words, { env, output }, language) {
      const { runLlmValidate } = await import('./setup/llm-validate.js')
      return runLlmValidate(words, env, output, language)
    },
  },
  {
    words: ['llm', 'schema'],
    section: 'check',
    summary: { en: 'the JSON schema of such a file', 'zh-CN': '该文件的 JSON schema' },
    options: ['--help'],
    async runWords(words, { output }, language) {
      const { runLlmSchema } = await import('./setup/llm-schema.js')
      return runLlmSchema(words, output, language)
    },
  },
]
