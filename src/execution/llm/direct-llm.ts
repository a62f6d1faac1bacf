import { type Clock, systemClock } from '../../core/clock.js'
import { guarded } from '../../core/guarded.js'
import { type Logger, silentLogger } from '../../core/logger.js'
import type { LlmEndpoint } from '../../llm/endpoint.js'
import { completionsUrl, endpointHeaders } from '../../llm/endpoint-request.js'
import { RefusedParameters } from '../../llm/refused-parameters.js'
import { type BackendEvent, type ChatBackend, logIds } from '../backend.js'
import { createHttpClient } from '../upstream/http-client.js'
import { DirectExecution, type DirectExecutionDeps } from './direct-execution.js'
import { LlmRequests } from './llm-requests.js'

/** remembered at an endpoint: more than profiles name */
const MOST_MODELS = 1000

export interface DirectLlmDeps {
  readonly clock?: Clock
  readonly logger?: Logger
  /** One for the whole process; absent: what this backend learns it keeps to itself. */
  readonly refused?: RefusedParameters
}

/**
 * One OpenAI-compatible server as a backend. A server that refuses a parameter by name is asked once more without it, one
 * for which the prompt is too long with less of the history; all requests of an execution share its `headersMs`.
 * `close()` ends everything still open.
 */
export function createDirectLlm(
  endpoint: LlmEndpoint,
  deps: DirectLlmDeps = {},
): ChatBackend & { close(): void } {
  const { clock = systemClock, logger = silentLogger, refused = new RefusedParameters() } = deps
  const client = createHttpClient(clock, { outward: true, resend: true })
  /** models for which it was told that a conversation was too long */
  const shortened = new Set<string>()
  const shared: DirectExecutionDeps = {
    clock,
    client,
    endpoint,
    url: completionsUrl(endpoint),
    headers: endpointHeaders(endpoint),
    told,
    unreadable: (chunks, turn) =>
      guarded(logger, 'log', () =>
        logger.warn(
          { ...logIds(turn), endpoint: endpoint.name, chunks },
          '[LLM] chunks of an answer could not be read; text may be missing in it',
        ),
      ),
  }

  /** The server answers: what was learnt is kept, and the answer says what it took. With its first batch, never before. */
  function told(requests: LlmRequests): readonly BackendEvent[] {
    for (const parameter of requests.accepted())
      guarded(logger, 'log', () =>
        logger.warn(
          { endpoint: endpoint.name, model: requests.model, parameter },
          '[LLM] the server refuses a parameter; it is left out from now on',
        ),
      )
    tellShortened(requests)
    const { facts } = requests
    return facts === undefined ? [] : [{ type: 'facts', data: facts }]
  }

  /** Once for each model: it may happen in every turn of a long conversation. */
  function tellShortened({ model, shortenedTo: characters }: LlmRequests): void {
    if (characters === undefined || shortened.has(model)) return
    if (shortened.size < MOST_MODELS) shortened.add(model)
    guarded(logger, 'log', () =>
      logger.warn(
        { endpoint: endpoint.name, model, characters },
        '[LLM] a conversation was too long for the server, which took it only cut to this many characters; contextCharacters of the endpoint saves the requests that it refuses',
      ),
    )
  }

  return {
    mode: 'direct_llm',
    execute(turn, call, sink) {
      const requests = new LlmRequests(turn, endpoint, refused)
      const execution = new DirectExecution(turn, call, requests, shared, sink)
      execution.start()
      return execution
    },
    close: () => client.close(),
  }
}
