import { expect } from 'chai'
import { llmStatusFailure } from '../../../src/execution/openai/llm-status.js'
import type { ByteSink } from '../../../src/execution/upstream/byte-source.js'
import type { UpstreamResponse } from '../../../src/execution/upstream/upstream-response.js'
import { manualClock } from '../../support/manual-clock.js'

const HOST = 'http://llm.example/v1/chat/completions'

interface Answer {
  readonly location?: string
  readonly retryAfter?: string
  readonly sent?: readonly string[]
}

/** What a response of that status and body comes to. */
async function failureOf(status: number, body: unknown, { sent, ...head }: Answer = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = {
    status,
    contentType: 'application/json',
    contentEncoding: '',
    ...head,
    listen(sink: ByteSink) {
      sink.data(Buffer.from(text))
      sink.end()
    },
    pause: () => undefined,
    resume: () => undefined,
    close: () => undefined,
    destroy: () => undefined,
  }
  const { code, phase, message, timeout, details } = await llmStatusFailure(
    response as unknown as UpstreamResponse,
    HOST,
    manualClock(),
    ...(sent === undefined ? [] : [sent]),
  )
  return { code, phase, message, timeout, details }
}

describe('a status of the LLM that is not 2xx', () => {
  it('tells its code and when to try again', async () => {
    const error = { code: 'overloaded', type: 'server_error', message: 'secret' }
    expect(await failureOf(503, { error }, { retryAfter: '2' })).to.deep.equal({
      code: 'llm_http_error',
      phase: 'headers',
      message: 'HTTP 503: overloaded',
      timeout: false,
      details: { httpStatus: 503, upstreamCode: 'overloaded', retryAfterMs: 2000 },
    })
    expect((await failureOf(503, { error: { type: 'server_error' } })).details).to.deep.equal({
      httpStatus: 503,
      upstreamCode: 'server_error',
    })
  })

  it('is told without a code where the body has none, or cannot be read', async () => {
    for (const body of [
      'busy',
      'null',
      '5',
      '[]',
      { error: 'secret' },
      { error: { code: 'not a code' } },
      {},
    ])
      expect(await failureOf(500, body), JSON.stringify(body)).to.deep.equal({
        code: 'llm_http_error',
        phase: 'headers',
        message: 'HTTP 500',
        timeout: false,
        details: { httpStatus: 500 },
      })
  })

  it('reads the first of a list', async () => {
    expect((await failureOf(500, [{ error: { code: 7 } }, { error: { code: 8 } }])).details).to.deep.equal({
      httpStatus: 500,
      upstreamCode: '7',
    })
  })

  it('of a redirect says where it points, without secrets', async () => {
    for (const status of [300, 302, 399]) {
      const failure = await failureOf(status, '', { location: 'https://u:p@other.example/x?key=1' })
      expect(failure.message).to.equal('redirected to https://other.example/x')
      expect(failure).to.deep.include({ code: 'llm_http_error', phase: 'headers', timeout: false })
      expect(failure.details).to.deep.equal({ httpStatus: status })
    }
    expect((await failureOf(301, '')).message).to.equal('redirected to nowhere')
    expect((await failureOf(400, '', { location: '/x' })).message).to.equal('HTTP 400')
  })

  it('says that the content was filtered, by code or in words', async () => {
    for (const error of [
      { code: 'content_filter' },
      { code: 'bad_request', innererror: { code: 'ResponsibleAIPolicyViolation' } },
      { code: 'bad_request', message: 'Content Exists Risk' },
    ]) {
      const { code, phase, details } = await failureOf(400, { error })
      expect({ code, phase, details }).to.deep.equal({
        code: 'llm_content_filtered',
        phase: 'headers',
        details: { httpStatus: 400, upstreamCode: error.code, rejected: true },
      })
    }
    expect((await failureOf(400, { code: 'content_filter' })).code).to.equal('llm_content_filtered')
    expect((await failureOf(400, { message: 'Content Exists Risk' })).details).to.deep.equal({
      httpStatus: 400,
      rejected: true,
    })
    expect((await failureOf(503, { error: { message: 'Content Exists Risk' } })).code).to.equal(
      'llm_http_error',
    )
  })

  it('says that the conversation is too long', async () => {
    const error = { code: 'context_length_exceeded', message: 'secret' }
    expect(await failureOf(400, { error })).to.deep.include({
      code: 'llm_context_too_long',
      phase: 'headers',
      timeout: false,
      message: "the prompt is longer than the model's context",
      details: { httpStatus: 400, upstreamCode: 'context_length_exceeded', rejected: true },
    })
  })

  it('names the field of the request that is refused', async () => {
    const error = { code: 'unsupported_parameter', param: 'max_tokens', message: 'x' }
    const { details } = await failureOf(400, { error }, { sent: ['model', 'max_tokens'] })
    expect(details).to.deep.equal({
      httpStatus: 400,
      upstreamCode: 'unsupported_parameter',
      refusedParameter: 'max_tokens',
    })
    expect((await failureOf(400, { error })).details).to.not.have.property('refusedParameter')
  })

  it('is no fault of the backend where what the user sent is refused', async () => {
    const { code, details } = await failureOf(400, { error: { code: 'invalid_prompt' } })
    expect(code).to.equal('llm_bad_request')
    expect(details).to.deep.equal({ httpStatus: 400, upstreamCode: 'invalid_prompt', rejected: true })
  })
})
