import { parseArgs } from 'node:util'
import { errorText } from '../core/errors.js'
import {
  type BaselineCell,
  type BaselineRow,
  type BaselineView,
  baselineSchema,
} from '../protocol/baseline.js'
import { baselineValue } from '../protocol/baseline-text.js'
import { CommandError } from './command-error.js'
import { type Output, processOutput } from './output.js'
import { getData } from './service-client.js'
import { table as tableText } from './table.js'

const HELP = `Tells how both execution modes do beside their targets: mean and P95 latency, error and timeout rate.

Usage: chat-cutover baseline [options]

From the kept executions of the users' turns; those that their users aborted count in nothing.

Options:
  --from <instant>     ISO 8601, e.g. 2026-01-31 or 2026-01-31T08:00:00Z (24 hours before --to)
  --to <instant>       ISO 8601; itself not in the span (now)
  --org <id>           of one org alone
  --json               the service's answer instead of the table
  -h, --help           this text

Environment: CHAT_URL where the service is (http://127.0.0.1:3001), CHAT_TOKEN an access token with the role that
CHAT_OPERATOR_ROLE names (admin).

Exit code: 0 told, whether the targets are met or not; 1 the service is not there or refuses; 2 wrong usage.
`

/** `chat-cutover baseline`. @returns the exit code */
export async function runBaseline(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
  output: Output = processOutput,
): Promise<number> {
  try {
    const { help, json, ...query } = parseOptions(argv)
    if (help) {
      output.out(HELP)
      return 0
    }
    const baseline = await getData('/runtime/baseline', query, baselineSchema, env)
    output.out(json ? `${JSON.stringify(baseline, null, 2)}\n` : table(baseline))
    return 0
  } catch (thrown) {
    if (!(thrown instanceof CommandError)) throw thrown
    output.err(`${thrown.message}\n`)
    return thrown.exitCode
  }
}

interface Options {
  readonly help: boolean
  readonly json: boolean
  readonly from: string | undefined
  readonly to: string | undefined
  readonly orgId: string | undefined
}

function parseOptions(argv: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        json: { type: 'boolean', default: false },
        from: { type: 'string' },
        to: { type: 'string' },
        org: { type: 'string' },
      },
    })
    return { help: values.help, json: values.json, from: values.from, to: values.to, orgId: values.org }
  } catch (thrown) {
    throw new CommandError(`${errorText(thrown)}\nTry: chat-cutover baseline --help`, 2)
  }
}

function table({ from, to, orgId, samples, rows, sentences }: BaselineView): string {
  const lines = [
    ['', 'target', 'direct LLM', '', 'runtime', ''],
    ['Executions', '', String(samples.direct), '', String(samples.runtime), ''],
    ...rows.map((row) => [
      row.name,
      row.targetText,
      ...cellTexts(row, row.direct),
      ...cellTexts(row, row.runtime),
    ]),
  ]
  const whose = orgId === null ? 'all orgs' : `org ${orgId}`
  return `${from} to ${to}, ${whose}\n\n${tableText(lines)}\n${sentences.direct}\n${sentences.runtime}\n`
}

function cellTexts({ metric }: BaselineRow, { value, met }: BaselineCell): [value: string, verdict: string] {
  if (value === null) return ['-', '']
  return [baselineValue(metric, value), met ? 'met' : 'MISSED']
}
