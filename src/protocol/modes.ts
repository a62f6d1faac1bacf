import { z } from 'zod'

/** What executes a turn. */
export const EXECUTION_MODES = ['direct_llm', 'runtime_orchestrator'] as const
export const executionModeSchema = z.enum(EXECUTION_MODES)
export type ExecutionMode = z.infer<typeof executionModeSchema>

export const otherMode = (mode: ExecutionMode): ExecutionMode =>
  mode === 'direct_llm' ? 'runtime_orchestrator' : 'direct_llm'

/**
 * Why a turn got its execution mode; travels to the log, the metrics and the `done` event. `rollout`: a guarded rollout put its
 * session on the runtime.
 */
export const DECISION_REASONS = [
  'fallback',
  'targeting_match',
  'default',
  'code_default',
  'stale',
  'rollout',
] as const
export const decisionReasonSchema = z.enum(DECISION_REASONS)
export type DecisionReason = z.infer<typeof decisionReasonSchema>

/** The decision as clients see it in `done`. */
export const decisionSchema = z.strictObject({
  mode: executionModeSchema,
  reason: decisionReasonSchema,
  shadow: z.boolean(),
})
export type Decision = z.infer<typeof decisionSchema>
