import { type Clock, systemClock } from '../core/clock.js'
import type { LlmEndpoint } from '../llm/endpoint.js'
import type { BackendEvent, ChatBackend, ExecutionCall, Turn } from './backend.js'
import { newestFitting } from './fit-history.js'
import { createHttpClient } from './http-client.js'
import { LlmAnswer } from './llm-answer.js'
import { completionsUrl, endpointHeaders, llmRequestBody, roomForHistory } from './llm-request.js'
import { llmStatusFailure } from './llm-status.js'
import { fenceHeaders } from './shadow-fence.js'
import { transportFailure } from './upstream-failure.js'
import type { UpstreamResponse } from './upstream-response.js'

/** One OpenAI-compatible server as a backend. `close()` ends everything still open. */
export function createDirectLlm(
  endpoint: LlmEndpoint,
  deps: { readonly clock?: Clock } = {},
): ChatBackend & { close(): void } {
  const clock = deps.clock ?? systemClock
  const client = createHttpClient(clock, { outward: true, resend: true })
  const url = completionsUrl(endpoint)
  const ownHeaders = endpointHeaders(endpoint)

  async function* execute(
    turn: Turn,
    call: ExecutionCall,
  ): AsyncGenerator<readonly BackendEvent[], void, undefined> {
    let response: UpstreamResponse | undefined
    let answer: LlmAnswer | undefined
    let complete = false
    const history = newestFitting(turn.history, roomForHistory(turn, endpoint) ?? Number.POSITIVE_INFINITY)
    const trimmed = history.length < turn.history.length
    try {
      response = await client.post({
        url,
        headers: {
          ...ownHeaders,
          accept: 'text/event-stream',
          'x-request-id': turn.requestId,
          ...fenceHeaders(turn),
        },
        body: JSON.stringify(llmRequestBody(turn, endpoint, history)),
        signal: call.signal,
        connectMs: call.connectMs,
        headersMs: call.headersMs,
        onConnected: () => call.onConnected(),
      })
      if (response.status < 200 || response.status > 299) throw await llmStatusFailure(response, url, clock)
      call.onHeaders()
      answer = new LlmAnswer(response, call, clock, { thinkTags: endpoint.thinkTags })
      let batch = await answer.next()
      // With the first of the answer: alone they would count as a sign of life.
      if (trimmed && batch !== undefined) batch = [{ type: 'facts', data: { trimmed } }, ...batch]
      for (; batch !== undefined; batch = await answer.next()) yield batch
      complete = true
    } catch (thrown) {
      throw transportFailure('llm', thrown)
    } finally {
      answer?.close()
      if (complete) response?.release()
      else response?.destroy()
    }
  }

  return { mode: 'direct_llm', execute, close: () => client.close() }
}
