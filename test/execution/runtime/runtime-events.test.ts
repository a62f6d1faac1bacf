import { expect } from 'chai'
import { mapRuntimeFrame } from '../../../src/execution/runtime/runtime-events.js'
import { messageBodySchema } from '../../../src/protocol/events.js'

const FILES = { baseUrl: 'http://runtime:8000', origins: ['https://cdn.example'] }

function map(event: string, data: unknown) {
  return mapRuntimeFrame(JSON.stringify({ event, data, timestamp: '2026-01-01T00:00:00Z' }), FILES)
}

const ARGS = { q: 1 }
const RESULT = { result: { hits: 1 }, success: true, error: null, duration: 12 }
const MAPPED = { result: { hits: 1 }, success: true, duration: 12 }

/** The table of the protocol: event, its data, what becomes of it. */
const TABLE: [string, unknown, unknown][] = [
  [
    'plan_created',
    {
      steps: [
        { id: 'a', title: 'A' },
        { id: 2, title: 'B' },
      ],
    },
    {
      type: 'plan',
      data: {
        steps: [
          { id: 'a', title: 'A', status: 'pending' },
          { id: '2', title: 'B', status: 'pending' },
        ],
        currentStep: 0,
      },
    },
  ],
  [
    'plan_step_start',
    { step_id: 'a', title: 'A', tool: 'search', params: ARGS },
    { type: 'plan_step', data: { stepId: 'a', title: 'A', status: 'running', tool: 'search', params: ARGS } },
  ],
  [
    'plan_step_start',
    { step_id: 'a', title: 'A', tool: null, params: null },
    { type: 'plan_step', data: { stepId: 'a', title: 'A', status: 'running' } },
  ],
  [
    'plan_step_complete',
    { step_id: 'a', title: 'A', result: [1], duration_ms: 5 },
    { type: 'plan_step', data: { stepId: 'a', title: 'A', status: 'completed', result: [1], durationMs: 5 } },
  ],
  [
    'plan_step_failed',
    { step_id: 'a', title: 'A', error: 'no' },
    { type: 'plan_step', data: { stepId: 'a', title: 'A', status: 'failed', error: 'no' } },
  ],
  [
    'tool_call_start',
    { tool_name: 't', arguments: ARGS },
    { type: 'tool_call', data: { toolName: 't', arguments: ARGS, status: 'calling' } },
  ],
  [
    'tool_call_complete',
    { tool_name: 't', ...RESULT },
    { type: 'tool_result', data: { toolName: 't', ...MAPPED } },
  ],
  [
    'tool_call_complete',
    { tool_name: 't', result: null, success: false, error: 'broken' },
    { type: 'tool_result', data: { toolName: 't', result: null, success: false, error: 'broken' } },
  ],
  [
    'skill_call_start',
    { skill_id: 's', skill_name: 'S', arguments: ARGS },
    { type: 'skill_call', data: { skillId: 's', skillName: 'S', arguments: ARGS, status: 'calling' } },
  ],
  [
    'skill_call_complete',
    { skill_id: 's', skill_name: 'S', ...RESULT },
    { type: 'skill_result', data: { skillId: 's', skillName: 'S', ...MAPPED } },
  ],
  [
    'mcp_call_start',
    { server_id: 'm', tool_name: 't', arguments: ARGS },
    { type: 'mcp_call', data: { serverId: 'm', toolName: 't', arguments: ARGS, status: 'calling' } },
  ],
  [
    'mcp_call_complete',
    { server_id: 'm', tool_name: 't', ...RESULT },
    { type: 'mcp_result', data: { serverId: 'm', toolName: 't', ...MAPPED } },
  ],
  [
    'thinking',
    { content: 'hm', stage: 'analysis' },
    { type: 'thinking', data: { content: 'hm', stage: 'analysis' } },
  ],
  ['thinking', { content: 'hm', stage: null }, { type: 'thinking', data: { content: 'hm' } }],
  ['text_chunk', { content: 'hi' }, { type: 'text', data: { content: 'hi' } }],
  [
    'file_created',
    { filename: 'f.md', mime_type: 'text/markdown', size: 4, url: '/files/f.md' },
    {
      type: 'file',
      data: { filename: 'f.md', mimeType: 'text/markdown', size: 4, url: 'http://runtime:8000/files/f.md' },
    },
  ],
]

describe('runtime events', () => {
  for (const [event, data, expected] of TABLE) {
    it(`maps ${event} ${JSON.stringify(data)}`, () => {
      const mapped = map(event, data)
      expect(mapped).to.deep.equal(expected)
      expect(messageBodySchema.parse(mapped)).to.deep.equal(expected)
    })
  }

  it('takes a file whose name and address are texts, and drops one at a foreign place', () => {
    const type = (data: unknown) => map('file_created', data).type
    expect(type({ filename: 'f', url: 'https://cdn.example/f' })).to.equal('file')
    expect(type({ filename: 'f', url: 'https://evil.example/f' })).to.equal('dropped_file')
    for (const data of [
      { filename: 'f' },
      { url: '/f' },
      { filename: '', url: '/f' },
      { filename: 'f', url: 1 },
    ])
      expect(type(data), JSON.stringify(data)).to.equal('unparsable')
  })

  it('ends well, with the final response where there is one', () => {
    expect(map('execution_complete', { final_response: 'x' })).to.deep.equal({
      type: 'complete',
      finalResponse: 'x',
    })
    expect(map('execution_complete', null)).to.deep.equal({ type: 'complete', finalResponse: undefined })
  })

  it('reads execution_error in camelCase and snake_case', () => {
    const expected = {
      type: 'failure',
      code: 'LLM_DOWN',
      httpStatus: 502,
      traceId: 't-1',
      timeout: false,
      cancelled: false,
    }
    expect(
      map('execution_error', { error: 'x', code: 'LLM_DOWN', httpStatus: 502, traceId: 't-1' }),
    ).to.deep.equal(expected)
    expect(
      map('execution_error', { error: 'x', code: 'LLM_DOWN', http_status: 502, trace_id: 't-1' }),
    ).to.deep.equal(expected)
  })

  it('knows the codes of a time-out kind and the cancelled one', () => {
    for (const code of ['TIMEOUT', 'LLM_TIMED_OUT', 'ReadTimeout', 'deadline_exceeded', 'time-out']) {
      expect(map('execution_error', { error: 'x', code }), code).to.include({ timeout: true })
    }
    expect(map('execution_error', { error: 'x', httpStatus: 504 })).to.include({ timeout: true })
    expect(map('execution_error', { error: 'x', code: 'TIME' })).to.include({ timeout: false })
    expect(map('execution_error', { error: 'x', code: 'EXECUTION_CANCELLED' })).to.include({
      cancelled: true,
    })
    expect(map('execution_error', 'nonsense')).to.include({ type: 'failure', code: undefined })
  })

  it('keeps codes that are no codes out of logs', () => {
    expect(map('execution_error', { code: 'a b\n', traceId: 'x'.repeat(200) })).to.include({
      code: undefined,
      traceId: undefined,
    })
  })

  it('tells pings, unknown events and garbage apart', () => {
    expect(map('ping', 1).type).to.equal('ping')
    expect(map('new_kind', {}).type).to.equal('unknown')
    expect(map('toString', {}).type).to.equal('unknown')
    expect(map('text_chunk', { content: 1 }).type).to.equal('unparsable')
    expect(map('text_chunk', null).type).to.equal('unparsable')
    expect(map('tool_call_start', {}).type).to.equal('unparsable')
    expect(map('plan_created', { steps: [1] }).type).to.equal('unparsable')
    for (const frame of ['', '{', '[]', 'null', '1', '{"data":{}}']) {
      expect(mapRuntimeFrame(frame, FILES).type, frame).to.equal('unparsable')
    }
  })
})
