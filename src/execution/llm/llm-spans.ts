import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { LlmEndpoint } from '../../llm/endpoint.js'

/** Ends the span of a request. `cause`: `ok`, `aborted`, or the code of the failure. */
type EndSpan = (cause: string) => void

/**
 * Starts the span of one request to an endpoint, by OpenTelemetry's conventions for generative AI. Nothing where the process has
 * no tracer (`NODE_OPTIONS` of an OpenTelemetry distribution registers one). Nothing of the content is in it.
 * @param model that the request asks for
 */
export function startLlmSpan({ name, baseUrl }: LlmEndpoint, model: string): EndSpan {
  const { hostname, port, protocol } = new URL(baseUrl)
  const span = trace.getTracer('chat-cutover').startSpan(`chat ${model}`, {
    kind: SpanKind.CLIENT,
    attributes: {
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': model,
      'server.address': hostname,
      'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
      'chat.llm.endpoint': name,
    },
  })
  return (cause) => {
    span.setAttribute('chat.llm.cause', cause)
    if (cause !== 'ok' && cause !== 'aborted') {
      span.setAttribute('error.type', cause)
      span.setStatus({ code: SpanStatusCode.ERROR })
    }
    span.end()
  }
}
