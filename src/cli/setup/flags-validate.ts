import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { errorCode, errorText } from '../../core/errors.js'
import { checkFlagDocument, type FlagIssue } from '../../decision/check/ops-file-check.js'
import type { FlagFileKind } from '../../decision/flags.js'
import { type Output, processOutput } from '../text/output.js'

const HELP = `Finds what a flagd, its provider or this service would refuse in the flag files, and what they would
take otherwise than it is meant.

Usage: chat-cutover flags validate [options] [file...]

Without a file: CHAT_FLAGS_FILE (flags/chat.flagd.json) and CHAT_FALLBACK_FLAGS_FILE
(flags/auto-fallback.flagd.json). A given file is the operators', unless it is the configured
override file or is given with --override.

Options:
  --override <file>    a file the service writes (the fallback override)
  --json               one JSON object instead of lines
  -h, --help           this text

Exit code: 0 no errors, 1 errors found, 2 wrong usage or a file that cannot be read.
`

/** One file and what is wrong with it; `unreadable` when it could not be looked at. */
interface Report {
  readonly file: string
  readonly kind: FlagFileKind
  readonly issues: readonly FlagIssue[]
  readonly unreadable?: string
}

/** `chat-cutover flags validate`. @returns the exit code */
export function runFlagsValidate(
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
  const reports = filesToCheck(options, env).map(({ file, kind }) => checkFile(file, kind))
  if (options.json) output.out(`${JSON.stringify(asJson(reports), null, 2)}\n`)
  else for (const report of reports) print(report, output)
  if (reports.some(({ unreadable }) => unreadable !== undefined)) return 2
  return reports.every(isValid) ? 0 : 1
}

interface Options {
  readonly help: boolean
  readonly json: boolean
  readonly override: readonly string[]
  readonly files: readonly string[]
}

function parseOptions(argv: readonly string[], output: Output): Options | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        json: { type: 'boolean', default: false },
        override: { type: 'string', multiple: true, default: [] },
      },
    })
    return { help: values.help, json: values.json, override: values.override, files: positionals }
  } catch (thrown) {
    output.err(`${errorText(thrown)}\nTry: chat-cutover flags validate --help\n`)
    return undefined
  }
}

function filesToCheck(
  { files, override }: Options,
  env: Readonly<Record<string, string | undefined>>,
): { file: string; kind: FlagFileKind }[] {
  const opsFile = env.CHAT_FLAGS_FILE || 'flags/chat.flagd.json'
  const overrideFile = env.CHAT_FALLBACK_FLAGS_FILE || 'flags/auto-fallback.flagd.json'
  if (files.length === 0 && override.length === 0)
    return [
      { file: opsFile, kind: 'ops' },
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
    return { file, kind, issues: [], unreadable: errorCode(thrown) ?? errorText(thrown) }
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

function asJson(reports: readonly Report[]): object {
  return {
    valid: reports.every(isValid),
    files: reports.map(({ file, kind, issues, unreadable }) => ({
      file,
      kind,
      ...(unreadable === undefined ? {} : { unreadable }),
      issues,
    })),
  }
}
