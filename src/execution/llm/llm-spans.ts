import { SpanKind } from '@opentelemetry/api'
import type { TraceSpan } from '../../core/tracing/trace-span.js'
import type { LlmEndpoint } from '../../llm/endpoint.js'

/**
 * Starts the span of one request to an endpoint, by OpenTelemetry's conventions for generative AI. Nothing of the content is in it.
 * @param model that the request asks for
 * @param within the span of the execution
 */
export function startLlmSpan({ name, baseUrl }: LlmEndpoint, model: string, within: TraceSpan): TraceSpan {
  const { hostname, port, protocol } = new URL(baseUrl)
  return within.child(`chat ${model}`, {
    kind: SpanKind.CLIENT,
    attributes: {
      'gen_ai.operation.name': 'chat',
      // By the protocol: who stands behind an OpenAI-compatible address is not known.
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': model,
      'server.address': hostname,
      'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
      'chat.llm.endpoint': name,
    },
  })
}

/** @param cause `ok`, `aborted`, or the code of the failure */
export function endLlmSpan(span: TraceSpan, cause: string): void {
  span.set({ 'chat.llm.cause': cause })
  if (cause !== 'ok' && cause !== 'aborted') span.fail(cause)
  span.end()
}
