import type { ExecutionErrorCode, ExecutionPhase } from '../protocol/execution-codes.js'

/** What a backend may add to a failure; no message content among it. */
export interface ExecutionErrorDetails {
  readonly httpStatus?: number
  readonly upstreamCode?: string
  readonly traceId?: string
  /** The upstream refused what the user sent, or nothing was sent since all places were taken: no fault of the backend. */
  readonly rejected?: true
  /** the system's code for what this machine lacks: nothing is said about the backend */
  readonly localFault?: string
  /** its name was not resolved */
  readonly isDnsFault?: true
  /** the field of the request that an LLM server refuses */
  readonly refusedParameter?: string
  /** the server does not know the model that it was asked for */
  readonly unknownModel?: true
  /** ms that the server wants to be left alone for (`Retry-After`) */
  readonly retryAfterMs?: number
  /** requests that were sent; absent: one at most */
  readonly attempts?: number
}

/** The one error that crosses the edge of a backend. `message` is for the log, never for the client. */
export class ExecutionError extends Error {
  override readonly name = 'ExecutionError'

  constructor(
    readonly code: ExecutionErrorCode,
    readonly phase: ExecutionPhase,
    message: string,
    readonly timeout: boolean = false,
    readonly details: ExecutionErrorDetails = {},
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}
