import type { ExecutionCall, Turn } from '../../src/execution/backend.js'

const SOFT_FAILURES = [
  'I encountered an error:',
  'I completed the task but encountered an issue generating the response:',
]

/** A turn with every field set; the test overrides what it is about. */
export function sampleTurn(overrides: Partial<Turn> = {}): Turn {
  return {
    sessionId: 'session-1',
    messageId: 'message-1',
    requestId: 'request-1',
    caller: { orgId: 'org-1', userId: 'user-1', agentId: 'agent-1', sessionId: 'session-1' },
    message: 'hello',
    history: [],
    profile: {},
    ...overrides,
  }
}

/** A backend's call with what it reported. */
export interface RecordedCall extends ExecutionCall {
  readonly controller: AbortController
  readonly seen: string[]
  readonly tasks: Promise<void>[]
}

export function sampleCall(overrides: Partial<ExecutionCall> = {}): RecordedCall {
  const controller = new AbortController()
  const seen: string[] = []
  const tasks: Promise<void>[] = []
  return {
    controller,
    seen,
    tasks,
    signal: controller.signal,
    connectMs: 2000,
    headersMs: 2000,
    softFailures: SOFT_FAILURES,
    onConnected: () => void seen.push('connected'),
    onHeaders: () => void seen.push('headers'),
    onComplete: () => undefined,
    after: (task) => void tasks.push(task),
    ...overrides,
  }
}

export const sampleLimits = {
  connectMs: 3000,
  headersMs: 10_000,
  firstContentMs: 60_000,
  gapMs: 60_000,
  totalMs: 300_000,
  softFailures: SOFT_FAILURES,
}
