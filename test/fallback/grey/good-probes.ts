import { joined, MOST_USUAL, NOTHING_USUAL } from '../../../src/fallback/evidence/usual-failures.js'
import type { ProbeCounts } from '../../../src/fallback/probe/probe-counts.js'

/** What `withRegular` makes of so many good probes one by one, in few steps: one up to each at which the older half is forgotten. */
export function withGood(counts: ProbeCounts, times: number): ProbeCounts {
  if (counts.healthy === false || times === 0) return counts
  let usual = counts.usual ?? NOTHING_USUAL
  for (let left = times; left > 0; ) {
    const before = usual.total >= MOST_USUAL ? usual.total / 2 : usual.total
    const total = Math.min(left, Math.ceil(MOST_USUAL - before))
    usual = joined(usual, { total, errors: 0, timeouts: 0 })
    left -= total
  }
  return { ...counts, usual }
}
