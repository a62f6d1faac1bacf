import type { Outcome } from '../../execution/outcome.js'
import { EXECUTION_MODES, type ExecutionMode } from '../../protocol/modes.js'

/**
 * Why a selected turn gave no comparison: `busy` too many shadows, or queued for more than 2 s; `pressure` the event loop
 * lags; `sick` the fallback is not normal, or the control's backend fails too often; `draining` the process stops; `aborted` the user's
 * turn was given up before the candidate began; `flood` the candidate sent more than anybody would read; `fault` a fault of
 * ours, which the log tells; `rejected` a side was refused for what the user sent; `unfenced` the runtime has not said that it
 * keeps the fence, which `CHAT_SHADOW_REQUIRE_FENCE` wants.
 */
export const SHADOW_DROP_REASONS = [
  'busy',
  'pressure',
  'sick',
  'draining',
  'aborted',
  'flood',
  'fault',
  'rejected',
  'unfenced',
] as const
export type ShadowDropReason = (typeof SHADOW_DROP_REASONS)[number]

/** Since the start of this process, but for `running`. */
export interface ShadowCounts {
  /** candidates under way */
  readonly running: number
  /** comparisons handed on */
  readonly compared: number
  readonly dropped: Readonly<Record<ShadowDropReason, number>>
  /** of candidates; those given up are `aborted` */
  readonly executions: Readonly<Record<ExecutionMode, Readonly<Record<Outcome['result'], number>>>>
  /** prompt and answer of candidates, estimated where the backend does not count: cost that no user is booked for */
  readonly tokens: Readonly<Record<ExecutionMode, number>>
  /** mutating calls and files of runtimes that were told they ran as a shadow */
  readonly fenceViolations: number
}

/** The same while it is counted. */
export interface ShadowTally {
  compared: number
  readonly dropped: Record<ShadowDropReason, number>
  readonly executions: Record<ExecutionMode, Record<Outcome['result'], number>>
  readonly tokens: Record<ExecutionMode, number>
  fenceViolations: number
}

export function newTally(): ShadowTally {
  const results = () => ({ ok: 0, error: 0, timeout: 0, aborted: 0, rejected: 0 })
  return {
    compared: 0,
    dropped: {
      busy: 0,
      pressure: 0,
      sick: 0,
      draining: 0,
      aborted: 0,
      flood: 0,
      fault: 0,
      rejected: 0,
      unfenced: 0,
    },
    executions: { direct_llm: results(), runtime_orchestrator: results() },
    tokens: { direct_llm: 0, runtime_orchestrator: 0 },
    fenceViolations: 0,
  }
}

/** A copy that counts no further. */
export function countsOf(tally: ShadowTally, running: number): ShadowCounts {
  const [direct, runtime] = EXECUTION_MODES
  return {
    running,
    compared: tally.compared,
    dropped: { ...tally.dropped },
    executions: {
      [direct]: { ...tally.executions[direct] },
      [runtime]: { ...tally.executions[runtime] },
    },
    tokens: { ...tally.tokens },
    fenceViolations: tally.fenceViolations,
  }
}
