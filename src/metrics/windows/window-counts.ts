import type { Outcome } from '../../execution/outcome.js'
import type { CountedResult } from '../../protocol/execution-results.js'
import type { WindowMetrics } from '../../protocol/fallback.js'
import { boundedMs } from './latency-sketch.js'

/** What the public windows look at in an outcome. */
export type Observed = Pick<Outcome, 'latencyMs' | 'firstContentMs'> & { readonly result: CountedResult }

/**
 * Counts and sums of a part of a window. An aborted execution counts in `aborted` alone, so do abandoned and rejected ones in theirs; a timeout is also an error
 * (protocols). Sums are in whole µs: integers come back to exactly zero when all that was added is taken out.
 */
export class WindowCounts {
  success = 0
  errors = 0
  timeouts = 0
  aborted = 0
  rejected = 0
  abandoned = 0
  latencyMicros = 0
  firstContents = 0
  firstContentMicros = 0

  add({ result, latencyMs, firstContentMs }: Observed): void {
    if (result === 'aborted') {
      this.aborted += 1
      return
    }
    if (result === 'abandoned') {
      this.abandoned += 1
      return
    }
    if (result === 'rejected') {
      this.rejected += 1
      return
    }
    if (result === 'ok') this.success += 1
    else this.errors += 1
    if (result === 'timeout') this.timeouts += 1
    this.latencyMicros += micros(latencyMs)
    if (firstContentMs === undefined) return
    this.firstContents += 1
    this.firstContentMicros += micros(firstContentMs)
  }

  plus(other: WindowCounts, sign: 1 | -1 = 1): void {
    this.success += sign * other.success
    this.errors += sign * other.errors
    this.timeouts += sign * other.timeouts
    this.aborted += sign * other.aborted
    this.rejected += sign * other.rejected
    this.abandoned += sign * other.abandoned
    this.latencyMicros += sign * other.latencyMicros
    this.firstContents += sign * other.firstContents
    this.firstContentMicros += sign * other.firstContentMicros
  }
}

const micros = (ms: number): number => Math.round(boundedMs(ms) * 1000)

/** ms by rank (0 to 1); 0 if there is nothing */
export type Quantile = (p: number) => number

/** The window as the API shows it: rates unrounded, times by `roundMs`, all zero for an empty one. */
export function windowMetrics(
  counts: WindowCounts,
  latency: Quantile,
  firstContent: Quantile,
): WindowMetrics {
  const total = counts.success + counts.errors
  return {
    total,
    success: counts.success,
    error: counts.errors,
    timeout: counts.timeouts,
    avgLatencyMs: roundMs(share(counts.latencyMicros, total) / 1000),
    errorRate: share(counts.errors, total),
    timeoutRate: share(counts.timeouts, total),
    aborted: counts.aborted,
    rejected: counts.rejected,
    abandoned: counts.abandoned,
    p50LatencyMs: roundMs(latency(0.5)),
    p95LatencyMs: roundMs(latency(0.95)),
    p99LatencyMs: roundMs(latency(0.99)),
    avgFirstContentMs: roundMs(share(counts.firstContentMicros, counts.firstContents) / 1000),
    p95FirstContentMs: roundMs(firstContent(0.95)),
  }
}

const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)

/** Whole ms from 100 ms on, three digits below: at most 0.5% off, and no digits that mean nothing. */
export function roundMs(ms: number): number {
  return ms >= 100 ? Math.round(ms) : Number(ms.toPrecision(3))
}
