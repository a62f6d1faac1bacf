import { expect } from 'chai'
import { RuntimeTranslator } from '../../../src/execution/runtime/runtime-translator.js'

const SOFT = ['I encountered an error:']

const frame = (event: string, data: unknown = {}): string => JSON.stringify({ event, data })
const chunk = (content: string): string => frame('text_chunk', { content })
const complete = (final_response?: string): string => frame('execution_complete', { final_response })

function translate(...frames: string[]) {
  const translator = new RuntimeTranslator({ baseUrl: 'http://r', origins: [] }, SOFT)
  const events = translator.translate(frames)
  const end = translator.end
  return {
    events,
    texts: events?.map((event) => (event.type === 'text' ? event.data.content : event.type)),
    end: end?.kind === 'failed' ? { code: end.error.code, givenUp: end.givenUp } : end?.kind,
    translator,
  }
}

describe('runtime translator', () => {
  it('ends well by execution_complete or by [DONE] alone', () => {
    expect(translate(chunk('a'), complete('a'), '[DONE]')).to.deep.include({ texts: ['a'], end: 'complete' })
    expect(translate(chunk('a'), '[DONE]')).to.deep.include({ texts: ['a'], end: 'complete' })
    expect(translate(chunk('a')).end).to.equal(undefined)
  })

  it('ends well by a [DONE] with blanks around it', () => {
    expect(translate(chunk('a'), ' [DONE] \t')).to.deep.include({ texts: ['a'], end: 'complete' })
  })

  describe('where the stream breaks off', () => {
    const texts = (...frames: string[]) => {
      const { translator, events } = translate(...frames)
      return [...(events ?? []), ...translator.breakOff()].map((event) =>
        event.type === 'text' ? event.data.content : event.type,
      )
    }
    const sorry = 'I encountered an error: Connection error.'

    it('gives text that was held in mid-sentence as text', () => {
      expect(texts(chunk('One sentence '), chunk(sorry))).to.deep.equal(['One sentence ', sorry])
    })

    it('gives what was held behind a call as text', () => {
      expect(texts(frame('tool_call_start', { tool_name: 'pay' }), chunk('I encoun'))).to.deep.equal([
        'tool_call',
        'I encoun',
      ])
    })

    it('keeps the beginning of an answer that nobody has read, so that another backend can answer', () => {
      expect(texts(frame('thinking', { content: 'x' }), chunk('I encoun'))).to.deep.equal(['thinking'])
      expect(texts()).to.deep.equal([])
    })

    it('gives it too where the runtime says no more that we can read', () => {
      const garbage = Array.from({ length: 10 }, () => '{')
      expect(translate(chunk('One sentence '), chunk(sorry), ...garbage)).to.deep.include({
        texts: ['One sentence ', sorry],
        end: { code: 'runtime_protocol_error', givenUp: true },
      })
    })
  })

  it('reads bare numbers of Python as null, never inside a string', () => {
    const { events } = translate(
      '{"event": "tool_call_start", "data": {"tool_name": "pay", "arguments": {"a": NaN, "b": [-Infinity, Infinity], "c": "NaN \\" Infinity"}}}',
    )
    expect(events).to.deep.equal([
      {
        type: 'tool_call',
        data: {
          toolName: 'pay',
          arguments: { a: null, b: [null, null], c: 'NaN " Infinity' },
          status: 'calling',
        },
      },
    ])
  })

  it('commits by a frame it cannot read that names work, and by no other', () => {
    const broken = (event: string) => translate(`{"event": "${event}", "data": {"tool": "x", `).texts
    for (const event of ['tool_call_start', 'skill_call_complete', 'mcp_call_start', 'file_created'])
      expect(broken(event), event).to.deep.equal(['committed'])
    expect(broken('plan_step_start')).to.deep.equal(['committed'])
    for (const event of ['text_chunk', 'thinking', 'plan_created', 'no_event'])
      expect(broken(event), event).to.equal(undefined)
    expect(translate(frame('tool_call_start', {})).texts).to.deep.equal(['committed'])
  })

  it('drops a file at a foreign place, counts it, and commits all the same', () => {
    const at = (url: string) => frame('file_created', { filename: 'f', url })
    const { texts, translator, end } = translate(at('http://evil/f'), at('/f'), complete())
    expect(texts).to.deep.equal(['committed', 'file'])
    expect([translator.droppedFiles, end]).to.deep.equal([1, 'complete'])
  })

  it('passes a result beyond the bound on cut, and marks it', () => {
    const large = { text: 'x'.repeat(2_000_000) }
    const { events } = translate(
      frame('tool_call_complete', { tool_name: 't', result: large, success: true }),
    )
    const [event] = events ?? []
    if (event?.type !== 'tool_result') throw new Error('no tool_result')
    expect(event.data).to.include({ success: true, truncated: true })
    expect(event.data.result).to.equal(JSON.stringify(large).slice(0, 1_048_576))
    const small = translate(frame('tool_call_complete', { tool_name: 't', result: { a: 1 }, success: true }))
    expect(small.events?.[0]?.data).to.deep.equal({ toolName: 't', result: { a: 1 }, success: true })
  })

  it('takes an apology inside a sentence for a failure when the answer is complete behind it, else for text', () => {
    const sorry = 'I encountered an error: x'
    const half = chunk('One half ')
    expect(translate(half, chunk(sorry), frame('ping'), complete(`One half ${sorry}`))).to.deep.include({
      texts: ['One half '],
      end: { code: 'runtime_soft_failure', givenUp: false },
    })
    expect(translate(half, chunk(sorry), chunk('!'), complete())).to.deep.include({
      texts: ['One half ', `${sorry}!`],
      end: 'complete',
    })
    expect(translate(half, chunk(sorry), frame('thinking', { content: 'hm' })).texts).to.deep.equal([
      'One half ',
      sorry,
      'thinking',
    ])
    expect(translate(half, chunk(sorry), '[DONE]')).to.deep.include({
      texts: ['One half ', sorry],
      end: 'complete',
    })
  })

  it('takes nothing after the end', () => {
    expect(translate(complete(), chunk('late')).texts).to.equal(undefined)
  })

  it('sends final_response where no text came', () => {
    expect(translate(complete('all')).texts).to.deep.equal(['all'])
    expect(translate(chunk(''), complete('all')).texts).to.deep.equal(['all'])
    expect(translate(chunk('a'), complete('other')).texts).to.deep.equal(['a'])
    expect(translate(complete('')).texts).to.equal(undefined)
  })

  it('sends long text in pieces', () => {
    expect(translate(chunk('a'.repeat(9000))).texts?.map((text) => text.length)).to.deep.equal([8192, 808])
    expect(translate(complete('a'.repeat(9000))).texts?.map((text) => text.length)).to.deep.equal([8192, 808])
  })

  it('holds a soft failure back and gives the execution up', () => {
    expect(translate(chunk('I enc'))).to.deep.include({ texts: [], end: undefined })
    const failed = { code: 'runtime_soft_failure', givenUp: true }
    expect(translate(chunk('I enc'), chunk('ountered an error: x'))).to.deep.include({
      texts: [],
      end: failed,
    })
    expect(translate(chunk('Ok.'), chunk('I encountered an error: x'))).to.deep.include({
      texts: ['Ok.'],
      end: failed,
    })
  })

  it('fails softly by final_response, which the runtime itself ended', () => {
    const failed = { code: 'runtime_soft_failure', givenUp: false }
    expect(translate(chunk('Ok.'), complete('I encountered an error: x'))).to.deep.include({ end: failed })
    expect(translate(complete('I encountered an error: x'))).to.deep.include({
      texts: undefined,
      end: failed,
    })
  })

  it('releases held text before what commits, and lets the rest pass by', () => {
    const tool = frame('tool_call_start', { tool_name: 't', arguments: {} })
    const thinking = frame('thinking', { content: 'hm' })
    expect(translate(chunk('I '), thinking).texts).to.deep.equal(['thinking'])
    expect(translate(chunk('I '), thinking, tool, chunk('enc')).texts).to.deep.equal([
      'thinking',
      'I ',
      'tool_call',
    ])
    expect(translate(chunk('I '), tool, chunk('encountered an error: x'))).to.deep.include({
      texts: ['I ', 'tool_call'],
      end: { code: 'runtime_soft_failure', givenUp: true },
    })
  })

  it('releases held text at a good end', () => {
    expect(translate(chunk('I enc'), complete('I enc')).texts).to.deep.equal(['I enc'])
    expect(translate(chunk('I enc'), '[DONE]').texts).to.deep.equal(['I enc'])
  })

  it('remembers the titles of plan steps', () => {
    const plan = frame('plan_created', { steps: [{ id: 'a', title: 'Search' }] })
    const { events } = translate(
      plan,
      frame('plan_step_complete', { step_id: 'a' }),
      frame('plan_step_start', { step_id: 'b' }),
    )
    expect(events?.slice(1).map((event) => event.type === 'plan_step' && event.data.title)).to.deep.equal([
      'Search',
      'b',
    ])
  })

  it('counts unknown events and skips pings', () => {
    const { translator, texts } = translate(frame('ping'), frame('new'), frame('newer'))
    expect(texts).to.equal(undefined)
    expect(translator.unknown).to.equal(2)
  })

  it('gives up after ten unparsable events in a row, not after nine', () => {
    const garbage = (n: number) => Array.from({ length: n }, () => '{')
    expect(translate(...garbage(9), chunk('a'), ...garbage(9)).end).to.equal(undefined)
    expect(translate(chunk('a'), ...garbage(10))).to.deep.include({
      texts: ['a'],
      end: { code: 'runtime_protocol_error', givenUp: true },
    })
  })

  it('maps execution_error to stable codes', () => {
    const end = (data: unknown) => translate(frame('execution_error', data)).end
    expect(end({ error: 'x' })).to.deep.equal({ code: 'runtime_error', givenUp: false })
    expect(end({ error: 'x', code: 'TIMEOUT' })).to.deep.equal({ code: 'runtime_timeout', givenUp: false })
    expect(end({ error: 'x', code: 'EXECUTION_CANCELLED' })).to.deep.equal({
      code: 'runtime_cancelled',
      givenUp: false,
    })
  })
})
