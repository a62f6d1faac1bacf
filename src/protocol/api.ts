import { z } from 'zod'
import { finishReasonSchema } from './events.js'
import { decisionReasonSchema, decisionSchema, executionModeSchema } from './modes.js'

/** Requests and answers of the HTTP API; protocol of the SSE events: events.ts. */

export const API_PREFIX = '/api/v1'
/** bytes of a request body */
export const MAX_BODY_BYTES = 1_048_576

export const API_ERROR_CODES = [
  'bad_request',
  'unauthorized',
  /** the keys to verify tokens with cannot be fetched: nothing is known about the token */
  'auth_unavailable',
  'forbidden',
  'not_found',
  /** it was there, and is no longer kept */
  'gone',
  'method_not_allowed',
  'turn_running',
  /** the rollout is in a state, or the operators' flags say something, that this call does not go with */
  'rollout_conflict',
  /** the operators' flags are served by flagd from a file that is not here */
  'flags_elsewhere',
  /** `If-Match` names another content than there is now */
  'precondition_failed',
  /** `If-Match` is missing */
  'precondition_required',
  /** understood, and refused for what would come of it */
  'unprocessable',
  /** the `Idempotency-Key` stands for another request */
  'idempotency_mismatch',
  'payload_too_large',
  'unsupported_media_type',
  'rate_limited',
  /** the tokens of the org's day are used up */
  'quota_exceeded',
  'starting',
  'draining',
  'overloaded',
  'store_unavailable',
  /** the operators' flag file cannot be read or written */
  'flags_unavailable',
  'internal_error',
] as const
export const apiErrorCodeSchema = z.enum(API_ERROR_CODES)
export type ApiErrorCode = z.infer<typeof apiErrorCodeSchema>

export const errorBodySchema = z.strictObject({
  success: z.literal(false),
  error: z.strictObject({
    code: apiErrorCodeSchema,
    message: z.string(),
    details: z.array(z.string()).optional().describe('One line a field for 400, a fault for 422'),
  }),
})
export type ErrorBody = z.infer<typeof errorBodySchema>

export const ROLES = ['member', 'admin', 'owner'] as const
export const roleSchema = z.enum(ROLES)
export type Role = z.infer<typeof roleSchema>

const isNotBlank = (value: string): boolean => value.trim() !== ''
const NOT_BLANK = { error: 'must not be empty', params: { 'zh-CN': '不能为空' } }
const text = z.string().refine(isNotBlank, NOT_BLANK)

/** Fields of chat calls that are not known are ignored: older web clients send some (`parentMessageId`). */
export const startRequestSchema = z.object({
  agentId: z.string().max(200).refine(isNotBlank, NOT_BLANK),
  message: text,
})
export type StartRequest = z.infer<typeof startRequestSchema>

export const turnRequestSchema = z.object({ message: text })
export type TurnRequest = z.infer<typeof turnRequestSchema>

/** How a turn ended; `running` until it does. */
export const TURN_STATUSES = ['running', 'answered', 'stopped', 'failed', 'aborted'] as const
export const turnStatusSchema = z.enum(TURN_STATUSES)
export type TurnStatus = z.infer<typeof turnStatusSchema>

/** `GET /chat/sessions/:sessionId`. Two messages a turn, oldest first; times ISO 8601 UTC. */
export const sessionSchema = z.strictObject({
  sessionId: z.string(),
  agentId: z.string(),
  createdAt: z.string(),
  updatedAt: z.string(),
  messages: z.array(
    z.discriminatedUnion('role', [
      z.strictObject({ id: z.string(), role: z.literal('user'), content: z.string(), createdAt: z.string() }),
      z.strictObject({
        id: z.string(),
        role: z.literal('assistant'),
        content: z.string().describe('Also a partial answer; empty while running or where none came'),
        status: turnStatusSchema,
        executionMode: executionModeSchema.optional(),
        finishReason: finishReasonSchema
          .optional()
          .describe('Why the answer ended, where the backend told it: `length` was cut'),
        createdAt: z.string(),
      }),
    ]),
  ),
})
export type SessionView = z.infer<typeof sessionSchema>

/** Query of `GET /chat/streams/:streamId`. */
export const streamQuerySchema = z.strictObject({
  /** id of the last event that was seen; the header `Last-Event-ID` wins */
  lastEventId: z.string().optional(),
  /** `X-Chat-Stream-Token` of the stream, in place of an `Authorization` header */
  token: z.string().optional(),
})

export const stopResponseSchema = z.strictObject({ stopped: z.boolean() })

/** `GET /health/live`. */
export const liveSchema = z.strictObject({ status: z.literal('live') })
export type LiveView = z.infer<typeof liveSchema>

/** `GET /health/ready`, while the service takes new turns. */
export const readySchema = z.strictObject({
  status: z.literal('ready'),
  flags: z.strictObject({
    resolver: z.enum(['file', 'in-process', 'rpc', 'provider']),
    state: z.enum(['starting', 'ready', 'stale', 'unavailable']),
    faults: z.number().int().describe('How many faults `GET /runtime/flags` lists'),
  }),
})
export type ReadyView = z.infer<typeof readySchema>

/** `GET /runtime/explain`. What is absent is the caller's own org and user, a new session, no agent. */
export const explainQuerySchema = z.strictObject({
  orgId: text.optional(),
  userId: text.optional(),
  sessionId: text.optional(),
  agentId: text.optional(),
})

/** The decision a context would get. `steps` in the order the flags are asked; `decides`: this one settled it. */
export const explanationSchema = z.strictObject({
  context: z.strictObject({
    orgId: z.string(),
    userId: z.string(),
    agentId: z.string(),
    sessionId: z.string(),
  }),
  decision: decisionSchema,
  steps: z.array(
    z.strictObject({
      flag: z.string(),
      value: z.union([z.string(), z.boolean()]),
      reason: decisionReasonSchema.optional(),
      decides: z.boolean(),
      why: z.string().describe("A sentence in the caller's language"),
    }),
  ),
})
export type Explanation = z.infer<typeof explanationSchema>
