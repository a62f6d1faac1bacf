import { z } from 'zod'
import { turnStatusSchema } from './api.js'
import { failoverSchema, finishReasonSchema, planStepStatusSchema } from './events.js'
import { executionErrorCodeSchema, executionPhaseSchema } from './execution-codes.js'
import { decisionReasonSchema, decisionSchema, executionModeSchema } from './modes.js'

/** Entries of each list that are kept; what comes beyond is counted in `dropped`. */
export const MOST_TRACE_ENTRIES = 100
/** characters of a name */
export const MOST_TRACE_NAME = 100
/** bytes of the whole as JSON in UTF-8 */
export const MOST_TRACE_BYTES = 16_384

/** ms from the turn's start */
const at = z.number().int()
const durationMs = z.number().int()

const requestSchema = z.strictObject({
  endpoint: z.string(),
  at,
  durationMs: durationMs.optional(),
  /** `ok`, `aborted`, or the code of its failure; absent: it never ended */
  cause: z.string().optional(),
})

/** One execution of the turn. Its phases: until `connectedAt` connect, `headersAt` headers, `firstContentAt` first content. */
const attemptSchema = z.strictObject({
  mode: executionModeSchema,
  at,
  connectedAt: at.optional(),
  headersAt: at.optional(),
  firstContentAt: at.optional(),
  durationMs: durationMs.optional(),
  /** absent: it never ended */
  result: z.enum(['ok', 'error', 'timeout', 'rejected', 'aborted']).optional(),
  code: z.string().optional(),
  phase: executionPhaseSchema.optional(),
  /** to the endpoints of the direct LLM, one after the other */
  requests: z.array(requestSchema).optional(),
  /** files of the runtime that were not passed on, for where they are */
  filesDropped: z.number().int().optional(),
})

const stepSchema = z.strictObject({
  stepId: z.string(),
  status: planStepStatusSchema,
  tool: z.string().optional(),
  /** absent: it never began */
  at: at.optional(),
  durationMs: durationMs.optional(),
})

const callSchema = z.strictObject({
  /** `id` of the `message` event with which it began */
  callId: z.string(),
  kind: z.enum(['tool', 'skill', 'mcp']),
  /** of the tool, or the id of the skill */
  name: z.string(),
  /** of MCP */
  serverId: z.string().optional(),
  /** the step that was running */
  stepId: z.string().optional(),
  /** `interrupted`: the turn ended before it did */
  status: z.enum(['running', 'success', 'error', 'interrupted']),
  at,
  durationMs: durationMs.optional(),
})

/** The step or call that failed, or was at work, when a turn failed. */
export const failedAtSchema = z.strictObject({ stepId: z.string().optional(), callId: z.string().optional() })
export type FailedAt = z.infer<typeof failedAtSchema>

/**
 * `GET /chat/sessions/:sessionId/turns/:messageId/trace`: what happened in a turn, without its content: no message, no title, argument,
 * result or error text. `at` is always ms from the turn's start, `startedAt` its instant (ISO 8601 UTC).
 */
export const turnTraceSchema = z.strictObject({
  sessionId: z.string(),
  messageId: z.string(),
  requestId: z.string(),
  /** of OpenTelemetry, where the turn is in a trace */
  traceId: z.string().optional(),
  startedAt: z.string(),
  /** absent where the turn failed before it was decided */
  decision: decisionSchema.optional(),
  /** what the flags said; with the decision */
  flags: z
    .strictObject({
      mode: z.strictObject({ value: executionModeSchema, reason: decisionReasonSchema }),
      shadow: z.boolean(),
      /** the override held for this caller */
      override: z.boolean(),
      /** the guarded rollout was on for this caller; absent in traces of older versions */
      rollout: z.boolean().optional(),
    })
    .optional(),
  attempts: z.array(attemptSchema),
  failover: failoverSchema.optional(),
  steps: z.array(stepSchema),
  calls: z.array(callSchema),
  /** steps and calls that are not listed, because there were too many */
  dropped: z.number().int(),
  end: z.strictObject({
    /** the terminal event: `none` where no reader was left */
    event: z.enum(['done', 'error', 'none']),
    status: turnStatusSchema.exclude(['running']),
    at,
    executionMode: executionModeSchema,
    code: z.string().optional(),
    phase: executionPhaseSchema.optional(),
    failedAt: failedAtSchema.optional(),
    /** why the runtime failed, where the direct LLM failed after it */
    runtime: z.strictObject({ code: executionErrorCodeSchema, phase: executionPhaseSchema }).optional(),
    finishReason: finishReasonSchema.optional(),
    tokens: z.number().int().optional(),
  }),
})
export type TurnTrace = z.infer<typeof turnTraceSchema>
