import type { Language } from './text/language.js'

export interface DemoFacts {
  readonly url: string
  readonly tokens: { readonly member: string; readonly admin: string }
  readonly org: string
  /** of flags, conversations and the shell file, as seen from where the demo runs */
  readonly folder: string
  readonly llmUrl: string
  readonly runtimeUrl: string
}

/** What another terminal needs, as a file it reads by `.`; the command line, docs/runbook.md and docs/shadow.md go by its names. */
export function demoShell({ url, tokens, folder, llmUrl, runtimeUrl }: DemoFacts): string {
  return `# Made by the demo at each start, for bash and zsh: . ${shellFile(folder)}
export CHAT_URL=${url} RUNTIME=${runtimeUrl} LLM=${llmUrl} FLAGS=${quoted(folder)}
# An admin's and a member's token, good for a week.
export CHAT_TOKEN=${tokens.admin}
export MEMBER_TOKEN=${tokens.member}
`
}

/** What the demo prints: where it is, how another terminal finds it, and one thing to try. */
export function demoGuide({ url, org, folder, tokens }: DemoFacts, language: Language): string {
  const shell = `. ${shellFile(folder)}`
  const page = `${url}/console?demo#token=${tokens.admin}`
  const turn = 'npx chat-cutover chat "Use a tool"'
  const lines: Readonly<Record<Language, readonly string[]>> = {
    en: [
      `The service listens on ${url}, with a simulated LLM and runtime; org "${org}" is on the runtime.`,
      `In another terminal (bash or zsh, in this folder), first: ${shell}`,
      `Then a turn: ${turn}`,
      `See it, break the runtime and watch it recover, in a browser: ${page}`,
      'More to try: npx chat-cutover watch, and README.md; every fault and alert: docs/runbook.md; both backends compared: docs/shadow.md',
      `Ctrl-C ends the demo; flags and conversations stay in ${folder} (npm run demo -- --fresh starts from scratch).`,
    ],
    'zh-CN': [
      `服务地址 ${url}，LLM 与 runtime 为模拟器；组织 "${org}" 使用 runtime。`,
      `在另一个终端（bash 或 zsh，同一目录）先执行：${shell}`,
      `然后发送一轮对话：${turn}`,
      `在浏览器中查看，弄坏 runtime 并观察恢复：${page}`,
      '更多用法：npx chat-cutover watch，以及 README.md；各类故障与告警见 docs/runbook.md；两个后端的对比见 docs/shadow.md',
      `按 Ctrl-C 结束演示；flag 与对话保留在 ${folder}（npm run demo -- --fresh 重新开始）。`,
    ],
  }
  return `\n${lines[language].join('\n')}\n`
}

/** With a slash in it: `.` looks for a bare name in the PATH. */
const shellFile = (folder: string): string => quoted(`${folder}/env`)

const quoted = (text: string): string =>
  /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
