import { ExecutionError, type ExecutionErrorDetails } from '../execution-error.js'
import { type Foreign, isForeign, namesTimeout, token } from '../parse/foreign.js'
import { behindGateway } from '../refusal/behind-gateway.js'
import { hasFilterCode, hasFilterText } from '../refusal/content-filter.js'
import { saysTooLong } from '../refusal/llm-refusal.js'

/**
 * The code of an `error` object; its message may quote the prompt and stays out. LiteLLM, llama.cpp, vLLM and Gemini put the HTTP
 * status there, which says nothing more: then its type, or Gemini's `status`.
 */
export function llmErrorCode(error: unknown): string | undefined {
  if (!isForeign(error)) return undefined
  const code = word(error.code)
  if (code !== undefined && !HTTP_STATUS.test(code)) return code
  const status = typeof error.status === 'string' ? word(error.status) : undefined
  return word(error.type) ?? status ?? code
}

/** LiteLLM of 2025 writes Python's `None` as a text. */
function word(value: unknown): string | undefined {
  return value === 'None' ? undefined : token(value, 64)
}

const HTTP_STATUS = /^[45]\d\d$/
/** A gateway that lost its server within an answer says so with the status that it can no longer send. */
const TIMEOUT_STATUSES: ReadonlySet<unknown> = new Set(['408', '504', 408, 504])

/**
 * What a chunk says went wrong, whichever way its server says it; undefined where it says nothing. `""` and `null`
 * are no errors.
 */
export function errorIn(chunk: Foreign): unknown {
  if (chunk.error) return chunk.error
  if (isForeign(chunk.x_groq) && chunk.x_groq.error) return chunk.x_groq.error
  if (chunk.object === 'error') return chunk
  if (chunk.choices !== undefined && chunk.choices !== null) return undefined
  if (chunk.detail) return chunk
  return typeof chunk.message === 'string' && chunk.code !== undefined && chunk.code !== null
    ? chunk
    : undefined
}

/** An error told inside an answer, as ours. */
export function streamError(error: unknown): ExecutionError {
  const code = llmErrorCode(error)
  if ([error, behindGateway(error)].some((told) => hasFilterCode(told) || hasFilterText(told)))
    return contentFiltered(code)
  if (saysTooLong(error)) return contextTooLong(code)
  const timeout = namesTimeout(code) || (isForeign(error) && TIMEOUT_STATUSES.has(error.code))
  const said = `error ${code ?? 'without a code'} in the stream`
  return new ExecutionError(timeout ? 'llm_timeout' : 'llm_error', 'streaming', said, timeout, codeOf(code))
}

/** Not let through: no fault of the backend, and sending it again will not help. */
export function contentFiltered(code?: string, httpStatus?: number): ExecutionError {
  const said = 'the content was filtered'
  const phase = httpStatus === undefined ? 'streaming' : 'headers'
  return new ExecutionError('llm_content_filtered', phase, said, false, {
    ...(httpStatus === undefined ? {} : { httpStatus }),
    ...codeOf(code),
    rejected: true,
  })
}

/** The conversation does not fit the model's context: what the user sent has to be shorter. */
export function contextTooLong(code?: string, details: ExecutionErrorDetails = {}): ExecutionError {
  const phase = details.httpStatus === undefined ? 'streaming' : 'headers'
  const said = "the prompt is longer than the model's context"
  const all = { ...details, ...codeOf(code), rejected: true } as const
  return new ExecutionError('llm_context_too_long', phase, said, false, all)
}

function codeOf(code: string | undefined): { readonly upstreamCode?: string } {
  return code === undefined ? {} : { upstreamCode: code }
}
