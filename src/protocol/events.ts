import { z } from 'zod'
import { executionErrorCodeSchema, executionPhaseSchema } from './execution-codes.js'
import { decisionSchema, executionModeSchema } from './modes.js'

/** Types of the client's SSE events. zod describes them for clients and tests; the hot path never runs it. */

export const PLAN_STEP_STATUSES = ['pending', 'running', 'completed', 'failed', 'skipped'] as const
export const planStepStatusSchema = z.enum(PLAN_STEP_STATUSES)
export type PlanStepStatus = z.infer<typeof planStepStatusSchema>

export const CALL_STATUSES = ['calling', 'success', 'error'] as const
const callStatusSchema = z.enum(CALL_STATUSES)

const resultFields = {
  result: z.unknown(),
  truncated: z
    .literal(true)
    .optional()
    .describe('The result was too large: what is here is its beginning, as text'),
  success: z.boolean(),
  error: z.string().optional(),
  duration: z.number().optional().describe('ms, as the runtime measured it'),
}

/** What a `message` event carries: `type` names the Agent2UI kind, `data` its fields. */
export const messageBodySchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), data: z.strictObject({ content: z.string() }) }),
  z.object({
    type: z.literal('thinking'),
    data: z.strictObject({ content: z.string(), stage: z.string().optional() }),
  }),
  z.object({
    type: z.literal('plan'),
    data: z.strictObject({
      steps: z.array(z.strictObject({ id: z.string(), title: z.string(), status: planStepStatusSchema })),
      currentStep: z.number().int().describe('Index into `steps` of the step in work'),
    }),
  }),
  z.object({
    type: z.literal('plan_step'),
    data: z.strictObject({
      stepId: z.string(),
      title: z.string(),
      status: planStepStatusSchema,
      tool: z.string().optional(),
      params: z.unknown().optional(),
      result: z.unknown().optional(),
      truncated: z.literal(true).optional().describe('As of a result'),
      error: z.string().optional(),
      durationMs: z.number().optional(),
    }),
  }),
  z.object({
    type: z.literal('tool_call'),
    data: z.strictObject({ toolName: z.string(), arguments: z.unknown(), status: callStatusSchema }),
  }),
  z.object({
    type: z.literal('tool_result'),
    data: z.strictObject({ toolName: z.string(), ...resultFields }),
  }),
  z.object({
    type: z.literal('skill_call'),
    data: z.strictObject({
      skillId: z.string(),
      skillName: z.string(),
      arguments: z.unknown(),
      status: callStatusSchema,
    }),
  }),
  z.object({
    type: z.literal('skill_result'),
    data: z.strictObject({ skillId: z.string(), skillName: z.string(), ...resultFields }),
  }),
  z.object({
    type: z.literal('mcp_call'),
    data: z.strictObject({
      serverId: z.string(),
      toolName: z.string(),
      arguments: z.unknown(),
      status: callStatusSchema,
    }),
  }),
  z.object({
    type: z.literal('mcp_result'),
    data: z.strictObject({ serverId: z.string(), toolName: z.string(), ...resultFields }),
  }),
  z.object({
    type: z.literal('file'),
    data: z.strictObject({
      url: z.string(),
      filename: z.string(),
      mimeType: z.string(),
      size: z.number().optional().describe('bytes'),
    }),
  }),
])
export type MessageBody = z.infer<typeof messageBodySchema>

/** Data of the `message` event. `id` is unique within the stream, `timestamp` ISO 8601 UTC. */
export const messageEventSchema = z.intersection(
  messageBodySchema,
  z.object({ id: z.string(), timestamp: z.string(), metadata: z.record(z.string(), z.unknown()).optional() }),
)

/**
 * Codes of the terminal `error` event: what failed an execution, and beside it `shutting_down` when a drain ran out,
 * `superseded` when another replica took the session over, `interrupted` when a turn is asked for again (`Idempotency-Key`) that was cut off by a
 * restart or cancelled without a reader.
 */
export const streamErrorCodeSchema = z.union([
  executionErrorCodeSchema,
  z.enum(['shutting_down', 'superseded', 'interrupted']),
])
export type StreamErrorCode = z.infer<typeof streamErrorCodeSchema>

/** Data of the terminal `error` event. `recoverable`: sending the same message again may work. */
export const errorEventSchema = z.strictObject({
  code: streamErrorCodeSchema,
  message: z.string(),
  recoverable: z.boolean(),
  /** who answered, or failed to */
  executionMode: executionModeSchema,
  details: z
    .strictObject({
      phase: executionPhaseSchema.optional(),
      httpStatus: z.number().int().optional(),
      upstreamCode: z
        .string()
        .optional()
        .describe("The backend's own error code and trace id, where it sent them"),
      traceId: z.string().optional(),
      runtime: z
        .strictObject({ code: executionErrorCodeSchema, phase: executionPhaseSchema })
        .optional()
        .describe("The runtime's failure, when it failed first and the direct LLM failed too"),
      stepId: z
        .string()
        .optional()
        .describe(
          'Of the plan step, and `id` of the `message` event of the call, that failed or was at work',
        ),
      callId: z.string().optional(),
    })
    .optional(),
})
export type ErrorEvent = z.infer<typeof errorEventSchema>

export const usageSchema = z.strictObject({
  tokens: z.number().int().describe('Prompt and completion together'),
  latencyMs: z.number().describe("ms from the turn's start to its end"),
  estimated: z
    .boolean()
    .optional()
    .describe('True if the backend gave no count and ours is a guess from the text'),
})

export const failoverSchema = z.strictObject({
  from: executionModeSchema,
  cause: executionErrorCodeSchema,
  phase: executionPhaseSchema,
  afterMs: z.number().describe("ms from the turn's start to the failover"),
})
export type Failover = z.infer<typeof failoverSchema>

/** Why the answer ended, in one vocabulary for every server; `other` for a reason that is none of these. */
export const FINISH_REASONS = ['stop', 'length', 'content_filter', 'tool_calls', 'refusal', 'other'] as const
export const finishReasonSchema = z.enum(FINISH_REASONS)
export type FinishReason = z.infer<typeof finishReasonSchema>

/** Data of the terminal `done` event. `executionMode` is who answered; `decision` what the flags said. */
export const doneEventSchema = z.strictObject({
  sessionId: z.string(),
  messageId: z.string(),
  usage: usageSchema,
  executionMode: executionModeSchema,
  decision: decisionSchema,
  failover: failoverSchema.optional(),
  stopped: z.boolean().optional(),
  finishReason: finishReasonSchema.optional().describe('Absent if the backend told none'),
  attempts: z
    .number()
    .int()
    .optional()
    .describe('Requests sent to backends for this turn: 1 without retry and failover'),
  trimmed: z
    .boolean()
    .optional()
    .describe("The model's context was too small: half of the history was left out"),
  history: z
    .literal('unavailable')
    .optional()
    .describe(
      'The database could not be read or written. The answer may have been given without the conversation before it, and is in the history as soon as the database is back',
    ),
})
export type DoneEvent = z.infer<typeof doneEventSchema>

/** The one event that ends a stream. */
export type TerminalEvent = { event: 'done'; data: DoneEvent } | { event: 'error'; data: ErrorEvent }
