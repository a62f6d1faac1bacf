import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { expect } from 'chai'
import { endLlmSpan, startLlmSpan } from '../../../src/execution/llm/llm-spans.js'
import { llmEndpoint } from '../../../src/llm/endpoint.js'
import { spansInMemory } from '../../support/spans.js'

const ENDPOINT = llmEndpoint({ name: 'primary', baseUrl: 'https://llm.example/v1', model: 'a-model' })

describe('the span of a request to an LLM endpoint', () => {
  const { tracing, finished } = spansInMemory()
  const requestEnded = (cause: string) => {
    const within = tracing.begin('attempt', {}, { traceparent: '', tracestate: '' })
    if (within === undefined) throw new Error('nobody traces')
    const span = startLlmSpan(ENDPOINT, 'asked-model', within)
    endLlmSpan(span, cause)
    return finished().at(-1)
  }

  it('names endpoint, model and cause, and is no error where the request ended well or was given up', () => {
    for (const cause of ['ok', 'aborted']) {
      const span = requestEnded(cause)
      expect(span?.name).to.equal('chat asked-model')
      expect(span?.kind).to.equal(SpanKind.CLIENT)
      expect(span?.attributes).to.deep.equal({
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': 'asked-model',
        'server.address': 'llm.example',
        'server.port': 443,
        'chat.llm.endpoint': 'primary',
        'chat.llm.cause': cause,
      })
      expect(span?.status.code).to.equal(SpanStatusCode.UNSET)
    }
  })

  it('is an error with the code of the failure', () => {
    const span = requestEnded('llm_rate_limited')
    expect(span?.status.code).to.equal(SpanStatusCode.ERROR)
    expect(span?.attributes).to.include({ 'error.type': 'llm_rate_limited' })
  })
})
