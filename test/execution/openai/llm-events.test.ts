import { expect } from 'chai'
import { LlmTranslator } from '../../../src/execution/openai/llm-events.js'

const chunk = (value: object): string => JSON.stringify({ id: 'x', ...value })
const delta = (value: object, finish_reason: string | null = null): string =>
  chunk({ choices: [{ index: 0, delta: value, finish_reason }] })

function translate(...chunks: string[]) {
  const translator = new LlmTranslator()
  const events = translator.translate(chunks)
  return { events, translator }
}

describe('chat completion chunks', () => {
  it('turns content into text and reasoning into thinking', () => {
    const { events } = translate(
      delta({ role: 'assistant', content: '' }),
      delta({ reasoning_content: 'hm', content: null }),
      delta({ content: 'hi' }),
    )
    expect(events).to.deep.equal([
      { type: 'thinking', data: { content: 'hm' } },
      { type: 'text', data: { content: 'hi' } },
    ])
  })

  it('sends long text in pieces', () => {
    expect(translate(delta({ content: 'é'.repeat(5000) })).events).to.have.length(2)
  })

  it('settles by finish_reason and takes usage from a chunk without choices', () => {
    const { translator } = translate(
      delta({}, 'stop'),
      chunk({ choices: [], usage: { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 } }),
      '[DONE]',
    )
    expect(translator).to.include({ settled: true, done: true, counted: true })
    expect(translator.usage).to.deep.equal({
      tokens: 5,
      estimated: false,
      promptTokens: 2,
      completionTokens: 3,
    })
    const { translator: sum } = translate(chunk({ choices: [], usage: { total_tokens: 5 } }))
    expect(sum.usage).to.deep.equal({ tokens: 5, estimated: false })
  })

  it('takes usage beside the finish_reason, and knows a running count from the final one', () => {
    const usage = { prompt_tokens: 1, completion_tokens: 1 }
    const running = translate(chunk({ choices: [{ delta: { content: 'a' } }], usage })).translator
    expect(running).to.deep.include({
      counted: false,
      usage: { tokens: 2, estimated: false, promptTokens: 1, completionTokens: 1 },
    })
    const last = translate(chunk({ choices: [{ delta: {}, finish_reason: 'length' }], usage })).translator
    expect(last.counted).to.equal(true)
  })

  it('bears absent and odd fields', () => {
    const { events, translator } = translate(
      chunk({}),
      chunk({ choices: null, usage: null, error: null }),
      chunk({ choices: [{}] }),
      chunk({ choices: [], usage: { total_tokens: 'x' } }),
    )
    expect(events).to.deep.equal([])
    expect(translator.error).to.equal(undefined)
    expect(translator.usage).to.equal(undefined)
  })

  it('fails by an error object, after the text before it', () => {
    const { events, translator } = translate(
      delta({ content: 'a' }),
      chunk({ error: { message: 'secret prompt', type: 'server_error', code: 'overloaded' } }),
      delta({ content: 'b' }),
    )
    expect(events).to.have.length(1)
    expect(translator.error).to.include({ code: 'llm_error', timeout: false })
    expect(translator.error?.details).to.deep.equal({ upstreamCode: 'overloaded' })
    expect(translator.error?.message).not.to.contain('secret')
  })

  it('keeps an answer that is complete, whatever noise follows', () => {
    const after = [...Array.from({ length: 12 }, () => '{'), '[DONE]']
    const { translator } = translate(delta({ content: 'a' }, 'stop'), ...after)
    expect(translator).to.include({ settled: true, done: true, error: undefined })
  })

  it('fails by an error also after a finish_reason: some servers send one with every chunk', () => {
    const late = chunk({ error: { code: 'late' } })
    const { translator } = translate(delta({ content: 'a' }, 'stop'), late, '[DONE]')
    expect(translator.error?.details).to.deep.equal({ upstreamCode: 'late' })
    expect(translator.done).to.equal(false)
  })

  it('fails as a time-out where the error names one', () => {
    const { translator } = translate(chunk({ error: { code: 'request_timeout' } }))
    expect(translator.error).to.include({ code: 'llm_timeout', timeout: true })
  })

  it('gives up after ten unparsable chunks in a row', () => {
    const garbage = (n: number) => Array.from({ length: n }, () => '{')
    expect(translate(...garbage(9), delta({}), ...garbage(9)).translator.error).to.equal(undefined)
    expect(translate(...garbage(10)).translator.error).to.include({ code: 'llm_protocol_error' })
  })
})
