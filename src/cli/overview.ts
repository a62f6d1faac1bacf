import { COMMANDS } from './all-commands.js'
import type { AnyCommand } from './command/invocation.js'
import { SECTIONS, type Section } from './command/sections.js'
import { exitCodes } from './text/exit-codes.js'
import { type Language, sayIn, type Text } from './text/language.js'

/** The help above the single commands. */

const TITLES: Readonly<Record<Section, Text>> = {
  see: { en: 'See', 'zh-CN': '查看' },
  steer: { en: 'Steer', 'zh-CN': '操作' },
  try: { en: 'Try', 'zh-CN': '试用' },
  check: { en: 'Check', 'zh-CN': '检查' },
  setup: { en: 'Set up', 'zh-CN': '设置' },
}

const NAME_WIDTH = 20

export function overview(language: Language): string {
  const t = sayIn(language)
  const sections = SECTIONS.flatMap((section) => {
    const commands = COMMANDS.filter((command) => command.section === section)
    return commands.length === 0
      ? []
      : [`${TITLES[section][language]}${t(':', '：')}\n${commandLines(commands, language)}`]
  })
  return `${t(
    'chat-cutover: moves chat traffic from a direct LLM to an agent runtime by flags, and back by itself.',
    'chat-cutover：按 flag 将对话流量从直连 LLM 切到 agent runtime，并能自动切回。',
  )}

${t('Usage: chat-cutover <command> [options]', '用法：chat-cutover <命令> [选项]')}

${sections.join('\n')}
${t('Options:', '选项：')}
  -h, --help           ${t("this text; `chat-cutover <command> --help` for a command's own", '本说明；各命令的说明：`chat-cutover <命令> --help`')}
  -V, --version        ${t('the version', '版本号')}

${t(
  `Commands that ask the service find it by --url, CHAT_URL or a profile (chat-cutover login; http://127.0.0.1:3001 where
nothing is said) and send the access token in CHAT_TOKEN or the profile. --json answers for scripts, --lang zh-CN or en.`,
  `访问服务的命令通过 --url、CHAT_URL 或配置（chat-cutover login；均未指定时为 http://127.0.0.1:3001）确定地址，
令牌取自 CHAT_TOKEN 或配置。--json 输出供脚本使用，--lang zh-CN 或 en 选择语言。`,
)}

${exitCodes(language)}
`
}

/** Of `flags`, `fallback` and so on: what there is under that word. */
export function groupHelp(group: string, language: Language): string {
  const t = sayIn(language)
  return `${t(`Usage: chat-cutover ${group} <command> [options]`, `用法：chat-cutover ${group} <命令> [选项]`)}

${t('Commands:', '命令：')}
${commandLines(commandsUnder(group), language)}
${t('Options:', '选项：')}
  -h, --help           ${t('this text; after a command, the help of that command', '本说明；写在命令之后则显示该命令的说明')}

${exitCodes(language)}
`
}

export const commandsUnder = (group: string): readonly AnyCommand[] =>
  COMMANDS.filter(({ words }) => words.length > 1 && words[0] === group)

const commandLines = (commands: readonly AnyCommand[], language: Language): string =>
  commands
    .map(({ words, summary }) => `  ${words.join(' ').padEnd(NAME_WIDTH)} ${summary[language]}\n`)
    .join('')
