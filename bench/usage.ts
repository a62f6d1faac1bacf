/** What each bench measures, by its name. */
export const BENCH_NAMES = {
  relay: 'CPU of an event on its way through us, beside the same without us',
  traces: 'CPU of a short turn, with spans and without',
  latency: 'what we add to the time to first content',
  decision: 'what the decision of a turn costs',
  streams: 'memory of open streams',
  shadow: 'what shadows cost the users, and memory over many of them',
  window: 'recording and reading of the windows',
  report: 'the shadow report over 100,000 comparisons',
  endpoints: 'endpoints of the direct LLM that are dead or full: what users see, what reaches the endpoints',
  similarity: 'the comparison of two answers of 4 KiB',
  overload: 'three times the rate that can be served, and one greedy org among modest ones',
  fleet: 'PostgreSQL beside SQLite, Redis on beside off, and turns a second of one to three replicas',
  workers: 'what two workers behind one port carry beside one',
} as const
export type BenchName = keyof typeof BENCH_NAMES

/** What `overload` measures one by one. */
export const OVERLOAD_PARTS = ['places', 'loop', 'fairness'] as const
export type OverloadPart = (typeof OVERLOAD_PARTS)[number]

export const USAGE = `Measures the service beside a floor measured in the same run, and keeps the numbers in bench/results/.

Usage: npm run bench -- [name...] [--write] [--part=${OVERLOAD_PARTS.join('|')}]

Without a name all of them, in some minutes; on a machine with nothing else to do.

${Object.entries(BENCH_NAMES)
  .map(([name, what]) => `  ${name.padEnd(10)} ${what}`)
  .join('\n')}
  --write    rewrite the table and the plot of docs/limits.md (overload)
  --part=... of overload this part alone; not with --write, which needs all of them
  -h, --help this text

Exit code: 0 measured, whether the targets are met or not; 2 wrong usage.
`

export type Asked =
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly fault: string }
  | {
      readonly kind: 'run'
      readonly names: readonly BenchName[]
      readonly write: boolean
      /** undefined: all */
      readonly part?: OverloadPart
    }

const isBench = (name: string): name is BenchName => Object.hasOwn(BENCH_NAMES, name)

const PART = '--part='

/** What a command line asks for; pure. */
export function askedOf(argv: readonly string[]): Asked {
  if (argv.includes('--help') || argv.includes('-h')) return { kind: 'help' }
  const write = argv.includes('--write')
  const parts = argv.filter((word) => word.startsWith(PART)).map((word) => word.slice(PART.length))
  const asked = argv.filter((word) => word !== '--write' && !word.startsWith(PART))
  const unknown = asked.filter((name) => !isBench(name))
  if (unknown.length > 0) return { kind: 'wrong', fault: `Unknown bench: ${unknown.join(', ')}` }
  const all = Object.keys(BENCH_NAMES).filter(isBench)
  const names = all.filter((name) => asked.length === 0 || asked.includes(name))
  if (parts.length === 0) return { kind: 'run', names, write }
  const part = OVERLOAD_PARTS.find((one) => one === parts[0])
  if (part === undefined || parts.length > 1)
    return { kind: 'wrong', fault: `--part is one of ${OVERLOAD_PARTS.join(', ')}` }
  if (write) return { kind: 'wrong', fault: '--write needs all parts' }
  if (!names.includes('overload')) return { kind: 'wrong', fault: 'Only overload has parts' }
  return { kind: 'run', names, write, part }
}
