/** What the probes have shown so far. Pure: instants are monotonic ms, passed in. */
export interface ProbeCounts {
  readonly failuresInARow: number
  readonly goodInARow: number
  /**
   * Absent while it is not known: before the first result, and while a first row of failures is still too short to tell.
   * A row of failures shorter than the guardrail leaves the verdict as it was.
   */
  readonly healthy?: boolean
  /** of the first good result of the present unbroken row */
  readonly goodSince?: number
}

export const NO_COUNTS: ProbeCounts = { failuresInARow: 0, goodInARow: 0 }

/** @param failures bad results in a row that make the runtime unhealthy (guardrail `probeFailures`) */
export function counted(counts: ProbeCounts, good: boolean, failures: number, now: number): ProbeCounts {
  if (good) {
    return {
      failuresInARow: 0,
      goodInARow: counts.goodInARow + 1,
      healthy: true,
      goodSince: counts.goodSince ?? now,
    }
  }
  const failuresInARow = counts.failuresInARow + 1
  const healthy = failuresInARow >= failures ? false : counts.healthy
  return { failuresInARow, goodInARow: 0, ...(healthy === undefined ? {} : { healthy }) }
}

/** ms after a bad answer: a dead runtime is known in well under a second, without waiting for whole intervals. */
export const RETRY_MS = 100
/** ms between the starts of two probes when something asks for one at once */
export const AT_ONCE_MS = 100

/** A probe that has ended. */
export interface LastProbe {
  readonly startedAt: number
  readonly endedAt: number
  /** it was missed in time: the runtime hangs, and asking at once again would tell nothing new */
  readonly timedOut: boolean
}

/**
 * When the next probe starts: an interval after the last one's start, sooner while a row of failures is too short to
 * tell, or where a probe is wanted at once.
 */
export function nextProbeAt(
  last: LastProbe,
  counts: ProbeCounts,
  settings: { readonly intervalMs: number; readonly failures: number },
  wanted: boolean,
): number {
  const regular = last.startedAt + settings.intervalMs
  const atOnce = wanted ? last.startedAt + AT_ONCE_MS : regular
  const undecided = counts.failuresInARow > 0 && counts.failuresInARow < settings.failures
  const again = undecided && !last.timedOut ? last.endedAt + RETRY_MS : regular
  return Math.min(regular, atOnce, again)
}
