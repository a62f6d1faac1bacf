import { expect } from 'chai'
import fc from 'fast-check'
import { AnswerParts } from '../../../src/http/openai/answer-parts.js'
import { chunkJson } from '../../../src/http/openai/completion-json.js'
import type { MessageBody } from '../../../src/protocol/events.js'
import { chatCompletionChunkSchema, OPENAI_EVENTS } from '../../../src/protocol/openai.js'
import { codePoint } from '../../support/code-point.js'

const HEAD = { id: 'chatcmpl-1', created: 1, model: 'm "x"' }
const word = fc.string({ maxLength: 300, unit: codePoint })

const bodies: fc.Arbitrary<MessageBody> = fc.oneof(
  fc.record({ type: fc.constant('text' as const), data: fc.record({ content: word }) }),
  fc.record({
    type: fc.constant('thinking' as const),
    data: fc.record({ content: word, stage: word }, { requiredKeys: ['content'] }),
  }),
  fc.record({
    type: fc.constant('plan' as const),
    data: fc.record({
      steps: fc.array(fc.record({ id: word, title: word, status: fc.constant('pending' as const) })),
      currentStep: fc.constant(0),
    }),
  }),
  fc.record({
    type: fc.constant('plan_step' as const),
    data: fc.record({
      stepId: word,
      title: word,
      status: fc.constantFrom('pending', 'running', 'completed', 'failed', 'skipped'),
      error: word,
    }),
  }),
  fc.record({
    type: fc.constant('mcp_call' as const),
    data: fc.record({
      serverId: word,
      toolName: word,
      arguments: fc.jsonValue(),
      status: fc.constant('calling' as const),
    }),
  }),
  fc.record({
    type: fc.constant('skill_result' as const),
    data: fc.record({ skillId: word, skillName: word, result: fc.jsonValue(), success: fc.boolean() }),
  }),
)

describe('the parts of an answer for OpenAI clients', () => {
  it('are chunks of the public schema, one line each, whatever the events hold', () => {
    fc.assert(
      fc.property(fc.array(bodies), fc.constantFrom(...OPENAI_EVENTS), fc.boolean(), (all, events, usage) => {
        const parts = new AnswerParts(events, 'en')
        const json = chunkJson(HEAD, usage)
        for (const part of all.flatMap((body) => parts.of(body) ?? [])) {
          const line = json.part(part)
          expect(line).to.not.match(/[\n\r\u0085\u2028\u2029]/)
          const { choices } = chatCompletionChunkSchema.parse(JSON.parse(line))
          expect(choices[0]?.delta).to.deep.equal({ [part.field]: part.text })
        }
      }),
    )
  })

  it('have all text as content, in order, and nothing else but files', () => {
    fc.assert(
      fc.property(fc.array(bodies), fc.constantFrom(...OPENAI_EVENTS), (all, events) => {
        const parts = new AnswerParts(events, 'zh-CN')
        const told = all.flatMap((body) => parts.of(body) ?? [])
        const content = told.filter(({ field }) => field === 'content').map(({ text }) => text)
        const sent = all.flatMap((body) => (body.type === 'text' ? [body.data.content] : []))
        expect(content).to.deep.equal(sent)
        if (events === 'none') expect(told).to.have.length(sent.length)
      }),
    )
  })

  it('begin each step on a line of its own after thoughts that came in pieces', () => {
    const parts = new AnswerParts('all', 'zh-CN')
    const reasoning = (body: MessageBody) => parts.of(body)?.text
    expect(reasoning({ type: 'thinking', data: { content: 'Let me ' } })).to.equal('Let me ')
    expect(reasoning({ type: 'thinking', data: { content: 'look' } })).to.equal('look')
    const call = { toolName: 'web', arguments: 'a\nb', status: 'calling' } as const
    expect(reasoning({ type: 'tool_call', data: call })).to.equal('\n工具: web a b\n')
    const failed = { toolName: 'web', result: null, success: false, error: 'no '.repeat(200) }
    const line = reasoning({ type: 'tool_result', data: failed }) ?? ''
    expect(line).to.match(/^失败: web \(no no .*…\)\n$/)
    expect(line.length).to.be.lessThan(250)
  })
})
