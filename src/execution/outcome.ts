import type { AbortCode, ExecutionErrorCode, ExecutionPhase } from '../protocol/execution-codes.js'
import type { ExecutionMode } from '../protocol/modes.js'

/** How one execution ended. A failed-over turn has two: the runtime's failure and the direct LLM's end. */
export type OutcomeResult =
  | { readonly result: 'ok' }
  | {
      readonly result: 'error' | 'timeout'
      readonly code: ExecutionErrorCode
      readonly phase: ExecutionPhase
    }
  /** The upstream refused what the user sent: nobody's failure, in no rate and no verdict. */
  | { readonly result: 'rejected'; readonly code: ExecutionErrorCode; readonly phase: ExecutionPhase }
  | { readonly result: 'aborted'; readonly code: AbortCode }

/** One execution as it is recorded. Times in ms, `startedAt` on the monotonic clock. */
export type Outcome = OutcomeResult & {
  readonly mode: ExecutionMode
  readonly orgId: string
  readonly agentId: string
  /** of the conversation; a shadow has one of its own */
  readonly sessionId?: string
  /** of an aborted one: the user left before the commit point after waiting for long, and where it was then */
  readonly abandoned?: ExecutionPhase
  /** the guarded rollout gave it to the runtime */
  readonly isRollout?: true
  readonly startedAt: number
  readonly latencyMs: number
  /** absent when nothing was committed */
  readonly firstContentMs?: number
  readonly tokens?: number
  /** the system's code for what this machine lacks (`EMFILE`): nobody's failure but ours, no evidence */
  readonly localFault?: string
  /** the backend's name was not resolved: no evidence where the direct LLM's is not either */
  readonly isDnsFault?: true
}
