import { joined, NOTHING_USUAL, type Usual, unusualRow, usualShare } from '../evidence/usual-failures.js'

/** What the probes have shown so far. Pure: instants are monotonic ms, passed in. */
export interface ProbeCounts {
  readonly failuresInARow: number
  readonly goodInARow: number
  /** Absent while it is not known: before the first good answer, and while no burst has condemned the runtime. */
  readonly healthy?: boolean
  /** of the first good result of the present unbroken row */
  readonly goodSince?: number
  /** of the regular probes, while no burst has condemned the runtime: how many of how many were bad */
  readonly usual?: Usual
}

export const NO_COUNTS: ProbeCounts = { failuresInARow: 0, goodInARow: 0 }

/** The same, with one regular probe more. */
export function withRegular(counts: ProbeCounts, good: boolean): ProbeCounts {
  if (counts.healthy === false) return counts
  const one = { total: 1, errors: good ? 0 : 1, timeouts: 0 }
  return { ...counts, usual: joined(counts.usual ?? NOTHING_USUAL, one) }
}

/** a larger share of bad probes makes no burst longer: 18 probes, 0.9 s */
const LARGEST_SHARE = 0.3

/** How many probes a burst takes: guardrail `probeFailures`, and more where a share of the probes is usually bad. */
export function burstSize({ usual }: ProbeCounts, probeFailures: number): number {
  const share = usualShare(usual, 'errors')
  return unusualRow(probeFailures, share === undefined ? undefined : Math.min(share, LARGEST_SHARE))
}

/** One answer. A good one makes the runtime healthy at once; a bad one changes no verdict, a burst does. */
export function counted(counts: ProbeCounts, good: boolean, now: number): ProbeCounts {
  const { goodSince, ...kept } = counts
  if (good) {
    const goodInARow = counts.goodInARow + 1
    return { ...kept, failuresInARow: 0, goodInARow, healthy: true, goodSince: goodSince ?? now }
  }
  return { ...kept, failuresInARow: counts.failuresInARow + 1, goodInARow: 0 }
}

/** ms between the starts of two probes when something asks for one at once, and of two bursts */
export const AT_ONCE_MS = 100
/** ms between the starts of two probes of one burst */
export const BURST_SPACING_MS = 50

/** Several probes in quick succession that do not wait for each other: one dead instance of many must not speak for all. */
export interface Burst {
  readonly startedAt: number
  /** how many probes it has: `burstSize` when it began */
  readonly size: number
  readonly sent: number
  readonly bad: number
}

export const newBurst = (startedAt: number, size: number): Burst => ({ startedAt, size, sent: 0, bad: 0 })

/**
 * What a burst came to. `unhealthy`: all its probes were bad, and no execution of the runtime got its response head since it
 * began (`headAt`, monotonic ms); `alive`: one did.
 */
export function burstVerdict(burst: Burst, headAt: number): 'open' | 'alive' | 'unhealthy' {
  if (burst.bad < burst.size) return 'open'
  return headAt >= burst.startedAt ? 'alive' : 'unhealthy'
}

/** After a burst without a good answer; the count of its last one is still to come. */
export function afterBurst(counts: ProbeCounts, verdict: 'alive' | 'unhealthy'): ProbeCounts {
  return verdict === 'unhealthy' ? { ...counts, healthy: false } : { ...counts, failuresInARow: 0 }
}

/** When the next regular probe starts: an interval after the last one's start, or sooner where one is wanted at once. */
export function nextProbeAt(lastStartedAt: number, intervalMs: number, wanted: boolean): number {
  return lastStartedAt + (wanted ? Math.min(AT_ONCE_MS, intervalMs) : intervalMs)
}

/**
 * A verdict that no probe has confirmed for so long (two rounds, each with its deadline) is of before our own process stood still: it
 * condemns nobody.
 */
export function isOutdated(agoMs: number | undefined, intervalMs: number, timeoutMs: number): boolean {
  return agoMs !== undefined && agoMs > 2 * (intervalMs + timeoutMs)
}

/** For the evidence: as many failures as the guardrail asks for, or more, exactly where the runtime is unhealthy. */
export function judgedFailures({ failuresInARow, healthy }: ProbeCounts, probeFailures: number): number {
  return healthy === false
    ? Math.max(failuresInARow, probeFailures)
    : Math.min(failuresInARow, probeFailures - 1)
}
