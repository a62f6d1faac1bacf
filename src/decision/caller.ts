import type { EvaluationContext } from '@openfeature/server-sdk'

/** Who asks for a turn, as the flags may target it. */
export interface Caller {
  readonly orgId: string
  readonly userId: string
  readonly agentId: string
  readonly sessionId: string
}

/** Whom the service itself asks for: nobody's org, session or agent. */
export const NOBODY: Caller = { orgId: '', userId: '', agentId: '', sessionId: 'flags-probe' }

/** `targetingKey` is the session: a conversation stays on its side (and is ASCII, so Go and Node bucket alike). */
export function evaluationContext(caller: Caller): EvaluationContext {
  return {
    targetingKey: caller.sessionId,
    orgId: caller.orgId,
    userId: caller.userId,
    agentId: caller.agentId,
    sessionId: caller.sessionId,
  }
}
