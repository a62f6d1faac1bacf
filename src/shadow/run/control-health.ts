import type { Clock } from '../../core/clock.js'
import type { ExecutionMode } from '../../protocol/modes.js'

/** Users' executions of one backend, newest and over the whole window. */
export interface ControlTally {
  readonly total: number
  readonly errors: number
}

export interface ControlHealthDeps {
  readonly clock: Clock
  /** the automatic layer is `normal`, and this replica is not isolated */
  fallbackNormal(): boolean
  tallies(mode: ExecutionMode): readonly ControlTally[]
  /** guardrails in effect; `errorRate` 0 to 1 */
  guardrails(): { readonly errorRate: number; readonly minSamples: number }
}

/** ms a look at the windows is good for */
const LOOK_MS = 250

/**
 * Whether shadows of turns of this mode have to stop: the fallback is not normal (then the runtime is to be spared, on
 * whichever side), or more than half the error rate that would trip it is reached. Cheap: the windows are read four times a second.
 */
export function createControlHealth(deps: ControlHealthDeps): { sick(mode: ExecutionMode): boolean } {
  const looked: Record<ExecutionMode, { at: number; failing: boolean }> = {
    direct_llm: { at: Number.NEGATIVE_INFINITY, failing: false },
    runtime_orchestrator: { at: Number.NEGATIVE_INFINITY, failing: false },
  }
  const isFailing = (mode: ExecutionMode): boolean => {
    const { errorRate, minSamples } = deps.guardrails()
    return deps
      .tallies(mode)
      .some(({ total, errors }) => total >= minSamples && errors / total > errorRate / 2)
  }
  return {
    sick(mode) {
      if (!deps.fallbackNormal()) return true
      const last = looked[mode]
      const now = deps.clock.monotonic()
      if (now - last.at >= LOOK_MS) {
        last.at = now
        last.failing = isFailing(mode)
      }
      return last.failing
    },
  }
}
