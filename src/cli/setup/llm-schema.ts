import { endpointJsonSchema } from '../../llm/endpoint-schema.js'
import { type Language, sayIn, type Text } from '../text/language.js'
import type { Output } from '../text/output.js'

export const LLM_HELP: Text = {
  en: `The file of LLM endpoints, CHAT_LLM_FILE.

Usage: chat-cutover llm validate [options] [file...]
       chat-cutover llm schema

Commands:
  validate             what this service would refuse in such a file
  schema               its JSON schema, for editors and other tools

Options:
  -h, --help           this text

Exit code: 0 well, 1 errors found, 2 wrong usage.
`,
  'zh-CN': `LLM 端点文件，CHAT_LLM_FILE。

用法：chat-cutover llm validate [选项] [文件...]
      chat-cutover llm schema

命令：
  validate             检查该文件中本服务会拒绝的内容
  schema               该文件的 JSON schema，供编辑器与其他工具使用

选项：
  -h, --help           本说明

退出码（Exit code: 0 / 1 / 2）：0 正常，1 有错误，2 用法错误。
`,
}

/** `chat-cutover llm schema`. @returns the exit code */
export function runLlmSchema([extra]: readonly string[], output: Output, language: Language = 'en'): number {
  const t = sayIn(language)
  if (extra === '-h' || extra === '--help') {
    output.out(LLM_HELP[language])
    return 0
  }
  if (extra !== undefined) {
    const fault = t(`llm schema takes nothing, not ${extra}.`, `llm schema 不接受参数：${extra}。`)
    output.err(`${fault}\n${t('Try: ', '请参阅：')}chat-cutover llm --help\n`)
    return 2
  }
  output.out(endpointJsonSchema())
  return 0
}
