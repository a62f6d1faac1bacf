import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { expect } from 'chai'
import { startLlmSpan } from '../../../src/execution/llm/llm-spans.js'
import { llmEndpoint } from '../../../src/llm/endpoint.js'

const ENDPOINT = llmEndpoint({ name: 'primary', baseUrl: 'https://llm.example/v1', model: 'a-model' })

describe('the span of a request to an LLM endpoint', () => {
  const exporter = new InMemorySpanExporter()
  before(() => {
    const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
    trace.setGlobalTracerProvider(provider)
  })
  after(() => trace.disable())
  afterEach(() => exporter.reset())

  it('names endpoint, model and cause, and is no error where the request ended well or was given up', () => {
    for (const cause of ['ok', 'aborted']) {
      startLlmSpan(ENDPOINT, 'asked-model')(cause)
      const [span] = exporter.getFinishedSpans()
      expect(span?.name).to.equal('chat asked-model')
      expect(span?.kind).to.equal(SpanKind.CLIENT)
      expect(span?.attributes).to.deep.equal({
        'gen_ai.operation.name': 'chat',
        'gen_ai.request.model': 'asked-model',
        'server.address': 'llm.example',
        'server.port': 443,
        'chat.llm.endpoint': 'primary',
        'chat.llm.cause': cause,
      })
      expect(span?.status.code).to.equal(SpanStatusCode.UNSET)
      exporter.reset()
    }
  })

  it('is an error with the code of the failure', () => {
    startLlmSpan(ENDPOINT, 'asked-model')('llm_rate_limited')
    const [span] = exporter.getFinishedSpans()
    expect(span?.status.code).to.equal(SpanStatusCode.ERROR)
    expect(span?.attributes).to.include({ 'error.type': 'llm_rate_limited' })
  })
})

describe('the span of a request where nobody traces', () => {
  it('is nothing', () => {
    startLlmSpan(ENDPOINT, 'asked-model')('ok')
  })
})
