import type { Outcome } from '../execution/outcome.js'
import type { KeptExecution } from '../journal/comparison.js'

/**
 * An execution of a user's turn as it is kept; undefined for an aborted one: its user ended it, whatever the
 * backend would have done. @param at wall-clock ms of its end
 */
export function keptExecution(outcome: Outcome, at: number): KeptExecution | undefined {
  const { mode, orgId, agentId, sessionId, result, latencyMs, firstContentMs } = outcome
  if (result === 'aborted') return undefined
  return {
    at,
    mode,
    orgId,
    agentId,
    ...(sessionId === undefined ? {} : { sessionId }),
    result,
    latencyMs,
    ...(firstContentMs === undefined ? {} : { firstContentMs }),
  }
}
