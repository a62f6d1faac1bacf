import { Command, CommanderError, type HelpConfiguration, Option, type OutputConfiguration } from 'commander'
import { CommandError, type ExitCode } from '../text/command-error.js'
import { exitCodes } from '../text/exit-codes.js'
import { LANGUAGES, type Language, sayIn } from '../text/language.js'
import {
  createInvocation,
  deadlineSeconds,
  Given,
  type LoadedCommand,
  type Surroundings,
} from './invocation.js'

/** Parses the words of one command and runs it. */
export async function runSpec(
  spec: LoadedCommand,
  words: readonly string[],
  around: Surroundings,
  language: Language,
): Promise<ExitCode> {
  const { output } = around
  const name = `chat-cutover ${spec.words.join(' ')}`
  const command = buildCommand(spec, language, {
    writeOut: (text) => output.out(text),
    writeErr: () => undefined,
    getOutHelpWidth: () => output.columns ?? 100,
    outputError: () => undefined,
  })
  try {
    command.parse([...words], { from: 'user' })
    const given = new Given(command.args, command.opts())
    return await spec.run(createInvocation(around, language, given))
  } catch (thrown) {
    if (thrown instanceof CommanderError) return parsingEnded(thrown, name, around, language)
    if (!(thrown instanceof CommandError)) throw thrown
    if (thrown.message !== '') output.err(`${thrown.message}\n`)
    return thrown.exitCode
  }
}

/** The command as commander knows it: options, help and examples. */
export function buildCommand(
  spec: LoadedCommand,
  language: Language,
  output: OutputConfiguration = {},
): Command {
  const t = sayIn(language)
  const name = `chat-cutover ${spec.words.join(' ')}`
  const command = new Command(name)
    .description(spec.summary[language])
    .exitOverride()
    .configureOutput(output)
    .allowExcessArguments(false)
    .helpOption('-h, --help', t('this text', '本说明'))
  if (language !== 'en') command.configureHelp(HELP_ZH)
  // A command that does nothing: what is to be done comes when all is parsed.
  command.action(() => undefined)
  spec.define?.(command, t)
  command.option('--json', t('for scripts: JSON instead of text', '供脚本使用：输出 JSON'))
  if (spec.remote)
    command
      .option(
        '--url <url>',
        t(
          'where the service is (CHAT_URL, the profile, http://127.0.0.1:3001)',
          '服务地址（CHAT_URL、配置、http://127.0.0.1:3001）',
        ),
      )
      .option(
        '--profile <name>',
        t(
          'address and token of this profile (chat-cutover login)',
          '使用此配置的地址与令牌（chat-cutover login）',
        ),
      )
      .option(
        '--timeout <seconds>',
        t('that one call may take (30)', '单次调用的时限（30）'),
        deadlineSeconds(t),
      )
  command.addOption(
    new Option('--lang <language>', t('of texts (from LANG)', '文本语言（取自 LANG）')).choices([
      ...LANGUAGES,
    ]),
  )
  const examples = spec.examples.map((example) => `  chat-cutover ${example}`).join('\n')
  command.addHelpText(
    'after',
    `\n${t('Examples:', '示例：')}\n${examples}\n\n${spec.exits?.[language] ?? exitCodes(language)}`,
  )
  return command
}

const TITLES_ZH: Readonly<Record<string, string>> = {
  'Usage:': '用法：',
  'Arguments:': '参数：',
  'Options:': '选项：',
}

/** What commander itself says in the help. */
const HELP_ZH: HelpConfiguration = {
  styleTitle: (title) => TITLES_ZH[title] ?? title,
  styleUsage: (usage) => usage.replace('[options]', '[选项]'),
  optionDescription: ({ description, argChoices }) =>
    argChoices === undefined ? description : `${description}（可选：${argChoices.join('、')}）`,
}

function parsingEnded(
  ended: CommanderError,
  name: string,
  { output }: Surroundings,
  language: Language,
): ExitCode {
  if (ended.exitCode === 0) return 0
  const t = sayIn(language)
  const fault = ended.message.replace(/^error: /, '')
  output.err(`${t(fault, `用法错误：${inChinese(fault)}`)}\n${t('Try: ', '请参阅：')}${name} --help\n`)
  return 2
}

/** What commander says of wrong words, by its English text. Our own reasons behind it are in Chinese already. */
const FAULTS_ZH: readonly (readonly [RegExp, string])[] = [
  [/^unknown option '(.*?)'(?:\n\(Did you mean (.*)\?\))?$/, "未知选项 '$1'"],
  [/^missing required argument '(.*)'$/, "缺少参数 '$1'"],
  [/^required option '(.*)' not specified$/, "缺少必填选项 '$1'"],
  [/^option '(.*?)' argument missing$/, "选项 '$1' 缺少取值"],
  [
    /^option '(.*?)' argument '([\s\S]*?)' is invalid\. Allowed choices are (.*)\.$/,
    "选项 '$1' 的取值 '$2' 无效。可选：$3",
  ],
  [/^option '(.*?)' argument '([\s\S]*?)' is invalid\. ([\s\S]*)$/, "选项 '$1' 的取值 '$2' 无效。$3"],
  [/^too many arguments.*$/, '参数过多'],
]

function inChinese(fault: string): string {
  const [form, text] = FAULTS_ZH.find(([form]) => form.test(fault)) ?? []
  return form === undefined || text === undefined ? fault : fault.replace(form, text)
}
