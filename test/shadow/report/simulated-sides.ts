import type {
  ComparisonSums,
  KindSums,
  PairCounts,
  PairedDimension,
  PairedSums,
  Similarity,
  Sums,
} from '../../../src/journal/comparison.js'
import { type TimePoint, TimeSummer } from '../../../src/journal/time-sums.js'

/** What two sides are like. Rates 0 to 1. */
export interface SimulatedSides {
  /** pairs of both backends, and of the control with itself */
  readonly ab: number
  readonly aa: number
  /** the candidate's latency and first content over the control's */
  readonly slower?: number
  /** of any second run, the control's own too: warm or cold caches */
  readonly secondRun?: number
  /** standard deviation of a side's log latency, and how far the two of a pair go together */
  readonly spread?: number
  readonly correlation?: number
  readonly errorRate?: number
  readonly candidateErrorRate?: number
  /** the candidate's tokens and characters over the control's */
  readonly longer?: number
  /** what the candidate's text has less in common with the control's than the control's own */
  readonly unlike?: number
  /** how often a side's calls are other ones than usual */
  readonly otherCalls?: number
  /** ms after which the users leave, each at another time around that */
  readonly patience?: number
  readonly candidateOtherCalls?: number
}

/** Numbers of a seed: the same row every time (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** The sums a journal would give of such sides, without the journal. */
export function simulate(sides: SimulatedSides, random: () => number): ComparisonSums {
  return {
    ab: kind(sides.ab, { ...sides, isCandidate: true }, random),
    aa: kind(sides.aa, { ...sides, isCandidate: false }, random),
    assigned: { n: 0, aa: 0, percent: 0, variance: 0 },
  }
}

interface Kind extends SimulatedSides {
  readonly isCandidate: boolean
}

function kind(pairs: number, sides: Kind, random: () => number): KindSums {
  const { isCandidate, spread = 0.6, correlation = 0.5, secondRun = 1 } = sides
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const errorRate = sides.errorRate ?? 0.02
  const secondErrorRate = isCandidate ? (sides.candidateErrorRate ?? errorRate) : errorRate
  const slower = Math.log(secondRun * (isCandidate ? (sides.slower ?? 1) : 1))
  const longer = isCandidate ? (sides.longer ?? 1) : 1
  const otherCalls = sides.otherCalls ?? 0.05
  const secondOther = isCandidate ? (sides.candidateOtherCalls ?? otherCalls) : otherCalls
  const [shared, own] = [Math.sqrt(correlation) * spread, Math.sqrt(1 - correlation) * spread]

  const sums = emptyKind()
  const times = { latency: new TimeSummer(), firstContent: new TimeSummer() }
  for (let pair = 0; pair < pairs; pair += 1) {
    // Half of what fails fails because of the turn, on both sides alike.
    const hard = random()
    const isFailed = hard < errorRate / 2 || random() < errorRate / 2
    const isSecondFailed = hard < secondErrorRate / 2 || random() < secondErrorRate / 2
    count(sums.failed, isFailed, isSecondFailed)
    const isLate = isFailed && random() < 0.3
    count(sums.timedOut, isLate, isSecondFailed && random() < 0.3)
    sums.pairs += 1
    if (!isFailed && !isSecondFailed) {
      const turn = normal()
      const lnFirst = 6.5 + shared * turn
      const first = [lnFirst + own * normal(), lnFirst + own * normal() + slower] as const
      const lnAll = 8 + shared * turn
      const all = [lnAll + own * normal(), lnAll + own * normal() + slower] as const
      const leavesAt = sides.patience === undefined ? Infinity : Math.log(sides.patience) + 0.5 * normal()
      addBins(times.firstContent, first, leavesAt)
      addBins(times.latency, all, leavesAt)
      if (all[0] > leavesAt) {
        // What the user did not wait for is in the times alone.
        sums.pairs -= 1
        sums.failed.neither -= 1
        sums.timedOut.neither -= 1
        sums.left += 1
        continue
      }
      addTimes(sums.paired.firstContent, sums.paired.lnFirstContent, first)
      addTimes(sums.paired.latency, sums.paired.lnLatency, all)
      const size = normal()
      const length = Math.exp(6 + 0.6 * size + 0.4 * normal())
      const secondLength = longer * Math.exp(6 + 0.6 * size + 0.4 * normal())
      addPair(sums.paired.characters, Math.round(length), Math.round(secondLength))
      addPair(sums.paired.tokens, 200 + Math.round(length / 4), 200 + Math.round(secondLength / 4))
      const alike = 0.35 + 0.2 * normal() - (isCandidate ? (sides.unlike ?? 0) : 0)
      add(sums.similar.text, Math.min(Math.max(alike, 0), 1))
    }
    if (random() < 0.3) {
      const same = random() >= secondOther
      add(sums.similar.callSet, same ? 1 : 0)
      add(sums.similar.callOrder, same && random() < 0.9 ? 1 : same ? 0.5 : 0)
    }
  }
  return {
    ...sums,
    times: { latency: times.latency.sums(), firstContent: times.firstContent.sums() },
    control: endsOf(sums, 'controlOnly'),
    candidate: endsOf(sums, 'candidateOnly'),
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

function emptyKind() {
  const paired = (): Writable<PairedSums> => ({
    n: 0,
    control: 0,
    candidate: 0,
    difference: 0,
    differenceSquares: 0,
  })
  const one = (): Writable<Sums> => ({ n: 0, sum: 0, squares: 0 })
  const counts = (): Writable<PairCounts> => ({ neither: 0, controlOnly: 0, candidateOnly: 0, both: 0 })
  return {
    pairs: 0,
    left: 0,
    failed: counts(),
    timedOut: counts(),
    paired: {
      latency: paired(),
      lnLatency: paired(),
      firstContent: paired(),
      lnFirstContent: paired(),
      tokens: paired(),
      characters: paired(),
    } satisfies Record<PairedDimension, PairedSums>,
    similar: { text: one(), plan: one(), callSet: one(), callOrder: one() } satisfies Record<
      Similarity,
      Sums
    >,
    fenceViolations: 0,
    codes: { control: {}, candidate: {} },
  }
}

function count(counts: Writable<PairCounts>, control: boolean, candidate: boolean): void {
  if (control) counts[candidate ? 'both' : 'controlOnly'] += 1
  else counts[candidate ? 'candidateOnly' : 'neither'] += 1
}

function addPair(sums: Writable<PairedSums>, control: number, candidate: number): void {
  sums.n += 1
  sums.control += control
  sums.candidate += candidate
  sums.difference += candidate - control
  sums.differenceSquares += (candidate - control) ** 2
}

function addTimes(
  times: Writable<PairedSums>,
  logs: Writable<PairedSums>,
  [control, candidate]: readonly [number, number],
): void {
  addPair(times, Math.exp(control), Math.exp(candidate))
  addPair(logs, control, candidate)
}

function addBins(times: TimeSummer, [control, candidate]: readonly [number, number], leavesAt: number): void {
  const seen = Math.min(control, leavesAt)
  times.add(pointOf(seen), pointOf(candidate), control > leavesAt)
}

function pointOf(ln: number): TimePoint {
  return { ms: Math.exp(ln), ln }
}

function add(sums: Writable<Sums>, value: number): void {
  sums.n += 1
  sums.sum += value
  sums.squares += value ** 2
}

function endsOf(
  { pairs, failed, timedOut }: { pairs: number; failed: PairCounts; timedOut: PairCounts },
  alone: 'controlOnly' | 'candidateOnly',
) {
  const timeout = timedOut[alone] + timedOut.both
  const failures = failed[alone] + failed.both
  return { ok: pairs - failures, error: failures - timeout, timeout }
}
