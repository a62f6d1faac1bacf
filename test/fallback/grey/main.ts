import { markdownTable, writeBetween } from '../../support/measured-tables.js'
import { type Greyness, grey, type Tripped } from './grey-runtime.js'
import { type Calm, calm, coldTrips, executionsOnly, timeToTrip, timeToTripAtStart } from './measure.js'
import { TRAFFIC, type Traffic } from './traffic.js'
import { USAGE } from './usage.js'

/** `npm run simulate`. */

const DOCUMENT = 'docs/reliability.md'
const OPTIONS = ['--quick', '--write', '--help', '-h']
const SHARES = [0.05, 0.1, 0.2]
/** simulated hours for each share and kind: busy hours take the longest */
const HOURS: readonly (readonly [Traffic, number])[] = [
  [TRAFFIC.light, 20_000],
  [TRAFFIC.bursty, 5000],
  [TRAFFIC.some, 1000],
  [TRAFFIC.steady, 200],
  [TRAFFIC.busy, 30],
]
const CHANGES: readonly (readonly [usual: number, share: number])[] = [
  [0.01, 1],
  [0.01, 0.8],
  [0.01, 0.6],
  [0.1, 1],
  [0.1, 0.8],
  [0.2, 1],
  [0.2, 0.8],
  [0.2, 0.6],
]
const say = (text: string): void => void process.stderr.write(`\u2022 ${text}\n`)
const percent = (share: number): string => `${Math.round(share * 100)}%`
const grouped = (value: number): string => value.toLocaleString('en')

process.exit(main(process.argv.slice(2)))

function main(argv: readonly string[]): number {
  const unknown = argv.find((word) => !OPTIONS.includes(word))
  if (unknown !== undefined) {
    process.stderr.write(`Unknown option: ${unknown}\n\n${USAGE}`)
    return 2
  }
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(USAGE)
    return 0
  }
  const part = argv.includes('--quick') ? 0.02 : 1
  const rows = calmRows(part)
  const tables = [
    calmTable(rows),
    coldTable(part),
    tripTable(part, timeToTrip, 'bad from now on'),
    tripTable(part, timeToTripAtStart, 'bad from the start on'),
  ]
  const text = [`Played ${new Date().toISOString().slice(0, 10)}, seeds from 1.`, ...tables].join('\n\n')
  process.stdout.write(`${text}\n`)
  if (argv.includes('--write')) writeBetween(DOCUMENT, '<!-- simulate -->', '<!-- simulate: end -->', text)
  return rows.every(({ played }) => played.trips.length === 0) ? 0 : 1
}

interface CalmRow {
  readonly traffic: Traffic
  readonly share: number
  readonly as: Greyness['as']
  readonly played: Calm
}

function calmRows(part: number): CalmRow[] {
  let seed = 0
  return HOURS.flatMap(([traffic, hours]) =>
    SHARES.flatMap((share) =>
      (['error', 'timeout'] as const).map((as) => {
        seed += 1
        const played = calm(seed, traffic, grey(share, as), Math.ceil(hours * part))
        say(`${traffic.name}, ${percent(share)} ${as}: ${played.hours} h, ${played.trips.length} trips`)
        return { traffic, share, as, played }
      }),
    ),
  )
}

function calmTable(rows: readonly CalmRow[]): string {
  const body = rows.map(({ traffic, share, as, played: { hours, turns, trips } }) => [
    traffic.name,
    percent(share),
    `${as}s`,
    grouped(hours),
    grouped(turns),
    causes(trips),
  ])
  const sum = (of: (row: CalmRow) => number): string => grouped(rows.reduce((all, row) => all + of(row), 0))
  const total = [
    '**all**',
    '',
    '',
    sum(({ played }) => played.hours),
    sum(({ played }) => played.turns),
    sum(({ played }) => played.trips.length),
  ]
  return markdownTable(['traffic', 'bad, probes too', 'as', 'hours', 'turns', 'trips'], [...body, total])
}

function coldTable(part: number): string {
  const count = Math.ceil(200 * part)
  const body = [false, true].flatMap((kept) =>
    HOURS.map(([traffic]) => [
      traffic.name,
      kept ? 'what an earlier process kept' : 'nothing',
      ...SHARES.flatMap((share) =>
        (['error', 'timeout'] as const).map((as) =>
          percent(coldTrips(1, traffic, grey(share, as), { count, kept }) / count),
        ),
      ),
    ]),
  )
  say('starts played')
  const head = SHARES.flatMap((share) => [`${percent(share)} errors`, `${percent(share)} timeouts`])
  return markdownTable(
    [`trip in their first 600 turns, of ${count} starts`, 'known at the start', ...head],
    body,
  )
}

function tripTable(part: number, timeOf: typeof timeToTrip, head: string): string {
  const seeds = Math.ceil(100 * part)
  const body = HOURS.flatMap(([traffic]) =>
    CHANGES.map(([usual, share]) => {
      const trips = Array.from({ length: seeds }, (_, index) =>
        timeOf(index + 1, traffic, [executionsOnly(usual), executionsOnly(share)]),
      )
      const tripped = trips.filter((trip) => trip !== undefined)
      say(`${traffic.name}, ${percent(usual)} to ${percent(share)}: ${tripped.length} of ${seeds} trip`)
      const seconds = (rank: number): string => (at(tripped, rank, 'afterMs') / 1000).toFixed(0)
      return [
        traffic.name,
        percent(usual),
        percent(share),
        seconds(0.5),
        seconds(0.99),
        String(at(tripped, 0.5, 'turns')),
        String(at(tripped, 0.99, 'turns')),
        `${seeds - tripped.length} of ${seeds}`,
      ]
    }),
  )
  const columns = ['traffic', 'usually bad', head, 'trips after, s: median', '99%']
  return markdownTable([...columns, 'turns: median', '99%', 'not within 6 h'], body)
}

function at(trips: readonly Tripped[], rank: number, of: 'afterMs' | 'turns'): number {
  const rising = trips.map((trip) => trip[of]).sort((a, b) => a - b)
  return rising[Math.min(rising.length - 1, Math.floor(rank * rising.length))] ?? Number.NaN
}

function causes(trips: readonly Tripped[]): string {
  const counts = new Map<string, number>()
  for (const { cause } of trips) counts.set(cause, (counts.get(cause) ?? 0) + 1)
  return trips.length === 0 ? '0' : [...counts].map(([cause, count]) => `${count} ${cause}`).join(', ')
}
