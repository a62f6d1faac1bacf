import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { createDirectLlm } from '../../../src/execution/llm/direct-llm.js'
import { llmEndpoint } from '../../../src/llm/endpoint.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { executed } from '../../support/executed.js'
import { sampleTurn } from '../../support/sample-turn.js'

/** Answers as real servers sent them, to the byte: LiteLLM's proxy 1.108.7 and 1.63.14 (of 2025), llama.cpp's server (xllamacpp 2026.10.11549), Portkey's gateway 1.15.2, LLMock 0.2.2. */

const litellm = (message: string, code: string, type = 'invalid_request_error', param = 'null'): string =>
  `{"error":{"message":${JSON.stringify(message)},"type":"${type}","param":${param},"code":"${code}"}}`
const group = (name: string): string =>
  `\n\nLiteLLM: model group '${name}' failed with the error above. No fallback was attempted.`

/** Its type and param are `null`, or the text `None`. */
const litellm2025 = (message: string, model: string, code: string): string =>
  `{"error":{"message":${JSON.stringify(`${message}. Received Model Group=${model}\nAvailable Model Group Fallbacks=None`)},"type":null,"param":null,"code":"${code}"}}`

interface Refused {
  readonly says: string
  readonly status: number
  readonly body: string
  readonly comes: object
  /** of the log line */
  readonly log?: string
}

const UNKNOWN = 'the server does not know the model'
const KEY = 'the server does not accept the key'

const refusals: readonly Refused[] = [
  {
    says: 'LiteLLM: a model that is in none of its groups',
    status: 400,
    body: '{"error":{"message":"/chat/completions: Invalid model name passed in model=nosuch. Call `/v1/models` to view available models for your key.","type":"invalid_request_error","param":null,"code":"400","provider_specific_fields":{"error":"/chat/completions: Invalid model name passed in model=nosuch. Call `/v1/models` to view available models for your key."}}}',
    comes: {
      code: 'llm_http_error',
      details: { httpStatus: 400, upstreamCode: 'invalid_request_error', unknownModel: true },
    },
    log: `HTTP 400: ${UNKNOWN}`,
  },
  {
    says: 'LiteLLM: a model that the server behind it does not have',
    status: 404,
    body: litellm(
      `litellm.NotFoundError: NotFoundError: OpenAIException - The model \`gpt-9\` does not exist or you do not have access to it.${group('f-404')}`,
      '404',
    ),
    comes: {
      code: 'llm_http_error',
      details: { httpStatus: 404, upstreamCode: 'invalid_request_error', unknownModel: true },
    },
    log: `HTTP 404: ${UNKNOWN}`,
  },
  {
    says: 'LiteLLM of 2025: a model that is in none of its groups',
    status: 400,
    body: `{"error":{"message":"{'error': '/chat/completions: Invalid model name passed in model=nosuch. Call \`/v1/models\` to view available models for your key.'}","type":"None","param":"None","code":"400"}}`,
    comes: {
      code: 'llm_http_error',
      details: { httpStatus: 400, upstreamCode: '400', unknownModel: true },
    },
    log: `HTTP 400: ${UNKNOWN}`,
  },
  {
    says: 'LiteLLM of 2025: a model that the server behind it does not have',
    status: 400,
    body: litellm2025('litellm.BadRequestError: MistralException - Model Not Exist', 'dsmodel', '400'),
    comes: { code: 'llm_http_error', details: { httpStatus: 400, upstreamCode: '400', unknownModel: true } },
  },
  {
    says: "LiteLLM of 2025: another server's filter, quoted as JSON",
    status: 400,
    body: litellm2025(
      'litellm.BadRequestError: DeepseekException - {"error": {"message": "Content Exists Risk", "type": "invalid_request_error", "param": null, "code": "invalid_request_error"}}',
      'deepseek',
      '400',
    ),
    comes: {
      code: 'llm_content_filtered',
      details: { httpStatus: 400, upstreamCode: '400', rejected: true },
    },
  },
  {
    says: 'LiteLLM of 2025: a wrong key',
    status: 401,
    body: '{"error":{"message":"Authentication Error, No connected db.","type":"auth_error","param":"None","code":"401"}}',
    comes: { code: 'llm_unauthorized', details: { httpStatus: 401, upstreamCode: 'auth_error' } },
  },
  {
    says: 'LiteLLM without a database: another key than its master key',
    status: 400,
    body: '{"error":{"message":"No connected db.","type":"no_db_connection","param":null,"code":"400"}}',
    comes: { code: 'llm_unauthorized', details: { httpStatus: 400, upstreamCode: 'no_db_connection' } },
    log: `HTTP 400: ${KEY}`,
  },
  {
    says: 'llama.cpp: a wrong key',
    status: 401,
    body: '{"error":{"message":"Invalid API Key","type":"authentication_error","code":401}}',
    comes: { code: 'llm_unauthorized', details: { httpStatus: 401, upstreamCode: 'authentication_error' } },
    log: 'HTTP 401: authentication_error',
  },
  {
    says: 'LiteLLM: a wrong key at the server behind it',
    status: 401,
    body: litellm(
      `litellm.AuthenticationError: AuthenticationError: OpenAIException - Invalid API Key${group('tiny-wrongkey')}`,
      '401',
      'authentication_error',
    ),
    comes: { code: 'llm_unauthorized', details: { httpStatus: 401, upstreamCode: 'authentication_error' } },
  },
  {
    says: 'LiteLLM: too long, without the words of the server behind it',
    status: 400,
    body: litellm(
      `litellm.ContextWindowExceededError: litellm.BadRequestError: this is a mock context window exceeded error\nmodel=mock-ctx. context_window_fallbacks=None. fallbacks=None.\n\nSet 'context_window_fallback' - https://docs.litellm.ai/docs/routing#fallbacks${group('mock-ctx')}`,
      '400',
    ),
    comes: {
      code: 'llm_context_too_long',
      details: { httpStatus: 400, upstreamCode: 'invalid_request_error', rejected: true },
    },
  },
  {
    says: 'llama.cpp: too long',
    status: 400,
    body: '{"error":{"code":400,"message":"request (26019 tokens) exceeds the available context size (256 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":26019,"n_ctx":256}}',
    comes: {
      code: 'llm_context_too_long',
      details: { httpStatus: 400, upstreamCode: 'exceed_context_size_error', rejected: true },
    },
  },
  {
    says: "LiteLLM: another server's content filter, in words",
    status: 400,
    body: litellm(`litellm.BadRequestError: OpenAIException - Content Exists Risk${group('risk')}`, '400'),
    comes: {
      code: 'llm_content_filtered',
      details: { httpStatus: 400, upstreamCode: 'invalid_request_error', rejected: true },
    },
  },
  {
    says: "LiteLLM: another server's filter, quoted as JSON",
    status: 400,
    body: litellm(
      `litellm.BadRequestError: Hosted_vllmException - {"error": {"message": "x", "type": "invalid_request_error", "param": null, "code": "content_filter"}}${group('filtercode')}`,
      '400',
    ),
    comes: {
      code: 'llm_content_filtered',
      details: { httpStatus: 400, upstreamCode: 'invalid_request_error', rejected: true },
    },
  },
  {
    says: 'LiteLLM: a model that the server behind it does not have, quoted as JSON',
    status: 400,
    body: litellm(
      `litellm.BadRequestError: MistralException - {"error": {"message": "Model Not Exist", "type": "invalid_request_error", "param": null, "code": "invalid_request_error"}}${group('dsmodel')}`,
      '400',
    ),
    comes: {
      code: 'llm_http_error',
      details: { httpStatus: 400, upstreamCode: 'invalid_request_error', unknownModel: true },
    },
  },
  {
    says: 'Portkey: the filter of the server behind it',
    status: 400,
    body: '{"error":{"message":"openai error: Content Exists Risk","type":"invalid_request_error","param":null,"code":"invalid_request_error"},"provider":"openai"}',
    comes: {
      code: 'llm_content_filtered',
      details: { httpStatus: 400, upstreamCode: 'invalid_request_error', rejected: true },
    },
  },
  {
    says: 'Portkey: a model that the server behind it does not have, quoted as JSON',
    status: 400,
    body: '{"error":{"message":"Invalid response received from deepseek: {\\"error\\":{\\"message\\":\\"Model Not Exist\\",\\"type\\":\\"invalid_request_error\\",\\"param\\":null,\\"code\\":\\"invalid_request_error\\"}}","type":null,"param":null,"code":null},"provider":"deepseek"}',
    comes: { code: 'llm_http_error', details: { httpStatus: 400, unknownModel: true } },
  },
  {
    says: 'LiteLLM: a limit of a model',
    status: 429,
    body: litellm(
      `litellm.RateLimitError: Model rate limit exceeded. RPM limit=2, current usage=5${group('limited')}`,
      '429',
      'throttling_error',
    ),
    comes: { code: 'llm_rate_limited', details: { httpStatus: 429, upstreamCode: 'throttling_error' } },
    log: 'HTTP 429: throttling_error',
  },
  {
    says: 'LiteLLM: no server behind it',
    status: 500,
    body: litellm(
      `litellm.InternalServerError: InternalServerError: OpenAIException - Connection error.${group('dead')}`,
      '500',
      'internal_server_error',
    ),
    comes: { code: 'llm_http_error', details: { httpStatus: 500, upstreamCode: 'internal_server_error' } },
    log: 'HTTP 500: internal_server_error',
  },
  {
    says: 'llama.cpp: a path that is not there',
    status: 404,
    body: '{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}',
    comes: { code: 'llm_http_error', details: { httpStatus: 404, upstreamCode: 'not_found_error' } },
    log: 'HTTP 404: not_found_error; is the base URL right? It ends before /chat/completions',
  },
  {
    says: 'LiteLLM: a path that is not there',
    status: 404,
    body: '{"detail":"Not Found"}',
    comes: { code: 'llm_http_error', details: { httpStatus: 404 } },
    log: 'HTTP 404: is the base URL right? It ends before /chat/completions',
  },
]

const midStream: readonly (readonly [says: string, data: string, comes: object])[] = [
  [
    'LiteLLM: the server behind it said an error',
    '{"error": {"message": "litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached", "type": "throttling_error", "param": null, "code": "429"}}',
    { code: 'llm_error', timeout: false, details: { upstreamCode: 'throttling_error' } },
  ],
  [
    'LiteLLM: the server behind it was silent for too long',
    '{"error": {"message": "litellm.Timeout: APITimeoutError - Request timed out. Error_str: Request timed out.", "type": null, "param": null, "code": "408"}}',
    { code: 'llm_timeout', timeout: true, details: { upstreamCode: '408' } },
  ],
  [
    'LiteLLM: the server behind it failed without a code',
    '{"error": {"message": "litellm.APIConnectionError: APIConnectionError: OpenAIException - CUDA out of memory", "type": null, "param": null, "code": "500"}}',
    { code: 'llm_error', timeout: false, details: { upstreamCode: '500' } },
  ],
]

describe('what real servers sent', () => {
  let server: Server
  let backend: ReturnType<typeof createDirectLlm>
  const log = capturingLogger()
  let answer: { status: number; type: string; body: string }

  before(async () => {
    server = createServer((request, response) => {
      request.resume()
      response.writeHead(answer.status, { 'content-type': answer.type }).end(answer.body)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    backend = createDirectLlm(llmEndpoint({ baseUrl: `http://127.0.0.1:${port}/v1`, model: 'm' }), log)
  })
  after(async () => {
    backend.close()
    await new Promise((resolve) => server.close(resolve))
  })

  for (const { says, status, body, comes, log } of refusals)
    it(says, async () => {
      answer = { status, type: 'application/json', body }
      const { error } = await executed(backend)
      expect(error).to.deep.include(comes)
      if (log !== undefined) expect(error?.message).to.equal(log)
    })

  for (const [says, data, comes] of midStream)
    it(`within an answer: ${says}`, async () => {
      const chunk = 'data: {"choices":[{"index":0,"delta":{"content":"Hello"}}]}'
      answer = {
        status: 200,
        type: 'text/event-stream',
        body: `${chunk}\n\ndata: ${data}\n\ndata: [DONE]\n\n`,
      }
      const { text, error } = await executed(backend)
      expect(text).to.equal('Hello')
      expect(error).to.deep.include(comes)
    })

  it("llama.cpp: a client's schema that it cannot use is the client's fault", async () => {
    answer = {
      status: 400,
      type: 'application/json',
      body: '{"error":{"code":400,"message":"Unable to generate parser for this template. Automatic parser generation failed: JSON schema error at #: unrecognized type nonsense","type":"invalid_request_error"}}',
    }
    const parameters = {
      response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'nonsense' } } },
    } as const
    const { error } = await executed(backend, sampleTurn({ parameters }))
    expect(error).to.deep.include({
      code: 'llm_bad_request',
      details: {
        httpStatus: 400,
        upstreamCode: 'invalid_request_error',
        rejected: true,
        refusedParameter: 'response_format',
      },
    })
    const without = await executed(backend)
    expect(without.error?.details).to.deep.equal({ httpStatus: 400, upstreamCode: 'invalid_request_error' })
  })

  it('LLMock: a chunk that is no JSON is skipped, and the log says so', async () => {
    const chunk = (delta: string, reason = 'null'): string =>
      `data: {"id":"chatcmpl-6295","object":"chat.completion.chunk","created":1795962886,"model":"gpt-4o-mini","system_fingerprint":null,"choices":[{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${reason}}],"usage":null}\n\n`
    const good = [chunk('{"content":"Hello! "}'), chunk('{"content":"request"}'), chunk('{}', '"stop"')]
    const broken = 'data: {"llmock": "malformed\n\n'
    answer = { status: 200, type: 'text/event-stream', body: [...good, 'data: [DONE]\n\n'].join('') }
    await executed(backend)
    answer.body = [good[0], broken, good[1], good[2], broken, 'data: [DONE]\n\n'].join('')
    const { text, error } = await executed(backend)
    expect({ text, error }).to.deep.equal({ text: 'Hello! request', error: undefined })
    expect(log.lines).to.have.length(1)
    expect(log.lines[0]).to.include({
      endpoint: 'default',
      chunks: 1,
      msg: '[LLM] chunks of an answer could not be read; text may be missing in it',
    })
  })

  it("llama.cpp: a whole answer, with the server's own fields and the usage in a chunk without choices", async () => {
    const chunk = (choices: string, more = ''): string =>
      `data: {"choices":[${choices}],"created":1795962052,"id":"chatcmpl-IT9","model":"tiny","system_fingerprint":"b0-unknown","object":"chat.completion.chunk"${more}}\n\n`
    answer = {
      status: 200,
      type: 'text/event-stream',
      body: [
        chunk('{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}'),
        chunk('{"finish_reason":null,"index":0,"delta":{"content":"r"}}'),
        chunk('{"finish_reason":null,"index":0,"delta":{"content":" dog"}}'),
        chunk('{"finish_reason":"length","index":0,"delta":{}}'),
        chunk(
          '',
          ',"usage":{"completion_tokens":2,"prompt_tokens":26,"total_tokens":28,"prompt_tokens_details":{"cached_tokens":0}},"timings":{"cache_n":0,"prompt_n":26,"prompt_ms":0.748}',
        ),
        'data: [DONE]\n\n',
      ].join(''),
    }
    const { text, events, error } = await executed(backend)
    expect({ text, error }).to.deep.equal({ text: 'r dog', error: undefined })
    expect(events.slice(-2)).to.deep.equal([
      { type: 'facts', data: { finishReason: 'length' } },
      { type: 'usage', data: { tokens: 28, estimated: false, promptTokens: 26, completionTokens: 2 } },
    ])
  })
})
