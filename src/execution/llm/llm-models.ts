import type { Clock } from '../../core/clock.js'
import { errorCode } from '../../core/errors.js'
import type { LlmEndpoint } from '../../llm/endpoint.js'
import { endpointHeaders, modelsUrl, REFUSED_STATUSES } from '../../llm/endpoint-request.js'
import { TransportError } from '../transport-error.js'
import { createHttpClient } from '../upstream/http-client.js'

/** Whether an LLM endpoint can be used at all. `code`: `http_status`, the system's word (`ECONNREFUSED`), or the transport's. */
export type ModelsAnswer =
  | { readonly usable: true }
  | { readonly usable: false; readonly code: string; readonly status?: number }

/** Asks one endpoint for its models. */
export interface ModelsRequest {
  /** Never rejects; ends when the signal is aborted. */
  ask(signal: AbortSignal): Promise<ModelsAnswer>
  close(): void
}

/** ms */
const CONNECT_MS = 5000
const HEADERS_MS = 10_000
const FIRST_SERVER_FAULT = 500

/**
 * `GET {baseUrl}/models` with the endpoint's key. Answered with the head alone: 404 and 405 come from servers without that
 * list, 429 from a busy one.
 */
export function createModelsRequest(endpoint: LlmEndpoint, clock: Clock): ModelsRequest {
  const client = createHttpClient(clock, { outward: true, resend: true })
  const url = modelsUrl(endpoint)
  const headers = { accept: 'application/json', ...endpointHeaders(endpoint) }
  return {
    async ask(signal) {
      try {
        const response = await client.post({
          url,
          headers,
          signal,
          connectMs: CONNECT_MS,
          headersMs: HEADERS_MS,
        })
        const { status } = response
        response.destroy()
        if (status < FIRST_SERVER_FAULT && !REFUSED_STATUSES.has(status)) return { usable: true }
        return { usable: false, code: 'http_status', status }
      } catch (thrown) {
        return { usable: false, code: codeOf(thrown) }
      }
    },
    close: () => client.close(),
  }
}

function codeOf(thrown: unknown): string {
  if (!(thrown instanceof TransportError)) return 'failed'
  return errorCode(thrown.cause) ?? thrown.fault
}
