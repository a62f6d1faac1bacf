import { endpointJsonSchema } from '../../llm/endpoint-schema.js'
import type { Output } from '../text/output.js'

export const LLM_HELP = `The file of LLM endpoints, CHAT_LLM_FILE.

Usage: chat-cutover llm validate [options] [file...]
       chat-cutover llm schema

Commands:
  validate             what this service would refuse in such a file
  schema               its JSON schema, for editors and other tools

Options:
  -h, --help           this text

Exit code: 0 well, 1 errors found, 2 wrong usage.
`

/** `chat-cutover llm schema`. @returns the exit code */
export function runLlmSchema([extra]: readonly string[], output: Output): number {
  if (extra === '-h' || extra === '--help') {
    output.out(LLM_HELP)
    return 0
  }
  if (extra !== undefined) {
    output.err(`llm schema takes nothing, not ${extra}.\nTry: chat-cutover llm --help\n`)
    return 2
  }
  output.out(endpointJsonSchema())
  return 0
}
