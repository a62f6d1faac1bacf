import { parseArgs } from 'node:util'
import { loadEndpoints } from '../../llm/load-endpoints.js'
import type { Language, Text } from '../text/language.js'
import { type Output, processOutput } from '../text/output.js'
import { type FileReport, VALIDATE_OPTIONS, validate } from './file-reports.js'

const HELP: Text = {
  en: `Finds what this service would refuse in a file of LLM endpoints.

Usage: chat-cutover llm validate [options] [file...]

Without a file: CHAT_LLM_FILE. A key that is missing here is a warning: the environment may be another one.

Options:
  --keys               a missing key is an error, as it is at the start of the service
  --json               one JSON object instead of lines
  -h, --help           this text

Exit code: 0 no errors, 1 errors found, 2 wrong usage or a file that cannot be read.
`,
  'zh-CN': `检查 LLM 端点文件中本服务会拒绝的内容。

用法：chat-cutover llm validate [选项] [文件...]

未给出文件时检查 CHAT_LLM_FILE。此处缺少密钥只是警告：运行环境可能不同。

选项：
  --keys               缺少密钥视为错误，与服务启动时一致
  --json               输出一个 JSON 对象，而不是逐行文本
  -h, --help           本说明

退出码（Exit code: 0 / 1 / 2）：0 没有错误，1 有错误，2 用法错误或文件无法读取。
`,
}
const NO_FILE: Text = {
  en: 'No file: name one, or set CHAT_LLM_FILE.',
  'zh-CN': '没有文件：请给出文件，或设置 CHAT_LLM_FILE。',
}

/** `chat-cutover llm validate`. @returns the exit code */
export const runLlmValidate = (
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
  output: Output = processOutput,
  language: Language = 'en',
): number =>
  validate(
    {
      name: 'llm validate',
      help: HELP,
      parse: () => parseOptions(argv),
      check({ files: named, keys }) {
        const files = named.length > 0 ? named : [env.CHAT_LLM_FILE ?? ''].filter(Boolean)
        if (files.length === 0) return NO_FILE
        return files.map((file) => checkFile(file, env, keys ? 'error' : 'warning'))
      },
    },
    output,
    language,
  )

function parseOptions(argv: readonly string[]) {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { ...VALIDATE_OPTIONS, keys: { type: 'boolean', default: false } },
  })
  return { ...values, files: positionals }
}

function checkFile(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
  missingKey: 'error' | 'warning',
): FileReport {
  const loaded = loadEndpoints(file, env)
  switch (loaded.kind) {
    case 'unreadable':
      return { file, issues: [], unreadable: loaded.why }
    case 'endpoints':
      return { file, issues: [] }
    case 'faults':
      return {
        file,
        issues: loaded.faults.map(({ about, ...fault }) => ({
          ...fault,
          severity: about === 'key' ? missingKey : 'error',
        })),
      }
  }
}
