import { cpus, loadavg } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { writeBetween } from '../support/measured-tables.js'
import { runFleetRow } from './fleet/fleet-row.js'
import { FLEET_ROWS } from './fleet/fleet-rows.js'
import { measureNumbers, type Numbers } from './numbers.js'
import { type Row, type RowResult, runRow } from './row.js'
import { CLOCK_ROWS } from './rows-clock.js'
import { FILE_ROWS } from './rows-files.js'
import { FLAGD_ROWS } from './rows-flagd.js'
import { KEY_ROWS } from './rows-keys.js'
import { KILL_ROWS } from './rows-kill.js'
import { MACHINE_ROWS } from './rows-machine.js'
import { RACE_ROWS } from './rows-race.js'
import { RAMP_ROWS } from './rows-ramp.js'
import { REPLICA_ROWS } from './rows-replicas.js'
import { RUNTIME_ROWS } from './rows-runtime.js'
import { TURN_ROWS } from './rows-turns.js'
import { isMet } from './statistics.js'
import { numberTable, rowTable } from './table.js'
import { type Asked, askedOf, USAGE } from './usage.js'

/** `npm run chaos`: breaks everything there is, and prints what the users saw of it. */

const DOCUMENT = 'docs/reliability.md'
const PARTS = ['drills', 'fleet', 'numbers'] as const
/** drills side by side; they mostly wait */
const LANES = 2
const ROWS = [
  ...RUNTIME_ROWS,
  ...TURN_ROWS,
  ...FLAGD_ROWS,
  ...FILE_ROWS,
  ...RACE_ROWS,
  ...KEY_ROWS,
  ...KILL_ROWS,
  ...REPLICA_ROWS,
  ...MACHINE_ROWS,
  ...CLOCK_ROWS,
  ...RAMP_ROWS,
]
const say = (text: string): void => void process.stderr.write(`\u2022 ${text}\n`)

// Processes and mounts of the drills are freed at every exit.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
process.exit(await main(process.argv.slice(2)))

async function main(argv: readonly string[]): Promise<number> {
  const names = { files: ROWS.map(({ name }) => name), fleet: FLEET_ROWS.map(({ name }) => name) }
  const asked = askedOf(argv, names)
  switch (asked.kind) {
    case 'wrong':
      process.stderr.write(`${asked.fault}\n\n${USAGE}`)
      return 2
    case 'help':
      process.stdout.write(USAGE)
      return 0
    case 'list':
      process.stdout.write([...new Set(names[asked.suite].map((name) => `${name}\n`))].join(''))
      return 0
    case 'run':
      return runAsked(asked)
  }
}

async function runAsked({
  suite,
  names,
  isAll,
  numbers: areNumbersAsked,
  write,
}: Extract<Asked, { kind: 'run' }>): Promise<number> {
  const loadBefore = loadavg()[0] ?? 0
  const lateness = monitorEventLoopDelay({ resolution: 10 })
  lateness.enable()
  const numbers: Numbers = areNumbersAsked ? await measureNumbers(say) : { measures: [], faults: [] }
  const results =
    suite === 'files'
      ? await runAll(chosen(ROWS, names), runRow, isAll ? LANES : 1)
      : await runAll(chosen(FLEET_ROWS, names), runFleetRow, 1)
  const machine = [
    `Measured ${new Date().toISOString().slice(0, 10)}`,
    `Node ${process.version}`,
    `${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}`,
    `load average ${loadBefore.toFixed(1)} before`,
    `the harness itself at most ${Math.round(lateness.max / 1e6)} ms late.`,
  ].join(', ')
  const drills = { drills: '', fleet: '', [suite === 'files' ? 'drills' : 'fleet']: drillsText(results) }
  const tables = { ...drills, numbers: numbersText(numbers) }
  for (const part of PARTS) if (tables[part] !== '') process.stdout.write(`\n${machine}\n\n${tables[part]}\n`)
  if (write)
    for (const part of PARTS) if (tables[part] !== '') writeDocument(part, `${machine}\n\n${tables[part]}`)
  const isGood =
    results.every(({ faults }) => faults.length === 0) &&
    numbers.faults.length === 0 &&
    numbers.measures.every(isMet)
  return isGood ? 0 : 1
}

function chosen<R extends { readonly name: string }>(rows: readonly R[], names: readonly string[]): R[] {
  return rows.filter(({ name }) => names.includes(name))
}

/** The longest first, so that the lanes end together; results in the order of the table. */
async function runAll<R extends Pick<Row, 'name' | 'patienceMs'>>(
  rows: readonly R[],
  runOne: (row: R) => Promise<RowResult>,
  lanes: number,
): Promise<RowResult[]> {
  const results = new Map<R, RowResult>()
  const waiting = rows.toSorted((a, b) => (b.patienceMs ?? 0) - (a.patienceMs ?? 0))
  const lane = async (): Promise<void> => {
    for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) {
      const result = await runOne(row)
      results.set(row, result)
      const how = result.skipped ?? (result.faults.join('; ') || 'passed')
      say(`${results.size}/${rows.length} ${row.name} (${result.resolver}): ${how}`)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return rows.flatMap((row) => results.get(row) ?? [])
}

function drillsText(results: readonly RowResult[]): string {
  return results.length > 0 ? rowTable(results) : ''
}

function numbersText({ measures, faults }: Numbers): string {
  const table = measures.length > 0 ? [numberTable(measures)] : []
  return [...table, ...faults.map((fault) => `FAILED: ${fault}`)].join('\n\n')
}

function writeDocument(part: (typeof PARTS)[number], text: string): void {
  writeBetween(DOCUMENT, `<!-- chaos: ${part} -->`, `<!-- chaos: end of ${part} -->`, text)
  say(`the ${part} are written into ${DOCUMENT}`)
}
