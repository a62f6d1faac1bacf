import type {
  ComparedSide,
  Comparison,
  ComparisonQuery,
  ComparisonSums,
  KindSums,
  PairCounts,
  PairedSums,
  SideCounts,
  Sums,
} from '../../src/journal/comparison.js'
import type { TimeSums } from '../../src/journal/time-sums.js'

/** The sums of a query by going through everything again for each number. */
export function naiveSums(all: readonly Comparison[], query: ComparisonQuery): ComparisonSums {
  const asked = all.filter(
    ({ at, orgId, agentId, control }) =>
      at >= query.from &&
      at < query.to &&
      control.mode === query.controlMode &&
      [undefined, orgId].includes(query.orgId) &&
      [undefined, agentId].includes(query.agentId),
  )
  return {
    ab: ofKind(asked.filter(({ kind }) => kind === 'ab')),
    aa: ofKind(asked.filter(({ kind }) => kind === 'aa')),
    assigned: assignedOf(asked),
  }
}

function assignedOf(all: readonly Comparison[]) {
  const known = all.flatMap(({ kind, aaPercent }) => (aaPercent === undefined ? [] : [{ kind, aaPercent }]))
  return {
    n: known.length,
    aa: known.filter(({ kind }) => kind === 'aa').length,
    percent: total(known.map(({ aaPercent }) => aaPercent)),
    variance: total(known.map(({ aaPercent }) => aaPercent * (100 - aaPercent))),
  }
}

function ofKind(all: readonly Comparison[]): KindSums {
  const pairs = all.filter(({ control }) => control.result !== 'aborted')
  const well = pairs.filter(({ control, candidate }) => control.result === 'ok' && candidate.result === 'ok')
  const paired = (number: (side: ComparedSide) => number | undefined): PairedSums => {
    const both = well.flatMap(({ control, candidate }): [number, number][] => {
      const [a, b] = [number(control), number(candidate)]
      return a === undefined || b === undefined ? [] : [[a, b]]
    })
    return {
      n: both.length,
      control: total(both.map(([a]) => a)),
      candidate: total(both.map(([, b]) => b)),
      difference: total(both.map(([a, b]) => b - a)),
      differenceSquares: total(both.map(([a, b]) => (b - a) ** 2)),
    }
  }
  const similar = (number: (pair: Comparison) => number | undefined): Sums => {
    const given = pairs.flatMap((pair) => number(pair) ?? [])
    return { n: given.length, sum: total(given), squares: total(given.map((value) => value ** 2)) }
  }
  return {
    pairs: pairs.length,
    left: all.length - pairs.length,
    control: ends(pairs.map(({ control }) => control)),
    candidate: ends(pairs.map(({ candidate }) => candidate)),
    failed: counts(pairs, ({ result }) => result !== 'ok'),
    timedOut: counts(pairs, ({ result }) => result === 'timeout'),
    paired: {
      latency: paired(({ latencyMs }) => latencyMs),
      lnLatency: paired(({ latencyMs }) => ln(latencyMs)),
      firstContent: paired(({ firstContentMs }) => firstContentMs),
      lnFirstContent: paired(({ firstContentMs }) => ln(firstContentMs)),
      tokens: paired(({ tokens }) => tokens),
      characters: paired(({ characters }) => characters),
    },
    times: {
      latency: timesOf(all, ({ latencyMs, result }) => [latencyMs, result === 'aborted']),
      firstContent: timesOf(all, ({ latencyMs, firstContentMs, result }) =>
        result === 'aborted' && firstContentMs === undefined ? [latencyMs, true] : [firstContentMs, false],
      ),
    },
    similar: {
      text: similar(({ textSimilarity }) => textSimilarity),
      plan: similar(({ planSimilarity }) => planSimilarity),
      callSet: similar(({ callSetSimilarity }) => callSetSimilarity),
      callOrder: similar(({ callOrderSimilarity }) => callOrderSimilarity),
    },
    fenceViolations: total(all.map(({ fenceViolations }) => fenceViolations)),
    codes: {
      control: codes(pairs.map(({ control }) => control)),
      candidate: codes(pairs.map(({ candidate }) => candidate)),
    },
  }
}

const ln = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : Math.log(Math.max(ms, 0.1))

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)

/** @param time ms of a side, and whether it is only known to be longer */
function timesOf(
  all: readonly Comparison[],
  time: (side: ComparedSide) => readonly [number | undefined, boolean],
): TimeSums {
  const both = all
    .filter(
      ({ control, candidate }) => candidate.result === 'ok' && ['ok', 'aborted'].includes(control.result),
    )
    .flatMap(({ control, candidate }) => {
      const [[a, isCensored], [b]] = [time(control), time(candidate)]
      return a === undefined || b === undefined ? [] : [{ a, b, isCensored }]
    })
  const bin = (value: number): number => Math.floor((ln(value) ?? 0) / 0.02)
  const bins = [...new Set(both.flatMap(({ a, b }) => [bin(a), bin(b)]))].sort((a, b) => a - b)
  const cross = (of: typeof both, scale: (value: number) => number) => ({
    control: total(of.map(({ a }) => scale(a))),
    candidate: total(of.map(({ b }) => scale(b))),
    candidateSquares: total(of.map(({ b }) => scale(b) ** 2)),
  })
  return {
    pairs: bins.flatMap((at) =>
      [false, true].flatMap((isCensored) => {
        const of = both.filter((pair) => bin(pair.a) === at && pair.isCensored === isCensored)
        const sums = { ms: cross(of, (value) => value), ln: cross(of, (value) => ln(value) ?? 0) }
        return of.length === 0 ? [] : [{ bin: at, isCensored, n: of.length, ...sums }]
      }),
    ),
    candidate: bins.flatMap((at) => {
      const of = both.filter(({ b }) => bin(b) === at)
      return of.length === 0 ? [] : [{ bin: at, n: of.length, ln: total(of.map(({ b }) => ln(b) ?? 0)) }]
    }),
  }
}

const ends = (sides: readonly ComparedSide[]): SideCounts => ({
  ok: sides.filter(({ result }) => result === 'ok').length,
  error: sides.filter(({ result }) => result === 'error').length,
  timeout: sides.filter(({ result }) => result === 'timeout').length,
})

function counts(pairs: readonly Comparison[], befell: (side: ComparedSide) => boolean): PairCounts {
  const where = (control: boolean, candidate: boolean): number =>
    pairs.filter((pair) => befell(pair.control) === control && befell(pair.candidate) === candidate).length
  return {
    neither: where(false, false),
    controlOnly: where(true, false),
    candidateOnly: where(false, true),
    both: where(true, true),
  }
}

function codes(sides: readonly ComparedSide[]): Record<string, number> {
  const counted: Record<string, number> = {}
  for (const { code } of sides) if (code !== undefined) counted[code] = (counted[code] ?? 0) + 1
  return counted
}
