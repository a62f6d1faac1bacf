import { closestName } from '../core/closest-name.js'
import { COMMANDS } from './all-commands.js'
import type { AnyCommand, Environment, Surroundings } from './command/invocation.js'
import { processSurroundings } from './command/process-surroundings.js'
import { commandsUnder, groupHelp, overview } from './overview.js'
import {
  askedLanguage,
  isSpoken,
  LANGUAGES,
  type Language,
  languageOf,
  type Say,
  sayIn,
} from './text/language.js'
import { type Output, processOutput } from './text/output.js'

/** Runs one command. @returns the exit code: 0 done, 1 something is wrong, 2 wrong usage, 130 ended by Ctrl-C */
export async function runCommand(
  argv: readonly string[],
  env: Environment = process.env,
  output: Output = processOutput,
  rest: Partial<Omit<Surroundings, 'env' | 'output'>> = {},
): Promise<number> {
  const around: Surroundings = { ...processSurroundings(env, output), ...rest }
  const language = languageOf(argv, env)
  const asked = askedLanguage(argv)
  if (asked !== undefined && !isSpoken(asked)) return noSuchLanguage(asked, output, language)
  const { options, words } = optionsBefore(argv)
  const [first, ...others] = words
  switch (first) {
    case undefined:
      output.err(overview(language))
      return 2
    case '-h':
    case '--help':
      output.out(overview(language))
      return 0
    case 'help':
      return runCommand([...options, ...others, '--help'], env, output, rest)
    case '-V':
    case '--version':
      output.out(`${(await import('../core/files/package-version.js')).packageVersion()}\n`)
      return 0
  }
  const command = COMMANDS.find((known) => known.words.every((word, at) => words[at] === word))
  if (command === undefined) return notACommand(words, around, language)
  return run(command, [...options, ...words.slice(command.words.length)], around, language)
}

/** Options that many commands have may stand before the command too. */
const WITH_VALUE: ReadonlySet<string> = new Set(['--lang', '--url', '--profile', '--timeout'])

function optionsBefore(argv: readonly string[]): { readonly options: string[]; readonly words: string[] } {
  let length = 0
  for (;;) {
    const word = argv[length] ?? ''
    if (WITH_VALUE.has(word)) length += 2
    else if (word === '--json' || WITH_VALUE.has(word.replace(/=.*$/s, ''))) length += 1
    else return { options: argv.slice(0, length), words: argv.slice(length) }
  }
}

function noSuchLanguage(asked: string, output: Output, language: Language): number {
  const t = sayIn(language)
  const [all, zh] = [LANGUAGES.join(', '), LANGUAGES.join('、')]
  output.err(
    `${t(`--lang must be one of ${all}, not ${asked}`, `--lang 必须是以下值之一：${zh}，而不是 ${asked}`)}\n${t('Try: ', '请参阅：')}chat-cutover --help\n`,
  )
  return 2
}

async function run(
  command: AnyCommand,
  words: readonly string[],
  around: Surroundings,
  language: Language,
): Promise<number> {
  if ('runWords' in command) return command.runWords(withoutLanguage(words), around, language)
  const [{ runSpec }, spec] = await Promise.all([import('./command/run-spec.js'), command.load()])
  return runSpec({ ...command, ...spec }, words, around, language)
}

/** What it says of the file is beside the schema, and loaded with it. */
async function llmHelp(language: Language): Promise<string> {
  return (await import('./setup/llm-schema.js')).LLM_HELP[language]
}

/** Commands that read their own words know no --lang. */
function withoutLanguage(words: readonly string[]): string[] {
  return words.filter(
    (word, at) => word !== '--lang' && words[at - 1] !== '--lang' && !word.startsWith('--lang='),
  )
}

const NAMES = COMMANDS.map(({ words: [first = ''] }) => first)

/** The command with a name like this, or those whose second word it is: `fallback history` and others for `history`. */
function likely(name: string, t: Say): string {
  const close = closestName(name, NAMES)
  const names =
    close === undefined
      ? COMMANDS.filter(({ words }) => words[1] === name).map(({ words }) => words.join(' '))
      : [close]
  if (names.length === 0) return ''
  const [en, zh] = [' or ', ' 或 '].map((or) => names.map((one) => `chat-cutover ${one}`).join(or))
  return t(` Did you mean ${en}?`, `是否应为 ${zh}？`)
}

async function notACommand(
  argv: readonly string[],
  { output }: Surroundings,
  language: Language,
): Promise<number> {
  const t = sayIn(language)
  const [group = '', verb] = argv
  const under = commandsUnder(group)
  if (group.startsWith('-')) {
    const fault = t(
      `${group} is no command; its options follow a command`,
      `${group} 不是命令；请先写命令，再写其选项`,
    )
    output.err(`${fault}\n${t('Try: ', '请参阅：')}chat-cutover --help\n`)
    return 2
  }
  if (under.length === 0) {
    const fault = t(`Unknown command: ${group}.`, `未知命令：${group}。`)
    output.err(`${fault}${likely(group, t)}\n${t('Try: ', '请参阅：')}chat-cutover --help\n`)
    return 2
  }
  if (verb === '-h' || verb === '--help') {
    output.out(group === 'llm' ? await llmHelp(language) : groupHelp(group, language))
    return 0
  }
  const all = under.map(({ words }) => `chat-cutover ${words.join(' ')}`).join(', ')
  const fault =
    verb === undefined
      ? t(`${group} needs a subcommand. `, `${group} 后缺少子命令。`)
      : t(`Unknown command: ${group} ${verb}. `, `未知命令：${group} ${verb}。`)
  const there = under.length === 1 ? t('There is: ', '可用：') : t('There are: ', '可用：')
  output.err(`${fault}${there}${all}\n${t('Try: ', '请参阅：')}chat-cutover ${group} --help\n`)
  return 2
}
