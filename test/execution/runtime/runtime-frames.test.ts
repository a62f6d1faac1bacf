import { expect } from 'chai'
import { mapRuntimeFrame } from '../../../src/execution/runtime/runtime-events.js'
import { RuntimeTranslator } from '../../../src/execution/runtime/runtime-translator.js'
import { SoftFailureScreen } from '../../../src/execution/runtime/soft-failure.js'
import { MAX_RESULT, withTruncatedResult } from '../../../src/execution/runtime/truncate-result.js'

const FILES = { baseUrl: 'http://runtime:8000', origins: [] }
const frame = (event: string, data: unknown = {}): string => JSON.stringify({ event, data })
const map = (event: string, data: unknown) => mapRuntimeFrame(frame(event, data), FILES)
const dataOf = (event: string, data: unknown) => {
  const mapped = map(event, data)
  return 'data' in mapped ? mapped.data : mapped.type
}

const SOFT = 'I encountered an error:'

function translator(...frames: string[]) {
  const made = new RuntimeTranslator(FILES, [SOFT])
  const events = frames.flatMap((one) => made.translate([one]) ?? [])
  return { made, texts: events.map((event) => (event.type === 'text' ? event.data.content : event.type)) }
}

describe('a frame of the runtime with odd data', () => {
  it('is unparsable where its data is none, and an unknown event is not', () => {
    for (const event of ['thinking', 'plan_created', 'text_chunk', 'file_created', 'mcp_call_start'])
      for (const data of [null, 'x', [], 5]) expect(map(event, data).type, event).to.equal('unparsable')
    expect(map('new', null).type).to.equal('unknown')
    expect(mapRuntimeFrame('{"event":5,"data":{}}', FILES).type).to.equal('unparsable')
  })

  it('is unparsable without the names that it needs', () => {
    for (const [event, data] of [
      ['thinking', { content: 5 }],
      ['plan_created', { steps: {} }],
      ['plan_created', { steps: [{ id: 'a' }, { title: 'B' }] }],
      ['plan_step_start', { title: 'A' }],
      ['tool_call_start', { tool_name: '' }],
      ['tool_call_start', { tool_name: null }],
      ['tool_call_start', { tool_name: { a: 1 } }],
      ['tool_call_complete', {}],
      ['skill_call_start', { skill_name: 'S' }],
      ['skill_call_complete', { skill_name: 'S' }],
      ['mcp_call_start', { server_id: 'm' }],
      ['mcp_call_start', { tool_name: 't' }],
      ['mcp_call_complete', { server_id: 'm', tool_name: '' }],
    ] as const)
      expect(map(event, data).type, `${event} ${JSON.stringify(data)}`).to.equal('unparsable')
  })

  it('has empty titles, ids that are numbers, and skills called by their id, where no more is said', () => {
    expect(dataOf('plan_created', { steps: [{ id: 0, title: 5 }] })).to.deep.equal({
      steps: [{ id: '0', title: '', status: 'pending' }],
      currentStep: 0,
    })
    expect(dataOf('plan_step_start', { step_id: 1, title: null })).to.deep.equal({
      stepId: '1',
      title: '',
      status: 'running',
    })
    for (const skill_name of [undefined, '', null])
      expect(dataOf('skill_call_start', { skill_id: 's', skill_name })).to.deep.include({ skillName: 's' })
  })

  it('succeeds where it names no error, whatever is missing', () => {
    const resultOf = (data: object) => dataOf('tool_call_complete', { tool_name: 't', ...data })
    expect(resultOf({ result: 1 })).to.deep.equal({ toolName: 't', result: 1, success: true })
    expect(resultOf({ result: 1, error: '' })).to.deep.equal({ toolName: 't', result: 1, success: true })
    expect(resultOf({ result: 1, error: { why: 1 } })).to.deep.equal({
      toolName: 't',
      result: 1,
      success: false,
      error: '{"why":1}',
    })
    expect(
      resultOf({ result: 1, success: true, error: 'odd', duration: '5', truncated: 'yes' }),
    ).to.deep.equal({
      toolName: 't',
      result: 1,
      success: true,
      error: 'odd',
    })
  })

  it('keeps of a step what it says and nothing else', () => {
    expect(
      dataOf('plan_step_complete', {
        step_id: 'a',
        title: 'A',
        tool: '',
        params: 0,
        result: '',
        error: 0,
        duration_ms: '5',
      }),
    ).to.deep.equal({ stepId: 'a', title: 'A', status: 'completed', params: 0, result: '', error: '0' })
    expect(dataOf('plan_step_complete', { step_id: 'a', title: 'A', tool: 5, result: null })).to.deep.equal({
      stepId: 'a',
      title: 'A',
      status: 'completed',
    })
    expect(dataOf('thinking', { content: '', stage: '' })).to.deep.equal({ content: '' })
    expect(dataOf('file_created', { filename: 7, url: '/f', size: '5' })).to.deep.equal({
      filename: '7',
      url: 'http://runtime:8000/f',
      mimeType: 'application/octet-stream',
    })
  })

  it('ends as it says: a status that is no number is none, 408 and 504 are time-outs', () => {
    const failure = (data: unknown) => map('execution_error', data)
    expect(failure({ httpStatus: 502.5 })).to.include({ httpStatus: undefined })
    expect(failure({ httpStatus: '502' })).to.include({ httpStatus: undefined })
    expect(failure({ httpStatus: 408 })).to.include({ timeout: true, httpStatus: 408 })
    expect(failure({ httpStatus: 500 })).to.include({ timeout: false, cancelled: false })
    expect(failure({ code: 'x'.repeat(64) })).to.include({ code: 'x'.repeat(64) })
    expect(failure({ code: 'x'.repeat(65) })).to.include({ code: undefined })
    expect(map('execution_complete', { final_response: 5 })).to.deep.equal({
      type: 'complete',
      finalResponse: undefined,
    })
  })
})

describe('a frame of the runtime that cannot be read', () => {
  const commits = (text: string) => mapRuntimeFrame(text, FILES)

  it('commits where its first key names work that may have been done', () => {
    for (const event of [
      ...['tool_call_start', 'tool_call_complete', 'skill_call_start', 'skill_call_complete'],
      ...['mcp_call_start', 'mcp_call_complete', 'file_created'],
    ])
      for (const text of [`{"event":"${event}","da`, ` \n{ "event" : "${event}", "da`])
        expect(commits(text), text).to.deep.equal({ type: 'unparsable', commits: true })
  })

  it('commits by a step where that names a tool', () => {
    for (const event of ['plan_step_start', 'plan_step_complete', 'plan_step_failed']) {
      expect(commits(`{"event":"${event}","data":{"tool" : "x`)).to.include({ commits: true })
      expect(commits(` { "event" : "${event}" ,"data":{"tool":"x`)).to.include({ commits: true })
      for (const rest of ['"tool":""', '"tool":null', '"tools":"x', 'x'])
        expect(commits(`{"event":"${event}","data":{${rest}`)).to.include({ commits: false })
    }
  })

  it('does not by any other', () => {
    for (const text of [
      '{"event":"text_chunk","data":{"tool":"x',
      '{"data":{},"event":"tool_call_start",',
      'x{"event":"tool_call_start"',
      '{"event":"tool_call"',
      '{"event":"my_tool_call_start"',
      '{"event":"tool_call_started"',
      '"event":"tool_call_start"',
    ])
      expect(commits(text), text).to.deep.equal({ type: 'unparsable', commits: false })
  })
})

describe('a result of the runtime', () => {
  it('is cut at its bound, in whole characters, and marked', () => {
    const cut = (result: unknown) => withTruncatedResult({ result, other: 1 })
    const at = 'x'.repeat(MAX_RESULT)
    expect(cut(at)).to.deep.equal({ result: at, other: 1 })
    expect(cut(`${at}y`)).to.deep.equal({ result: at, truncated: true, other: 1 })
    // A pair is cut away where it is cut in two, and not elsewhere.
    expect(cut(`😀${at}`)).to.deep.equal({ result: `😀${at.slice(2)}`, truncated: true, other: 1 })
    expect(cut(`${'x'.repeat(MAX_RESULT - 1)}😀`).result).to.equal('x'.repeat(MAX_RESULT - 1))
    expect(cut([at]).result).to.equal(`["${at.slice(2)}`)
    expect(withTruncatedResult({ other: 1 })).to.deep.equal({ other: 1 })
  })

  it('of a step or a skill is marked as well', () => {
    const result = 'x'.repeat(MAX_RESULT + 1)
    expect(dataOf('plan_step_complete', { step_id: 'a', title: 'A', result })).to.include({ truncated: true })
    expect(dataOf('skill_call_complete', { skill_id: 's', result })).to.include({ truncated: true })
    expect(dataOf('mcp_call_complete', { server_id: 'm', tool_name: 't', result })).to.include({
      truncated: true,
    })
    expect(dataOf('tool_call_complete', { tool_name: 't', result: 1, truncated: true })).to.include({
      truncated: true,
    })
  })
})

describe('the translation of an execution', () => {
  it('ends by a [DONE] of fewer than 64 characters', () => {
    expect(translator(`${' '.repeat(57)}[DONE]`).made.end).to.deep.equal({ kind: 'complete' })
    expect(translator(`${' '.repeat(58)}[DONE]`).made.end).to.equal(undefined)
  })

  it('says nothing of a read without an event, and an empty list where it is held', () => {
    const { made } = translator()
    expect(made.translate([frame('ping')])).to.equal(undefined)
    expect(made.translate([frame('new')])).to.equal(undefined)
    expect(made.translate([frame('text_chunk', { content: '' })])).to.equal(undefined)
    expect(made.translate([frame('text_chunk', { content: 'I enc' })])).to.deep.equal([])
    expect(made.translate(['{'])).to.equal(undefined)
    expect(made.translate(['{"event":"file_created",'])).to.have.lengthOf(2)
    expect(made.translate(['[DONE]'])).to.equal(undefined)
    expect(translator().made.translate([frame('execution_error')])).to.equal(undefined)
  })

  it('tells why an execution failed', () => {
    const failed = (data: object) => {
      const { end } = translator(frame('execution_error', data)).made
      if (end?.kind !== 'failed') throw new Error('no failure')
      const { code, phase, message, timeout, details } = end.error
      return { code, phase, message, timeout, details }
    }
    expect(failed({ code: 'LLM_DOWN', httpStatus: 502, traceId: 't-1' })).to.deep.equal({
      code: 'runtime_error',
      phase: 'streaming',
      message: 'execution_error LLM_DOWN',
      timeout: false,
      details: { httpStatus: 502, upstreamCode: 'LLM_DOWN', traceId: 't-1' },
    })
    expect(failed({})).to.deep.equal({
      code: 'runtime_error',
      phase: 'streaming',
      message: 'execution_error without a code',
      timeout: false,
      details: {},
    })
    expect(failed({ code: 'TIMEOUT' })).to.deep.include({ code: 'runtime_timeout', timeout: true })
    expect(failed({ code: 'EXECUTION_CANCELLED', httpStatus: 504 })).to.deep.include({
      code: 'runtime_cancelled',
      phase: 'streaming',
      timeout: false,
    })
    expect(failed({ code: 'content_filter' }).details).to.deep.equal({
      upstreamCode: 'content_filter',
      rejected: true,
    })
  })

  it('says what a soft failure and a stream of garbage are', () => {
    const messageOf = (...frames: string[]) => {
      const { end } = translator(...frames).made
      return end?.kind === 'failed' ? [end.error.message, end.error.phase] : end
    }
    expect(messageOf(frame('text_chunk', { content: SOFT }))).to.deep.equal([
      'an error sent as an answer',
      'streaming',
    ])
    expect(messageOf(...Array.from({ length: 10 }, () => '{'))).to.deep.equal([
      '10 unparsable events in a row',
      'streaming',
    ])
  })

  it('tells text that was held before a failure only where the user has seen something', () => {
    const held = frame('text_chunk', { content: 'I enc' })
    const error = frame('execution_error', { code: 'x' })
    expect(translator(held, error).texts).to.deep.equal([])
    expect(translator(frame('tool_call_start', { tool_name: 't' }), held, error).texts).to.deep.equal([
      'tool_call',
      'I enc',
    ])
    expect(translator('{"event":"file_created",', held, error).texts).to.deep.equal(['committed', 'I enc'])
    expect(translator(held, '{"event":"file_created",').texts).to.deep.equal(['I enc', 'committed'])
    const foreign = frame('file_created', { filename: 'f', url: 'http://evil/f' })
    expect(translator(held, foreign).texts).to.deep.equal(['I enc', 'committed'])
    expect(translator(frame('thinking', { content: 'x' }), held, error).texts).to.deep.equal(['thinking'])
  })

  it('names steps by their newest title, at most a thousand of them', () => {
    const step = (step_id: string, title?: string) => frame('plan_step_start', { step_id, title })
    const titlesOf = (...frames: string[]) => {
      const made = new RuntimeTranslator(FILES, [])
      return frames
        .flatMap((one) => made.translate([one]) ?? [])
        .flatMap((event) => (event.type === 'plan_step' ? [event.data.title] : []))
    }
    expect(titlesOf(step('a', 'A'), step('a'), step('a', 'B'), step('a'))).to.deep.equal(['A', 'A', 'B', 'B'])
    const many = Array.from({ length: 1001 }, (_, at) => ({ id: `s${at}`, title: `S${at}` }))
    // Other events take none of their places.
    const other = frame('thinking', { content: 'x' })
    expect(
      titlesOf(other, frame('plan_created', { steps: many }), step('s999'), step('s1000')),
    ).to.deep.equal(['S999', 's1000'])
  })
})

describe('soft failures in mid-answer', () => {
  const screen = () => new SoftFailureScreen([SOFT])

  it('are looked for behind closing signs and blanks of any kind', () => {
    const closings = ['"', "'", '”', '’', '」', '』', '）', ')', ']', '*', '_', '`']
    for (const before of [
      ...closings.map((closing) => `Done.${closing}`),
      ...['Done. ', 'Done.\t', 'Done.\u00a0', 'Done.\u3000', 'Done!', 'Done？', 'Done！', 'x\r', 'x…'],
    ]) {
      const under = screen()
      expect(under.take(before)).to.equal(before)
      expect(under.take(`${SOFT} x`), before).to.equal(undefined)
    }
  })

  it('are seen over pieces that end nothing by themselves', () => {
    const under = screen()
    for (const piece of ['Done.', '"', ' ', ' ']) under.take(piece)
    expect(under.take(`${SOFT} x`)).to.equal(undefined)
    const open = screen()
    for (const piece of ['Done', '"', ' ', ' ']) open.take(piece)
    expect(open.take(`${SOFT} x`)).to.equal('')
    expect(open.holds).to.equal(true)
    expect(open.release()).to.equal(`${SOFT} x`)
    expect(open.holds).to.equal(false)
    expect(open.take(' end.')).to.equal(' end.')
    expect(open.take(`${SOFT} x`)).to.equal(undefined)
  })

  it('are none without prefixes', () => {
    const under = new SoftFailureScreen([])
    expect(under.empty).to.equal(true)
    expect(under.take('')).to.equal('')
    expect(under.take('Done.')).to.equal('Done.')
    expect(under.take(`${SOFT} x`)).to.equal(`${SOFT} x`)
    expect([under.empty, under.holds, under.suspects]).to.deep.equal([false, false, false])
  })
})
