import type { ExecutionFacts } from '../../journal/journal.js'
import type { WindowMetrics } from '../../protocol/fallback.js'
import type { ExecutionMode } from '../../protocol/modes.js'
import { CountedExecutions } from './counted-executions.js'

/** Both windows as they were at one moment. */
export interface KeptWindows {
  /** wall-clock ms: the end of the window */
  readonly at: number
  readonly modes: Readonly<Record<ExecutionMode, WindowMetrics>>
}

export interface KeptWindowsOptions {
  /** wall-clock ms of the last point */
  readonly to: number
  readonly points: number
  /** ms between two points */
  readonly stepMs: number
  /** steps in a window, at least 1 */
  readonly windowSteps: number
}

type Counts = Readonly<Record<ExecutionMode, CountedExecutions>>
const none = (): Counts => ({
  direct_llm: new CountedExecutions(),
  runtime_orchestrator: new CountedExecutions(),
})
const MODES = ['direct_llm', 'runtime_orchestrator'] as const

/**
 * The windows at each of the points, oldest first. Each execution is read once: a window is the sum of its steps. What is held
 * at a time is one window, whatever was executed.
 * @param read executions that ended in a span, `from` in it and `to` not
 */
export async function keptWindows(
  read: (span: { from: number; to: number }) => AsyncIterable<readonly ExecutionFacts[]>,
  { to, points, stepMs, windowSteps }: KeptWindowsOptions,
): Promise<readonly KeptWindows[]> {
  const window = none()
  const steps: Counts[] = []
  const found: KeptWindows[] = []
  for (let ago = points + windowSteps - 2; ago >= 0; ago -= 1) {
    const at = to - ago * stepMs
    const step = none()
    for await (const page of read({ from: at - stepMs, to: at }))
      for (const execution of page) step[execution.mode].add(execution)
    steps.push(step)
    const over = steps.length > windowSteps ? steps.shift() : undefined
    for (const mode of MODES) {
      window[mode].merge(step[mode])
      if (over !== undefined) window[mode].subtract(over[mode])
    }
    if (ago < points)
      found.push({
        at,
        modes: {
          direct_llm: window.direct_llm.metrics(),
          runtime_orchestrator: window.runtime_orchestrator.metrics(),
        },
      })
  }
  return found
}
