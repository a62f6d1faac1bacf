import { expect } from 'chai'
import fc from 'fast-check'
import { llmRefusal } from '../../../src/execution/refusal/llm-refusal.js'

const SENT = ['model', 'messages', 'temperature', 'max_tokens', 'stream', 'stream_options', 'seed']

/** A body as a server sends it: the error alone, or in `error`. */
const inError = (message: string, more: object = {}) => ({ error: { message, ...more } })

describe('a refused parameter', () => {
  const named: [server: string, status: number, body: unknown, parameter: string][] = [
    [
      'OpenAI',
      400,
      inError(
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        { type: 'invalid_request_error', param: 'max_tokens', code: 'unsupported_parameter' },
      ),
      'max_tokens',
    ],
    [
      'OpenAI, a value',
      400,
      inError(
        "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.",
        { param: 'temperature', code: 'unsupported_value' },
      ),
      'temperature',
    ],
    ['a path', 400, inError('x', { param: 'stream_options.include_usage' }), 'stream_options'],
    ['Azure', 400, inError('Unrecognized request argument supplied: stream_options'), 'stream_options'],
    [
      'Azure, as extra',
      400,
      inError('Validation error: stream_options: Extra inputs are not permitted'),
      'stream_options',
    ],
    [
      'LiteLLM of 2025',
      400,
      inError('Unrecognized request argument supplied: stream_options', { type: 'None', param: 'None' }),
      'stream_options',
    ],
    ['a flat error', 400, { message: "property 'seed' is unsupported" }, 'seed'],
    ['a text', 400, { error: 'unknown field "stream_options"' }, 'stream_options'],
    ['a plain word', 400, inError('temperature is deprecated for this model.'), 'temperature'],
    [
      'Gemini',
      400,
      inError('Invalid JSON payload received. Unknown name "seed": Cannot find field.'),
      'seed',
    ],
    [
      'FastAPI',
      422,
      {
        detail: [
          { type: 'extra_forbidden', loc: ['body', 'stream_options'], msg: 'Extra inputs are not permitted' },
        ],
      },
      'stream_options',
    ],
    [
      'Mistral',
      422,
      {
        object: 'error',
        message: { detail: [{ type: 'extra_forbidden', loc: ['body', 'stream_options'] }] },
      },
      'stream_options',
    ],
    [
      'Mistral, at the top',
      422,
      {
        object: 'Error',
        detail: [{ type: 'extra_forbidden', loc: ['body', 'seed'] }],
        message: [{ type: 'extra_forbidden', loc: ['body', 'seed'] }],
        code: 3001,
      },
      'seed',
    ],
    [
      'Mistral, as a text',
      422,
      { object: 'error', message: '{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"]}]}' },
      'stream_options',
    ],
    ['a stream', 400, inError('Streaming: stream is not supported', { param: null }), 'stream'],
  ]
  for (const [server, status, body, parameter] of named)
    it(`is told by ${server}`, () => {
      expect(llmRefusal(status, body, SENT)).to.deep.equal({ tooLong: false, parameter })
      expect(llmRefusal(status, body, ['model', 'messages'])).to.deep.equal({ tooLong: false })
      expect(llmRefusal(503, body, SENT)).to.deep.equal({ tooLong: false })
    })

  const other: [what: string, body: unknown][] = [
    ['the messages', inError('temperature must be 1', { param: 'messages[2].content' })],
    ['the model', inError("The model 'x' does not exist", { param: 'model' })],
    [
      'a field of a message',
      { detail: [{ type: 'extra_forbidden', loc: ['body', 'messages', 3, 'user', 'seed'] }] },
    ],
    ['a word by the way', inError('the seed of the stream broke')],
    ['a part of a word', inError('unsupported max_tokens_to_sample')],
    ['nothing', undefined],
    ['a number', 7],
  ]
  for (const [what, body] of other)
    it(`is none where the server names ${what}`, () => {
      expect(llmRefusal(400, body, SENT)).to.deep.equal({ tooLong: false })
    })
})

describe('a prompt that is too long', () => {
  const dialects: [server: string, status: number, body: unknown][] = [
    ['OpenAI', 400, inError('x', { code: 'context_length_exceeded', param: 'messages' })],
    [
      'OpenAI of old',
      400,
      inError("This model's maximum context length is 4097 tokens. However, you requested 5000 tokens"),
    ],
    [
      'vLLM',
      400,
      {
        object: 'error',
        message:
          "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4000 in the messages, 1000 in the completion). Please reduce the length of the messages or completion.",
        type: 'BadRequestError',
        param: null,
        code: 400,
      },
    ],
    [
      'SGLang',
      400,
      {
        object: 'error',
        message: "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
      },
    ],
    ['llama.cpp', 400, inError('x', { type: 'exceed_context_size_error', n_ctx: 4096 })],
    [
      'llama.cpp of old',
      500,
      inError(
        'the request exceeds the available context size. try increasing the context size or enable context shift',
      ),
    ],
    ['Ollama', 400, { error: 'the input length exceeds the context length' }],
    ['Ollama, another', 500, { error: 'prompt too long; exceeded max context length by 12 tokens' }],
    [
      'Anthropic',
      400,
      {
        type: 'error',
        error: {
          type: 'invalid_request_error',
          message: 'prompt is too long: 210000 tokens > 200000 maximum',
        },
      },
    ],
    [
      'Gemini',
      400,
      inError('The input token count (1200000) exceeds the maximum number of tokens allowed (1048575).', {
        status: 'INVALID_ARGUMENT',
      }),
    ],
    [
      'Mistral',
      400,
      {
        object: 'error',
        message:
          'Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length',
        code: '3051',
      },
    ],
    [
      'xAI',
      400,
      {
        code: 'x',
        error: "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
      },
    ],
    [
      'OpenRouter',
      400,
      inError('Provider returned error', {
        code: 400,
        metadata: { raw: '{"error":{"message":"prompt is too long: 5 tokens > 4 maximum"}}' },
      }),
    ],
    [
      'TGI',
      422,
      {
        error: 'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000',
        error_type: 'validation',
      },
    ],
    ['GitHub Models', 413, inError('Request body too large', { code: 'tokens_limit_reached' })],
    [
      'LM Studio',
      400,
      {
        error:
          'Trying to keep the first 4500 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens',
      },
    ],
    ['vLLM of old', 400, { object: 'error', message: 'max_tokens must be at least 1, got -186.', code: 400 }],
    ['Groq', 400, inError('Please reduce the length of the messages or completion.', { param: 'messages' })],
    ['Qwen', 400, inError('Range of input length should be [1, 30720]')],
    ['Moonshot', 400, inError('Invalid request: Your request exceeded model token limit: 8192')],
  ]
  for (const [server, status, body] of dialects)
    it(`is told by ${server}`, () => {
      expect(llmRefusal(status, body, SENT)).to.deep.equal({ tooLong: true })
      expect(llmRefusal(401, body, SENT)).to.deep.equal({ tooLong: false })
    })

  it('may be the limit of the answer that does not fit beside it', () => {
    const message =
      "'max_tokens' or 'max_completion_tokens' is too large: 5000. This model's maximum context length is 4096 tokens and your request has 100 input tokens (5000 > 4096 - 100)."
    expect(llmRefusal(400, inError(message), SENT)).to.deep.equal({ tooLong: true, parameter: 'max_tokens' })
  })
})

it('a refusal is read from any body without a fault', () => {
  fc.assert(
    fc.property(fc.anything(), fc.array(fc.string()), (body, sent) => {
      const { parameter } = llmRefusal(400, body, sent)
      if (parameter !== undefined) expect(sent).to.include(parameter)
    }),
  )
})
