import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { benchDecision } from './decision.js'
import { benchEndpoints } from './endpoints.js'
import { benchFleet } from './fleet.js'
import { benchLatency } from './latency.js'
import { type MeasuredProcess, startBare } from './measured-process.js'
import { benchOverload } from './overload.js'
import { benchRelay } from './relay.js'
import { benchReport } from './report.js'
import { benchShadow } from './shadow.js'
import { benchSimilarity } from './similarity.js'
import type { Row } from './statistics.js'
import { benchStreams } from './streams.js'
import { benchTraces } from './traces.js'
import { type Asked, askedOf, type BenchName, USAGE } from './usage.js'
import { benchWindow } from './window.js'
import { benchWorkers } from './workers.js'

const BENCHES = {
  relay: benchRelay,
  traces: benchTraces,
  latency: benchLatency,
  decision: (_upstream: string, report: (text: string) => void) => benchDecision(report),
  streams: benchStreams,
  shadow: benchShadow,
  window: (_upstream: string, report: (text: string) => void) => benchWindow(report),
  report: benchReport,
  endpoints: (_upstream: string, report: (text: string) => void) => benchEndpoints(report),
  similarity: benchSimilarity,
  overload: benchOverload,
  fleet: benchFleet,
  workers: benchWorkers,
} satisfies Record<BenchName, unknown>

/** Nothing to measure where help was asked for, or the wrong thing. */
function wanted(argv: readonly string[]): Extract<Asked, { kind: 'run' }> {
  const asked = askedOf(argv)
  switch (asked.kind) {
    case 'run':
      return asked
    case 'help':
      process.stdout.write(USAGE)
      return process.exit(0)
    case 'wrong':
      process.stderr.write(`${asked.fault}\n\n${USAGE}`)
      return process.exit(2)
  }
}

function table(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    row.what,
    row.unit,
    row.floor.toFixed(2),
    row.ours.toFixed(2),
    row.ratio.toFixed(2),
    row.target,
    row.target === '' ? '' : row.met ? 'met' : 'missed',
  ])
  const all = [['what', 'unit', 'floor', 'ours', 'ratio', 'target', ''], ...lines]
  const widths = [0, 1, 2, 3, 4, 5, 6].map((column) =>
    Math.max(...all.map((line) => (line[column] ?? '').length)),
  )
  return all.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')).join('\n')
}

const report = (text: string): void => {
  process.stderr.write(`${text}\n`)
}

const rows: Row[] = []
const { names, write, part } = wanted(process.argv.slice(2))
for (const name of names) {
  let upstream: MeasuredProcess | undefined
  try {
    upstream = await startBare('upstream.ts')
    rows.push(...(await BENCHES[name](upstream.url, report, write, part)))
  } finally {
    await upstream?.stop()
  }
}

process.stdout.write(`\n${table(rows)}\n`)
mkdirSync('bench/results', { recursive: true })
const file = `bench/results/${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.json`
const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length }
writeFileSync(file, `${JSON.stringify({ at: new Date().toISOString(), machine, rows }, null, 2)}\n`)
process.stdout.write(`\nWritten to ${file}\n`)
// keep-alive sockets of the load generator
process.exit(0)
