import type { Clock } from '../../core/clock.js'
import { retryAfterMs } from '../../llm/retry-after.js'
import { ExecutionError } from '../execution-error.js'
import { isForeign } from '../parse/foreign.js'
import { hasFilterCode } from '../refusal/content-filter.js'
import { llmRefusal } from '../refusal/llm-refusal.js'
import { llmRejects, saysFiltered } from '../refusal/whose-fault.js'
import { readErrorBody } from '../upstream/bounded-body.js'
import { pointedTo } from '../upstream/redirect.js'
import { httpFailure } from '../upstream/upstream-failure.js'
import type { UpstreamResponse } from '../upstream/upstream-response.js'
import { contentFiltered, contextTooLong, llmErrorCode } from './llm-error.js'

/** What a status that is not 2xx means; its body is read as far as it helps. @param sent the fields of the request */
export async function llmStatusFailure(
  response: UpstreamResponse,
  url: string,
  clock: Clock,
  sent: readonly string[] = [],
): Promise<ExecutionError> {
  const { status } = response
  if (status >= 300 && status <= 399) {
    const said = `redirected to ${pointedTo(response.location, url)}`
    return new ExecutionError('llm_http_error', 'headers', said, false, { httpStatus: status })
  }
  const read = await readErrorBody(response, clock)
  // Gemini tells it in a list.
  const body: unknown = Array.isArray(read) ? read[0] : read
  const code = isForeign(body) ? llmErrorCode(body.error) : undefined
  const error = isForeign(body) ? (body.error ?? body) : undefined
  if (hasFilterCode(error) || saysFiltered(status, error)) return contentFiltered(code, status)
  const { tooLong, parameter } = llmRefusal(status, body, sent)
  const refused = parameter === undefined ? {} : { refusedParameter: parameter }
  if (tooLong) return contextTooLong(code, { httpStatus: status, ...refused })
  const retryMs = retryAfterMs(response.retryAfter, clock.wall())
  return httpFailure('llm', status, code ?? '', {
    ...(code === undefined ? {} : { upstreamCode: code }),
    ...(llmRejects(status, body) ? { rejected: true } : {}),
    ...refused,
    ...(retryMs === undefined ? {} : { retryAfterMs: retryMs }),
  })
}
