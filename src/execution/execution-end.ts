import type { AbortCode, ExecutionPhase } from '../protocol/execution-codes.js'
import { ExecutionError } from './execution-error.js'
import type { Outcome, OutcomeResult } from './outcome.js'

/** How an execution ended. */
export type ExecutionEnd =
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed'; readonly error: ExecutionError }
  /** `unreadMs`: for so long before it there had been no reader */
  | { readonly kind: 'aborted'; readonly code: AbortCode; readonly unreadMs?: number }

export function outcomeResult(end: ExecutionEnd): OutcomeResult {
  if (end.kind === 'ended') return { result: 'ok' }
  if (end.kind === 'aborted') return { result: 'aborted', code: end.code }
  const { code, phase, timeout, details } = end.error
  if (details.rejected === true) return { result: 'rejected', code, phase }
  return { result: timeout ? 'timeout' : 'error', code, phase }
}

/** What of a failure may be ours alone. */
export function localFault(end: ExecutionEnd): Pick<Outcome, 'localFault' | 'isDnsFault'> {
  if (end.kind !== 'failed') return {}
  const { localFault, isDnsFault } = end.error.details
  return {
    ...(localFault === undefined ? {} : { localFault }),
    ...(isDnsFault === true ? { isDnsFault } : {}),
  }
}

/** A backend need not know the commit point: the phase after the response head is the execution's to tell. */
export function inPhaseSeen(error: ExecutionError, committed: boolean): ExecutionError {
  const phase = phaseSeen(error.phase, committed)
  if (phase === error.phase) return error
  return new ExecutionError(error.code, phase, error.message, error.timeout, error.details, { cause: error })
}

function phaseSeen(told: ExecutionPhase, committed: boolean): ExecutionPhase {
  if (committed) return 'streaming'
  return told === 'streaming' ? 'first_content' : told
}
