import { type Clock, systemClock } from '../core/clock.js'
import { type Logger, silentLogger } from '../core/logger.js'
import type { LlmEndpoint } from '../llm/endpoint.js'
import { RefusedParameters } from '../llm/refused-parameters.js'
import type { BackendEvent, ChatBackend, ExecutionCall, Turn } from './backend.js'
import { ExecutionError } from './execution-error.js'
import { createHttpClient } from './http-client.js'
import { LlmAnswer } from './llm-answer.js'
import { completionsUrl, endpointHeaders } from './llm-request.js'
import { LlmRequests } from './llm-requests.js'
import { llmStatusFailure } from './llm-status.js'
import { pushed } from './pushed.js'
import { fenceHeaders } from './shadow-fence.js'
import { SharedBudget } from './shared-budget.js'
import { transportFailure } from './upstream-failure.js'
import type { UpstreamResponse } from './upstream-response.js'

export interface DirectLlmDeps {
  readonly clock?: Clock
  readonly logger?: Logger
  /** One for the whole process; absent: what this backend learns it keeps to itself. */
  readonly refused?: RefusedParameters
}

/**
 * One OpenAI-compatible server as a backend. A server that refuses a parameter by name is asked once more without it, one
 * for which the prompt is too long with half the history; all requests of an execution share its `headersMs`.
 * `close()` ends everything still open.
 */
export function createDirectLlm(
  endpoint: LlmEndpoint,
  deps: DirectLlmDeps = {},
): ChatBackend & { close(): void } {
  const { clock = systemClock, logger = silentLogger, refused = new RefusedParameters() } = deps
  const client = createHttpClient(clock, { outward: true, resend: true })
  const url = completionsUrl(endpoint)
  const ownHeaders = endpointHeaders(endpoint)

  async function* answer(
    turn: Turn,
    call: ExecutionCall,
  ): AsyncGenerator<readonly BackendEvent[], void, undefined> {
    const requests = new LlmRequests(turn, endpoint, refused)
    const budget = new SharedBudget(clock, call)
    let response: UpstreamResponse | undefined
    let reading: LlmAnswer | undefined
    let complete = false
    let shown = false
    try {
      while (!complete) {
        try {
          const body = requests.next()
          response = await client.post({
            url,
            headers: {
              ...ownHeaders,
              accept: 'text/event-stream',
              'x-request-id': turn.requestId,
              ...fenceHeaders(turn),
            },
            body: JSON.stringify(body),
            signal: call.signal,
            ...budget.left(),
            onConnected: () => budget.connected(),
          })
          if (response.status < 200 || response.status > 299)
            throw await llmStatusFailure(response, url, clock, Object.keys(body))
          call.onHeaders()
          reading = new LlmAnswer(response, call, clock, { thinkTags: endpoint.thinkTags })
          for (let batch = await reading.next(); batch !== undefined; batch = await reading.next()) {
            if (!shown) batch = [...told(requests), ...batch]
            shown = true
            yield batch
          }
          complete = true
        } catch (thrown) {
          const failure = transportFailure('llm', thrown)
          if (!(failure instanceof ExecutionError)) throw failure
          if (shown || call.signal.aborted || budget.isSpent || !requests.again(failure))
            throw requests.told(failure)
          // A body that was read leaves the connection free for the next request.
          if (reading === undefined) response?.release()
          else response?.destroy()
          reading?.close()
          reading = undefined
        }
      }
    } finally {
      reading?.close()
      if (complete) response?.release()
      else response?.destroy()
    }
  }

  /** The server answers: what was learnt is kept, and the answer says what it took. With its first batch, never before. */
  function told(requests: LlmRequests): readonly BackendEvent[] {
    for (const parameter of requests.accepted())
      logger.warn(
        { endpoint: endpoint.name, model: requests.model, parameter },
        '[LLM] the server refuses a parameter; it is left out from now on',
      )
    const { facts } = requests
    return facts === undefined ? [] : [{ type: 'facts', data: facts }]
  }

  return {
    mode: 'direct_llm',
    execute: (turn, call, sink) => pushed(answer(turn, call), call.signal, sink),
    close: () => client.close(),
  }
}
