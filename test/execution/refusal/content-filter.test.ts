import { expect } from 'chai'
import { createDirectLlm } from '../../../src/execution/llm/direct-llm.js'
import { llmEndpoint } from '../../../src/llm/endpoint.js'
import { executed } from '../../support/executed.js'
import { useNock } from '../../support/nock.js'

/** What servers were seen to answer, and what of it is a filter's refusal. */
const REFUSED: [string, number, unknown][] = [
  ['OpenAI', 400, { error: { code: 'content_policy_violation', message: 'x' } }],
  [
    'OpenAI, in words',
    400,
    {
      error: {
        code: 'invalid_prompt',
        message: 'Invalid prompt: your prompt was flagged as potentially violating our usage policy.',
      },
    },
  ],
  ['Azure', 400, { error: { code: 'content_filter', innererror: { code: 'ResponsibleAIPolicyViolation' } } }],
  [
    'Azure, inside alone',
    400,
    { error: { code: 'x', innererror: { code: 'ResponsibleAIPolicyViolation' } } },
  ],
  [
    'Azure, in words',
    400,
    {
      error: {
        message:
          "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
      },
    },
  ],
  [
    'DeepSeek',
    400,
    {
      error: { message: 'Content Exists Risk', type: 'invalid_request_error', code: 'invalid_request_error' },
    },
  ],
  ['DeepSeek, flat', 400, { detail: 'Content Exists Risk' }],
  ['DashScope', 400, { error: { code: 'data_inspection_failed', message: 'x' } }],
  [
    'DashScope, in words',
    400,
    { error: { message: 'Input data may contain inappropriate content. For details, see: …' } },
  ],
  [
    'Anthropic',
    400,
    {
      type: 'error',
      error: { type: 'invalid_request_error', message: 'Output blocked by content filtering policy' },
    },
  ],
  ['Moonshot', 400, { error: { code: 400, type: 'content_filter', message: 'x' } }],
  [
    'Moonshot, in words',
    400,
    { error: { message: 'The request was rejected because it was considered high risk' } },
  ],
  [
    'Zhipu',
    400,
    {
      error: {
        code: '1301',
        message: '系统检测到输入或生成内容可能包含不安全或敏感内容，请您避免输入易产生敏感内容的提示语。',
      },
    },
  ],
]
const OTHERS: [string, number, unknown][] = [
  ['a model', 400, { error: { message: 'The model does not exist' } }],
  [
    'a quotation of the user',
    400,
    { error: { message: 'invalid role in "what does content exists risk mean?"' } },
  ],
  ['a breakdown', 500, { error: { message: 'Content Exists Risk' } }],
  ['no words', 400, { error: {} }],
]

describe('a content filter', () => {
  const nock = useNock()
  const backend = createDirectLlm(llmEndpoint({ baseUrl: 'http://llm.test/v1', model: 'm' }))
  after(() => backend.close())

  async function failure(status: number, body: unknown, type = 'application/json') {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    nock('http://llm.test').post('/v1/chat/completions').reply(status, text, { 'content-type': type })
    return (await executed(backend)).error
  }

  for (const [server, status, body] of REFUSED)
    it(`is known by the refusal of ${server}`, async () => {
      const error = await failure(status, body)
      expect(error).to.deep.include({ code: 'llm_content_filtered' })
      expect(error?.details).to.deep.include({ rejected: true, httpStatus: status })
    })

  for (const [what, status, body] of OTHERS)
    it(`is not blamed for ${what}`, async () => {
      const error = await failure(status, body)
      expect(error?.code).not.to.equal('llm_content_filtered')
      expect(error?.details.rejected).to.equal(undefined)
    })

  for (const [server, , body] of REFUSED)
    it(`is known after a good status too: ${server}`, async () => {
      const error = await failure(
        200,
        `data: ${JSON.stringify(body)}\n\ndata: [DONE]\n\n`,
        'text/event-stream',
      )
      expect(error?.code).to.equal('llm_content_filtered')
    })
})
