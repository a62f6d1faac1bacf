import type { Outcome, OutcomeResult } from '../../src/execution/outcome.js'
import type { ExecutionMode } from '../../src/protocol/modes.js'

interface Sample {
  readonly mode?: ExecutionMode
  readonly orgId?: string
  readonly agentId?: string
  readonly result?: Outcome['result']
  readonly startedAt?: number
  readonly latencyMs?: number
  readonly firstContentMs?: number
}

/** An execution of the runtime for `org-1` that took a second, except as told. */
export function sampleOutcome({ result = 'ok', ...given }: Sample = {}): Outcome {
  return {
    mode: 'runtime_orchestrator',
    orgId: 'org-1',
    agentId: 'assistant',
    startedAt: 0,
    latencyMs: 1_000,
    ...given,
    ...ended(result),
  }
}

function ended(result: Outcome['result']): OutcomeResult {
  switch (result) {
    case 'ok':
      return { result }
    case 'aborted':
      return { result, code: 'client_gone' }
    case 'rejected':
      return { result, code: 'llm_bad_request', phase: 'headers' }
    case 'error':
      return { result, code: 'runtime_http_error', phase: 'headers' }
    case 'timeout':
      return { result, code: 'first_content_timeout', phase: 'first_content' }
  }
}
