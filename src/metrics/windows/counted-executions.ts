import type { ExecutionFacts } from '../../journal/journal.js'
import type { WindowMetrics } from '../../protocol/fallback.js'
import { LatencySketch } from './latency-sketch.js'
import { WindowCounts, windowMetrics } from './window-counts.js'

/** Kept executions of one mode, counted as the windows count them; quantiles at most 1% off. */
export class CountedExecutions {
  readonly #counts = new WindowCounts()
  readonly #latency = new LatencySketch()
  readonly #firstContent = new LatencySketch()

  add(execution: ExecutionFacts): void {
    this.#counts.add(execution)
    if (execution.result === 'rejected') return
    this.#latency.add(execution.latencyMs)
    if (execution.firstContentMs !== undefined) this.#firstContent.add(execution.firstContentMs)
  }

  /** Takes in all of the other. */
  merge(other: CountedExecutions): void {
    this.#counts.plus(other.#counts)
    this.#latency.merge(other.#latency)
    this.#firstContent.merge(other.#firstContent)
  }

  /** Takes out what `merge` put in. */
  subtract(other: CountedExecutions): void {
    this.#counts.plus(other.#counts, -1)
    this.#latency.subtract(other.#latency)
    this.#firstContent.subtract(other.#firstContent)
  }

  metrics(): WindowMetrics {
    return windowMetrics(
      this.#counts,
      (p) => this.#latency.quantile(p),
      (p) => this.#firstContent.quantile(p),
    )
  }
}
