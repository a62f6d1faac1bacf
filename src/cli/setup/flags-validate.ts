import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { errorCode, errorText } from '../../core/errors.js'
import { checkFlagDocument } from '../../decision/check/ops-file-check.js'
import type { FlagFileKind } from '../../decision/flags.js'
import type { Language, Text } from '../text/language.js'
import { type Output, processOutput } from '../text/output.js'
import { type FileReport, VALIDATE_OPTIONS, validate } from './file-reports.js'

const HELP: Text = {
  en: `Finds what a flagd, its provider or this service would refuse in the flag files, and what they would
take otherwise than it is meant.

Usage: chat-cutover flags validate [options] [file...]

Without a file: CHAT_FLAGS_FILE (flags/chat.flagd.json) and CHAT_FALLBACK_FLAGS_FILE
(flags/auto-fallback.flagd.json); with CHAT_PROVIDER_MODULE only the latter. A given file is the operators', unless it is the configured
override file or is given with --override.

Options:
  --override <file>    a file the service writes (the fallback override)
  --json               one JSON object instead of lines
  -h, --help           this text

Exit code: 0 no errors, 1 errors found, 2 wrong usage or a file that cannot be read.
`,
  'zh-CN': `检查 flag 文件：flagd、其提供方或本服务会拒绝的内容，以及它们的理解与本意不同之处。

用法：chat-cutover flags validate [选项] [文件...]

未给出文件时检查 CHAT_FLAGS_FILE（flags/chat.flagd.json）与 CHAT_FALLBACK_FLAGS_FILE
（flags/auto-fallback.flagd.json）；设置了 CHAT_PROVIDER_MODULE 时只检查后者。给出的文件视为运维文件，除非它是已配置的覆盖文件，
或以 --override 给出。

选项：
  --override <文件>    由服务写入的文件（回退覆盖）
  --json               输出一个 JSON 对象，而不是逐行文本
  -h, --help           本说明

退出码（Exit code: 0 / 1 / 2）：0 没有错误，1 有错误，2 用法错误或文件无法读取。
`,
}

interface Report extends FileReport {
  readonly kind: FlagFileKind
}

/** `chat-cutover flags validate`. @returns the exit code */
export const runFlagsValidate = (
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
  output: Output = processOutput,
  language: Language = 'en',
): number =>
  validate(
    {
      name: 'flags validate',
      help: HELP,
      parse: () => parseOptions(argv),
      check: (options) => filesToCheck(options, env).map(({ file, kind }) => checkFile(file, kind)),
    },
    output,
    language,
  )

interface Options {
  readonly override: readonly string[]
  readonly files: readonly string[]
}

function parseOptions(argv: readonly string[]) {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { ...VALIDATE_OPTIONS, override: { type: 'string', multiple: true, default: [] } },
  })
  return { ...values, files: positionals }
}

function filesToCheck(
  { files, override }: Options,
  env: Readonly<Record<string, string | undefined>>,
): { file: string; kind: FlagFileKind }[] {
  const opsFile = env.CHAT_FLAGS_FILE || 'flags/chat.flagd.json'
  const overrideFile = env.CHAT_FALLBACK_FLAGS_FILE || 'flags/auto-fallback.flagd.json'
  if (files.length === 0 && override.length === 0)
    return [
      // The provider of a module has them; the file is not read.
      ...(env.CHAT_PROVIDER_MODULE ? [] : [{ file: opsFile, kind: 'ops' as const }]),
      { file: overrideFile, kind: 'override' },
    ]
  return [
    ...files.map((file) => ({
      file,
      kind: resolve(file) === resolve(overrideFile) ? ('override' as const) : ('ops' as const),
    })),
    ...override.map((file) => ({ file, kind: 'override' as const })),
  ]
}

function checkFile(file: string, kind: FlagFileKind): Report {
  try {
    return { file, kind, issues: checkFlagDocument(readFileSync(file, 'utf8'), kind) }
  } catch (thrown) {
    return { file, kind, unreadable: errorCode(thrown) ?? errorText(thrown), issues: [] }
  }
}
