import { z } from 'zod'

/**
 * Where in its life an execution was when it failed:
 * `connect` no connection yet, `headers` request sent and no (good) response head yet,
 * `first_content` the response has begun and nothing is committed, `streaming` after the commit point.
 */
export const EXECUTION_PHASES = ['connect', 'headers', 'first_content', 'streaming'] as const
export const executionPhaseSchema = z.enum(EXECUTION_PHASES)
export type ExecutionPhase = z.infer<typeof executionPhaseSchema>

/** Our deadlines; whichever backend missed one. Outcome `timeout`. */
export const DEADLINE_CODES = [
  'connect_timeout',
  'headers_timeout',
  'first_content_timeout',
  'gap_timeout',
  'total_timeout',
] as const

/** Stable codes of a failed execution. Outcome `error`, but `timeout` for the deadlines and `*_timeout`. */
export const EXECUTION_ERROR_CODES = [
  ...DEADLINE_CODES,
  /** Ended well, but nothing that commits ever came. */
  'empty_answer',
  /** No connection, or it broke before a response head: refused, reset, no such host. */
  'runtime_unreachable',
  /** The fallback tripped by health while the turn waited on the runtime. */
  'runtime_unavailable',
  /** The response began and the connection ended before a terminal event. */
  'runtime_disconnected',
  /** 400 or 422: the runtime did not accept our request. */
  'runtime_bad_request',
  /** 401 or 403. */
  'runtime_unauthorized',
  /** 429. */
  'runtime_rate_limited',
  /** Any other status that is not 2xx. */
  'runtime_http_error',
  /** `execution_error` in the stream. */
  'runtime_error',
  /** `execution_error` of a time-out kind. */
  'runtime_timeout',
  /** The runtime says the execution was cancelled, and it was not by us. */
  'runtime_cancelled',
  /** Not an event stream, or ten unparsable events in a row. */
  'runtime_protocol_error',
  /** One frame over the size bound. */
  'runtime_frame_too_large',
  /** An error sent as an ordinary answer (guardrail `softFailures`). */
  'runtime_soft_failure',
  'llm_unreachable',
  'llm_disconnected',
  'llm_bad_request',
  'llm_unauthorized',
  'llm_rate_limited',
  'llm_http_error',
  /** An `error` object in the stream. */
  'llm_error',
  'llm_timeout',
  'llm_protocol_error',
  'llm_frame_too_large',
  /** Nothing but a content filter's word came, or the request was refused for its content. */
  'llm_content_filtered',
  /** The conversation does not fit the model's context, also with half its history. */
  'llm_context_too_long',
  /** All places of the route's endpoints are taken: nothing was sent, and it is nobody's failure. */
  'llm_overloaded',
  /** A fault of ours; the log has the cause. */
  'internal_error',
] as const
export const executionErrorCodeSchema = z.enum(EXECUTION_ERROR_CODES)
export type ExecutionErrorCode = z.infer<typeof executionErrorCodeSchema>

/** Why an execution was given up without being at fault. Outcome `aborted`. */
export const ABORT_CODES = [
  'client_gone',
  'client_too_slow',
  'stopped',
  'shutting_down',
  'superseded',
] as const
export const abortCodeSchema = z.enum(ABORT_CODES)
export type AbortCode = z.infer<typeof abortCodeSchema>
