import type { Clock } from '../../core/clock.js'
import { retryAfterMs } from '../../llm/retry-after.js'
import { ExecutionError, type ExecutionErrorDetails } from '../execution-error.js'
import { isForeign } from '../parse/foreign.js'
import { behindGateway } from '../refusal/behind-gateway.js'
import { hasFilterCode } from '../refusal/content-filter.js'
import { llmRefusal } from '../refusal/llm-refusal.js'
import { type SetupFault, setupFault } from '../refusal/setup-fault.js'
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
  const error = isForeign(body) ? (body.error ?? body) : undefined
  const code = llmErrorCode(error)
  const told = [error, behindGateway(error)]
  if (told.some((one) => hasFilterCode(one) || saysFiltered(status, one)))
    return contentFiltered(code, status)
  const { tooLong, parameter } = llmRefusal(status, body, sent)
  const refused = parameter === undefined ? {} : { refusedParameter: parameter }
  if (tooLong) return contextTooLong(code, { httpStatus: status, ...refused })
  const retryMs = retryAfterMs(response.retryAfter, clock.wall())
  const details = {
    httpStatus: status,
    ...(code === undefined ? {} : { upstreamCode: code }),
    ...refused,
    ...(retryMs === undefined ? {} : { retryAfterMs: retryMs }),
  }
  switch (parameter === undefined ? setupFaultOf(status, told) : undefined) {
    case 'key':
      return setupFailure('llm_unauthorized', 'the server does not accept the key', details)
    case 'model':
      return setupFailure('llm_http_error', 'the server does not know the model', {
        ...details,
        unknownModel: true,
      })
    case undefined:
      return httpFailure('llm', status, [code, hintOf(status)].filter(Boolean).join('; '), {
        ...details,
        ...(llmRejects(status, body) ? { rejected: true } : {}),
      })
  }
}

function setupFaultOf(status: number, told: readonly unknown[]): SetupFault | undefined {
  return told.map((error) => setupFault(status, error)).find((fault) => fault !== undefined)
}

function setupFailure(
  code: 'llm_unauthorized' | 'llm_http_error',
  said: string,
  details: ExecutionErrorDetails,
): ExecutionError {
  return new ExecutionError(code, 'headers', `HTTP ${details.httpStatus}: ${said}`, false, details)
}

/** What an operator looks at first. */
function hintOf(status: number): string | undefined {
  return status === 404 || status === 405
    ? 'is the base URL right? It ends before /chat/completions'
    : undefined
}
