import { expect } from 'chai'
import { finishSaid } from '../../../src/execution/openai/finish-reason.js'
import { contentFiltered, contextTooLong, errorIn } from '../../../src/execution/openai/llm-error.js'
import { LlmTranslator } from '../../../src/execution/openai/llm-events.js'
import { ThinkTagReader } from '../../../src/execution/openai/think-tags.js'

const chunk = (value: object): string => JSON.stringify(value)
const delta = (value: object, finish_reason?: unknown): string =>
  chunk({ choices: [{ index: 0, delta: value, finish_reason }] })

function translate(...chunks: string[]) {
  const translator = new LlmTranslator()
  const events = [...translator.translate(chunks), ...translator.end()]
  const of = (type: 'text' | 'thinking') =>
    events.map((event) => (event.type === type ? event.data.content : '')).join('')
  return { text: of('text'), thinking: of('thinking'), translator }
}

describe('finish reasons', () => {
  it('have one vocabulary', () => {
    const names = {
      stop: ['stop', 'end_turn', 'eos', 'eos_token', 'stop_sequence', 'STOP'],
      length: ['length', 'max_tokens', 'model_length', 'MAX_TOKENS'],
      content_filter: ['content_filter', 'safety', 'recitation', 'prohibited_content', 'blocklist', 'SAFETY'],
      tool_calls: ['tool_calls', 'function_call'],
      refusal: ['refusal'],
      failed: ['error', 'abort', 'network_error', 'insufficient_system_resource', 'ERROR'],
      other: ['whatever', 'stopped', ' '],
    }
    for (const [said, reasons] of Object.entries(names))
      for (const reason of reasons) expect(finishSaid(reason), reason).to.equal(said)
    for (const none of ['', null, undefined, 1, {}]) expect(finishSaid(none)).to.equal(undefined)
  })

  it('keep a cut that is told before or after a stop', () => {
    expect(translate(delta({ content: 'a' }, 'stop'), delta({}, 'length')).translator.finishReason).to.equal(
      'length',
    )
    expect(translate(delta({ content: 'a' }, 'length'), delta({}, 'stop')).translator.finishReason).to.equal(
      'length',
    )
  })

  it('are a refusal where the model declined, and another reason where it was cut', () => {
    expect(translate(delta({ refusal: 'No' }, 'stop')).translator.finishReason).to.equal('refusal')
    expect(translate(delta({ refusal: 'No' }, 'length')).translator.finishReason).to.equal('length')
    expect(translate(delta({ refusal: '' }, 'stop')).translator.finishReason).to.equal('stop')
    expect(translate(delta({ refusal: 'No' })).translator.finishReason).to.equal(undefined)
  })

  it('filter an answer that nobody can see alone', () => {
    const filtered = (...chunks: string[]) => translate(...chunks, delta({}, 'content_filter')).translator
    expect(filtered().error).to.include({ code: 'llm_content_filtered', phase: 'streaming' })
    expect(filtered(delta({ content: ' \n' })).error).to.include({ code: 'llm_content_filtered' })
    expect(filtered(delta({ reasoning: 'hm' })).error).to.include({ code: 'llm_content_filtered' })
    expect(filtered(delta({ content: 'a' })).error).to.equal(undefined)
    expect(filtered(delta({ content: ' ' }), delta({ content: 'a' })).error).to.equal(undefined)
    expect(filtered(delta({ content: '<thi' })).error).to.equal(undefined)
    expect(translate(delta({}, 'length')).translator.error).to.equal(undefined)
  })
})

describe('chunks of an answer', () => {
  it('tell whether text went on after a reason', () => {
    const wentOn = (...chunks: string[]) => translate(...chunks).translator.wentOn
    expect(wentOn(delta({ content: 'a' }, 'stop'))).to.equal(false)
    expect(wentOn(delta({ content: 'a' }, 'stop'), delta({ content: 'b' }))).to.equal(true)
    expect(wentOn(delta({ content: 'a' }, 'stop'), delta({ reasoning: 'b' }))).to.equal(false)
    expect(wentOn(delta({ content: 'a' }), delta({ content: 'b' }))).to.equal(false)
  })

  it('keep their reason where the next one names none', () => {
    expect(translate(delta({ content: 'a' }, 'length'), delta({}, null)).translator.finishReason).to.equal(
      'length',
    )
  })

  it('tell whether anything spoke', () => {
    expect(translate(chunk({})).translator.spoke).to.equal(false)
    expect(translate(chunk({ choices: [] })).translator.spoke).to.equal(false)
    expect(translate(chunk({ choices: [{}] })).translator.spoke).to.equal(true)
    expect(translate(chunk({ error: 'x' })).translator.spoke).to.equal(true)
  })

  it('are not the keep-alives between them', () => {
    const signs = [
      '',
      ' ',
      ': hi',
      ':',
      'null',
      '{}',
      'ping',
      '-ping',
      'PING',
      'pong',
      'keepalive',
      'keep-alive',
    ]
    for (const sign of [...signs, 'heartbeat', ' ping ']) {
      const many = Array.from({ length: 12 }, () => sign)
      expect(translate(...many).translator.error, sign).to.equal(undefined)
      // Between noise it is no chunk either.
      const noise = Array.from({ length: 10 }, () => ['noise', sign]).flat()
      expect(translate(...noise).translator.error, sign).to.include({ code: 'llm_protocol_error' })
    }
    for (const noise of ['pings', 'nulls', 'x ping', '[]', '{"a', 'keep--alive', `:${'x'.repeat(64)}`]) {
      const many = Array.from({ length: 10 }, () => noise)
      expect(translate(...many).translator.error, noise).to.include({
        code: 'llm_protocol_error',
        phase: 'streaming',
        message: '10 unparsable chunks in a row',
      })
    }
  })

  it('end by [DONE] in at most 64 characters', () => {
    expect(translate(`${' '.repeat(58)}[DONE]`).translator.done).to.equal(true)
    expect(translate(`${' '.repeat(59)}[DONE]`).translator.done).to.equal(false)
    expect(translate('[DONE]', delta({ content: 'late' })).text).to.equal('')
  })

  it('may be several in one, by a line end', () => {
    expect(translate(`${delta({ content: 'a' })}\n${delta({ content: 'b' })}`).text).to.equal('ab')
    expect(translate(`noise\n${delta({ content: 'b' })}`).text).to.equal('b')
    const noise = Array.from({ length: 10 }, () => 'one\ntwo')
    const read = `${delta({ content: 'a' })}\nnoise\n${delta({ content: 'b' })}`
    expect(translate(read, ...noise.slice(1)).translator.error).to.equal(undefined)
    expect(translate(...noise.slice(1)).translator.error).to.equal(undefined)
    expect(translate(...noise).translator.error).to.include({ code: 'llm_protocol_error' })
  })

  it('take the choice that was asked for', () => {
    const of = (...choices: unknown[]) => translate(chunk({ choices })).text
    const said = (content: string, index?: unknown) => ({ index, delta: { content } })
    expect(of(said('x', 1), said('a', 0))).to.equal('a')
    expect(of(null, 'x', said('a'))).to.equal('a')
    expect(of(said('a', 'first'), said('x', 0))).to.equal('a')
    expect(of(said('x', 1))).to.equal('')
    expect(translate(chunk({ choices: { 0: said('x') } })).text).to.equal('')
    expect(translate(chunk({ choices: [{ delta: 'x', message: { content: 'a' } }] })).text).to.equal('a')
    expect(
      translate(chunk({ choices: [{ delta: { content: 'a' }, message: { content: 'x' } }] })).text,
    ).to.equal('a')
  })

  it('count tokens by the total, else by its parts', () => {
    const usageOf = (usage: unknown) => translate(chunk({ choices: [], usage })).translator.usage
    const parts = { promptTokens: 1, completionTokens: 2 }
    expect(usageOf({ total_tokens: 9, prompt_tokens: 1, completion_tokens: 2 })).to.deep.equal({
      tokens: 9,
      estimated: false,
      ...parts,
    })
    expect(usageOf({ prompt_tokens: 1, completion_tokens: 2 })).to.deep.equal({
      tokens: 3,
      estimated: false,
      ...parts,
    })
    expect(usageOf({ total_tokens: 9, prompt_tokens: 1 })).to.deep.equal({ tokens: 9, estimated: false })
    for (const none of [{ prompt_tokens: 1 }, { completion_tokens: 1 }, {}, [], 'x', null])
      expect(usageOf(none)).to.equal(undefined)
  })

  it('keep the last count, and say whether it came at the end', () => {
    const usage = (total_tokens: number) => chunk({ choices: [], usage: { total_tokens } })
    const { translator } = translate(
      usage(1),
      delta({ content: 'a' }, 'stop'),
      usage(2),
      chunk({ choices: [] }),
    )
    expect(translator.usage?.tokens).to.equal(2)
    expect(translator.counted).to.equal(true)
    expect(translate(usage(1)).translator.counted).to.equal(false)
    expect(translate(delta({ content: 'a' }, 'stop')).translator.counted).to.equal(false)
  })
})

describe('the content of a chunk', () => {
  it('is text, parts of text, thinking and refusals', () => {
    const parts = [
      'a',
      { type: 'text', text: 'b' },
      { type: 'text', text: 5 },
      { type: 'image_url', text: 'x', refusal: 'x' },
      { type: 'refusal', refusal: 'c' },
      { type: 'refusal', refusal: 5 },
      null,
      7,
      { type: 'thinking', thinking: 'h' },
      { type: 'reasoning', reasoning: 'm' },
      { type: 'reasoning', text: '!' },
      { type: 'thinking', thinking: [{ text: '?' }, { text: 5 }, null, 'x'] },
      { type: 'thinking', thinking: 5 },
      { type: 'text', thinking: 'x' },
    ]
    const { text, thinking, translator } = translate(delta({ content: parts }, 'stop'))
    expect({ text, thinking }).to.deep.equal({ text: 'abc', thinking: 'hm!?' })
    expect(translator.finishReason).to.equal('refusal')
  })

  it('takes the first name of thinking that says anything', () => {
    expect(translate(delta({ reasoning_content: 'a', reasoning: 'b', thinking: 'c' })).thinking).to.equal('a')
    expect(translate(delta({ reasoning_content: '', reasoning: 'b', thinking: 'c' })).thinking).to.equal('b')
    expect(translate(delta({ reasoning: 5, thinking: 'c' })).thinking).to.equal('c')
    expect(translate(delta({ reasoning: {}, content: {} })).thinking).to.equal('')
  })

  it('joins the halves of a character, of text and of thinking apart', () => {
    const [first, second] = ['\ud83d', '\ude00']
    const { text, thinking } = translate(
      delta({ content: first, reasoning: first }),
      delta({ content: second, reasoning: second }),
    )
    expect({ text, thinking }).to.deep.equal({ text: '😀', thinking: '😀' })
    const torn = translate(delta({ content: `a${first}`, reasoning: `b${first}` }))
    expect(torn).to.include({ text: 'a\ufffd', thinking: 'b\ufffd' })
  })

  it('sends long thinking in pieces', () => {
    const events = new LlmTranslator().translate([delta({ reasoning: 'é'.repeat(5000) })])
    expect(events.map(({ type }) => type)).to.deep.equal(['thinking', 'thinking'])
  })
})

describe('a think block', () => {
  function read(...pieces: string[]) {
    const out: string[] = []
    const reader = new ThinkTagReader(
      (text) => void out.push(`text ${text}`),
      (text) => void out.push(`thinking ${text}`),
    )
    const passed = pieces.map((piece) => {
      reader.take(piece)
      return reader.passed
    })
    reader.end()
    // What was held is told once.
    reader.end()
    return { out, passed }
  }

  it('is taken out at the start alone', () => {
    expect(read('<think>a</think>b<think>c</think>').out).to.deep.equal([
      'thinking a',
      'text b<think>c</think>',
    ])
    expect(read(' \n<think>a</think>', 'b')).to.deep.equal({
      out: ['thinking a', 'text b'],
      passed: [true, true],
    })
    expect(read('a<think>').out).to.deep.equal(['text a<think>'])
    expect(read('<think></think>').out).to.deep.equal([])
  })

  it('holds what may be a tag, and nothing else', () => {
    expect(read('<thin', 'k>a').out).to.deep.equal(['thinking a'])
    expect(read('<thin', 'g>a')).to.deep.equal({ out: ['text <thing>a'], passed: [false, true] })
    expect(read('  ', 'a').out).to.deep.equal(['text   a'])
    expect(read('<think>a</th', 'ink>b').out).to.deep.equal(['thinking a', 'text b'])
    expect(read('<think>a</th', 'e').out).to.deep.equal(['thinking a', 'thinking </the'])
    expect(read('<think>a<', '/think>').out).to.deep.equal(['thinking a'])
    expect(read('<think>a</think', '>').out).to.deep.equal(['thinking a'])
    expect(read('<think>a <b> ').out).to.deep.equal(['thinking a <b> '])
  })

  it('is at the end what it looks like', () => {
    expect(read('<thi').out).to.deep.equal(['text <thi'])
    expect(read('<think>a</thi').out).to.deep.equal(['thinking a', 'thinking </thi'])
    expect(read('  ').out).to.deep.equal(['text   '])
    expect(read().out).to.deep.equal([])
  })
})

describe('an error in a chunk', () => {
  it('is found wherever a server puts it, and nowhere else', () => {
    const error = { code: 'boom' }
    expect(errorIn({ error })).to.equal(error)
    expect(errorIn({ choices: [], error: 'x' })).to.equal('x')
    expect(errorIn({ choices: [], x_groq: { error } })).to.equal(error)
    const own = { object: 'error', choices: [] }
    expect(errorIn(own)).to.equal(own)
    const detail = { detail: 'x' }
    expect(errorIn(detail)).to.equal(detail)
    const message = { message: 'x', code: 0 }
    expect(errorIn(message)).to.equal(message)
    for (const none of [
      {},
      { error: '' },
      { error: null },
      { x_groq: { error: null } },
      { x_groq: 'x' },
      { x_groq: null },
      { choices: [], detail: 'x' },
      { choices: [], message: 'x', code: 1 },
      { message: 'x' },
      { message: 'x', code: null },
      { message: 5, code: 1 },
      { detail: '' },
      { object: 'chat.completion.chunk' },
    ])
      expect(errorIn(none), JSON.stringify(none)).to.equal(undefined)
  })

  it('has a code of ours', () => {
    const codeOf = (error: unknown) => {
      const { translator } = translate(chunk({ error }))
      if (translator.error === undefined) throw new Error('no error')
      const { code, message, timeout, details, phase } = translator.error
      return { code, message, timeout, details, phase }
    }
    const streaming = { phase: 'streaming', timeout: false } as const
    expect(codeOf({ code: 'boom', type: 'x' })).to.deep.equal({
      ...streaming,
      code: 'llm_error',
      message: 'error boom in the stream',
      details: { upstreamCode: 'boom' },
    })
    expect(codeOf('x')).to.deep.equal({
      ...streaming,
      code: 'llm_error',
      message: 'error without a code in the stream',
      details: {},
    })
    expect(codeOf({ type: 'deadline' })).to.deep.include({ code: 'llm_timeout', timeout: true })
    expect(codeOf({ code: 'x'.repeat(65), type: 'x'.repeat(64) }).details).to.deep.equal({
      upstreamCode: 'x'.repeat(64),
    })
    expect(codeOf({ message: 'Content Exists Risk' })).to.deep.equal({
      ...streaming,
      code: 'llm_content_filtered',
      message: 'the content was filtered',
      details: { rejected: true },
    })
    expect(codeOf({ code: 'context_length_exceeded' })).to.deep.equal({
      ...streaming,
      code: 'llm_context_too_long',
      message: "the prompt is longer than the model's context",
      details: { upstreamCode: 'context_length_exceeded', rejected: true },
    })
  })

  it('in a choice ends the answer behind its text', () => {
    const failed = translate(
      chunk({ choices: [{ delta: { content: 'a' }, error: { code: 'boom' }, finish_reason: 'stop' }] }),
    )
    expect(failed.text).to.equal('a')
    expect(failed.translator.error?.details).to.deep.equal({ upstreamCode: 'boom' })
    expect(failed.translator.settled).to.equal(false)
    const reason = translate(delta({ content: 'a' }, 'error')).translator
    expect(reason.error?.details).to.deep.equal({ upstreamCode: 'error' })
  })

  it('of a head has its status', () => {
    expect(contentFiltered('x', 400)).to.deep.include({
      phase: 'headers',
      details: { httpStatus: 400, upstreamCode: 'x', rejected: true },
    })
    expect(contextTooLong(undefined, { httpStatus: 400 })).to.deep.include({
      phase: 'headers',
      timeout: false,
      details: { httpStatus: 400, rejected: true },
    })
    expect(contextTooLong().phase).to.equal('streaming')
  })
})
