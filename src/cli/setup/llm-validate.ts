import { parseArgs } from 'node:util'
import { errorText } from '../../core/errors.js'
import type { EndpointFault } from '../../llm/endpoint-file.js'
import { loadEndpoints } from '../../llm/load-endpoints.js'
import { type Output, processOutput } from '../text/output.js'

const HELP = `Finds what this service would refuse in a file of LLM endpoints.

Usage: chat-cutover llm validate [options] [file...]

Without a file: CHAT_LLM_FILE. A key that is missing here is a warning: the environment may be another one.

Options:
  --keys               a missing key is an error, as it is at the start of the service
  --json               one JSON object instead of lines
  -h, --help           this text

Exit code: 0 no errors, 1 errors found, 2 wrong usage or a file that cannot be read.
`

type Severity = 'error' | 'warning'
type Issue = Omit<EndpointFault, 'about'> & { readonly severity: Severity }

interface Report {
  readonly file: string
  readonly issues: readonly Issue[]
  readonly unreadable?: string
}

/** `chat-cutover llm validate`. @returns the exit code */
export function runLlmValidate(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
  output: Output = processOutput,
): number {
  const options = parseOptions(argv, output)
  if (options === undefined) return 2
  if (options.help) {
    output.out(HELP)
    return 0
  }
  const files = options.files.length > 0 ? options.files : [env.CHAT_LLM_FILE ?? ''].filter(Boolean)
  if (files.length === 0) {
    output.err('No file: name one, or set CHAT_LLM_FILE.\nTry: chat-cutover llm validate --help\n')
    return 2
  }
  const reports = files.map((file) => checkFile(file, env, options.keys ? 'error' : 'warning'))
  if (options.json)
    output.out(`${JSON.stringify({ valid: reports.every(isValid), files: reports }, null, 2)}\n`)
  else for (const report of reports) print(report, output)
  if (reports.some(({ unreadable }) => unreadable !== undefined)) return 2
  return reports.every(isValid) ? 0 : 1
}

function parseOptions(argv: readonly string[], output: Output) {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        json: { type: 'boolean', default: false },
        keys: { type: 'boolean', default: false },
      },
    })
    return { ...values, files: positionals }
  } catch (thrown) {
    output.err(`${errorText(thrown)}\nTry: chat-cutover llm validate --help\n`)
    return undefined
  }
}

function checkFile(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
  missingKey: Severity,
): Report {
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

function isValid({ issues, unreadable }: Report): boolean {
  return unreadable === undefined && issues.every(({ severity }) => severity !== 'error')
}

function print(report: Report, { out, err }: Output): void {
  const { file, issues, unreadable } = report
  if (unreadable !== undefined) {
    err(`${file}: cannot be read: ${unreadable}\n`)
    return
  }
  for (const { line, column, path, message, severity } of issues)
    out(`${file}:${line}:${column}: ${severity}: ${path === '' ? '' : `${path}: `}${message}\n`)
  if (isValid(report)) out(`${file}: good\n`)
}
