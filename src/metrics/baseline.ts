import type { ExecutionFacts } from '../journal/journal.js'
import type { WindowMetrics } from '../protocol/fallback.js'
import type { ExecutionMode } from '../protocol/modes.js'
import { LatencySketch } from './windows/latency-sketch.js'
import { WindowCounts, windowMetrics } from './windows/window-counts.js'

/** Both modes over all of these executions, counted as the windows count them; quantiles at most 1 % off. */
export async function baselineOf(
  pages: AsyncIterable<readonly ExecutionFacts[]>,
): Promise<Readonly<Record<ExecutionMode, WindowMetrics>>> {
  const modes = { direct_llm: new Counted(), runtime_orchestrator: new Counted() }
  for await (const page of pages) for (const execution of page) modes[execution.mode].add(execution)
  return {
    direct_llm: modes.direct_llm.metrics(),
    runtime_orchestrator: modes.runtime_orchestrator.metrics(),
  }
}

class Counted {
  readonly #counts = new WindowCounts()
  readonly #latency = new LatencySketch()
  readonly #firstContent = new LatencySketch()

  add(execution: ExecutionFacts): void {
    this.#counts.add(execution)
    if (execution.result === 'rejected') return
    this.#latency.add(execution.latencyMs)
    if (execution.firstContentMs !== undefined) this.#firstContent.add(execution.firstContentMs)
  }

  metrics(): WindowMetrics {
    return windowMetrics(
      this.#counts,
      (p) => this.#latency.quantile(p),
      (p) => this.#firstContent.quantile(p),
    )
  }
}
