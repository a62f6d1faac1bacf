import { parseArgs } from 'node:util'
import { loadEndpoints } from '../../llm/load-endpoints.js'
import { type Output, processOutput } from '../text/output.js'
import { type FileReport, VALIDATE_OPTIONS, validate } from './file-reports.js'

const HELP = `Finds what this service would refuse in a file of LLM endpoints.

Usage: chat-cutover llm validate [options] [file...]

Without a file: CHAT_LLM_FILE. A key that is missing here is a warning: the environment may be another one.

Options:
  --keys               a missing key is an error, as it is at the start of the service
  --json               one JSON object instead of lines
  -h, --help           this text

Exit code: 0 no errors, 1 errors found, 2 wrong usage or a file that cannot be read.
`

/** `chat-cutover llm validate`. @returns the exit code */
export const runLlmValidate = (
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
  output: Output = processOutput,
): number =>
  validate(
    {
      name: 'llm validate',
      help: HELP,
      parse: () => parseOptions(argv),
      check({ files: named, keys }) {
        const files = named.length > 0 ? named : [env.CHAT_LLM_FILE ?? ''].filter(Boolean)
        if (files.length === 0) return 'No file: name one, or set CHAT_LLM_FILE.'
        return files.map((file) => checkFile(file, env, keys ? 'error' : 'warning'))
      },
    },
    output,
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
