import type { ExecutionFacts } from '../journal/journal.js'
import type { WindowMetrics } from '../protocol/fallback.js'
import type { ExecutionMode } from '../protocol/modes.js'
import { CountedExecutions } from './windows/counted-executions.js'

/** Both modes over all of these executions, counted as the windows count them; quantiles at most 1% off. */
export async function baselineOf(
  pages: AsyncIterable<readonly ExecutionFacts[]>,
): Promise<Readonly<Record<ExecutionMode, WindowMetrics>>> {
  const modes = { direct_llm: new CountedExecutions(), runtime_orchestrator: new CountedExecutions() }
  for await (const page of pages) for (const execution of page) modes[execution.mode].add(execution)
  return {
    direct_llm: modes.direct_llm.metrics(),
    runtime_orchestrator: modes.runtime_orchestrator.metrics(),
  }
}
