import { causeText, usageText } from '../text/cause-text.js'
import { type Language, sayIn, type Text } from '../text/language.js'
import type { Output } from '../text/output.js'

/** One thing wrong in a file. */
interface FileIssue {
  /** both 1-based */
  readonly line: number
  readonly column: number
  /** empty for the whole file */
  readonly path: string
  readonly message: string
  /** the message in Chinese */
  readonly zh: string
  readonly severity: 'error' | 'warning'
}

/** One file and what is wrong with it; `unreadable`: why it could not be looked at. */
export interface FileReport {
  readonly file: string
  readonly unreadable?: string
  readonly issues: readonly FileIssue[]
}

/** For `parseArgs`: the options of every such command. */
export const VALIDATE_OPTIONS = {
  help: { type: 'boolean', short: 'h', default: false },
  json: { type: 'boolean', default: false },
} as const

interface Validation<Options> {
  /** as it is typed behind chat-cutover */
  readonly name: string
  readonly help: Text
  /** @throws where the words are wrong */
  parse(): Options
  /** The files in their order, or what is wrong with the call. */
  check(options: Options): readonly FileReport[] | Text
}

/** Checks files and tells what is wrong. @returns the exit code: 0 no errors, 1 errors, 2 wrong usage or an unreadable file */
export function validate<Options extends { readonly help: boolean; readonly json: boolean }>(
  { name, help, parse, check }: Validation<Options>,
  output: Output,
  language: Language,
): number {
  const t = sayIn(language)
  const refuse = (fault: string): number => {
    output.err(`${fault}\n${t('Try: ', '请参阅：')}chat-cutover ${name} --help\n`)
    return 2
  }
  let options: Options
  try {
    options = parse()
  } catch (thrown) {
    return refuse(usageText(thrown, t))
  }
  if (options.help) {
    output.out(help[language])
    return 0
  }
  const files = check(options)
  if (!isList(files)) return refuse(files[language])
  const valid = files.every(isValid)
  if (options.json) output.out(`${JSON.stringify({ valid, files }, null, 2)}\n`)
  else for (const report of files) print(report, output, language)
  if (files.some(({ unreadable }) => unreadable !== undefined)) return 2
  return valid ? 0 : 1
}

function isValid({ issues, unreadable }: FileReport): boolean {
  return unreadable === undefined && issues.every(({ severity }) => severity !== 'error')
}

const isList = (checked: readonly FileReport[] | Text): checked is readonly FileReport[] =>
  Array.isArray(checked)

/** `file:line:column: error: path: ` is what editors and scripts read: it is the same in every language. */
function print(report: FileReport, { out, err }: Output, language: Language): void {
  const t = sayIn(language)
  const { file, issues, unreadable } = report
  if (unreadable !== undefined) {
    const why = causeText(unreadable, t)
    err(t(`${file}: cannot be read: ${why}\n`, `${file}：无法读取：${why}\n`))
    return
  }
  for (const { line, column, path, message, zh, severity } of issues)
    out(`${file}:${line}:${column}: ${severity}: ${path === '' ? '' : `${path}: `}${t(message, zh)}\n`)
  if (isValid(report)) out(t(`${file}: good\n`, `${file}：没有错误\n`))
}
