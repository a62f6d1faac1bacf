import { expect } from 'chai'
import { llmRejects, rejectingCode, runtimeRejects } from '../../../src/execution/refusal/whose-fault.js'

describe('whose fault', () => {
  const usersFault: [string, number, object][] = [
    ['a content filter', 400, { error: { code: 'content_filter', message: 'x' } }],
    ['a policy', 400, { error: { code: 'content_policy_violation' } }],
    ['Azure, inside', 400, { error: { code: 'x', innererror: { code: 'ResponsibleAIPolicyViolation' } } }],
    ['a prompt too long', 400, { error: { code: 'context_length_exceeded', param: 'messages' } }],
    ['a message', 422, { error: { param: 'messages[2].content' } }],
    ['a flat error', 413, { code: 'content_filter' }],
    [
      'a place of FastAPI',
      422,
      { detail: [{ type: 'string_too_long', loc: ['body', 'messages', 1, 'content'] }] },
    ],
    ['a place of Mistral', 422, { object: 'error', message: { detail: [{ loc: ['body', 'messages'] }] } }],
  ]
  for (const [what, status, body] of usersFault)
    it(`is the user's: ${what}`, () => expect(llmRejects(status, body)).to.equal(true))

  const ours: [string, number, unknown][] = [
    ['a temperature', 400, { error: { param: 'temperature' } }],
    ['a model', 400, { error: { code: 'model_not_found', param: 'model' } }],
    ['a key', 401, { error: { code: 'content_filter' } }],
    ['max_tokens', 400, { error: { param: 'max_tokens' } }],
    ['a breakdown', 500, { error: { code: 'content_filter' } }],
    ['no word', 400, undefined],
    ['a missing place', 422, { detail: [{ type: 'missing', loc: ['body', 'messages'] }] }],
    ['a second place', 422, { detail: [{ loc: ['body', 'messages'] }, { loc: ['body', 'top_k'] }] }],
    ['no place', 422, { detail: [] }],
  ]
  for (const [what, status, body] of ours)
    it(`is ours: ${what}`, () => expect(llmRejects(status, body)).to.equal(false))

  it("is the user's where the runtime names the message alone", () => {
    const at = (type: string, ...loc: unknown[]) => ({ type, loc, msg: 'x' })
    const long = at('string_too_long', 'body', 'user_message')
    expect(runtimeRejects(422, { detail: [long] })).to.equal(true)
    expect(runtimeRejects(500, { detail: [long] })).to.equal(false)
    expect(runtimeRejects(422, { detail: [long, at('x', 'body', 'agent_id')] })).to.equal(false)
    expect(runtimeRejects(422, { detail: [at('missing', 'body', 'user_message')] })).to.equal(false)
    expect(runtimeRejects(422, { detail: [] })).to.equal(false)
    expect(runtimeRejects(400, { detail: 'no' })).to.equal(false)
  })

  it("is the user's where the runtime says that a filter refused", () => {
    expect(runtimeRejects(400, { detail: 'Content Exists Risk' })).to.equal(true)
    expect(runtimeRejects(503, { detail: 'Content Exists Risk' })).to.equal(false)
  })

  it('knows codes by themselves', () => {
    expect(rejectingCode('content_filter')).to.equal(true)
    expect(rejectingCode('TIMEOUT')).to.equal(false)
    expect(rejectingCode(undefined)).to.equal(false)
  })
})
