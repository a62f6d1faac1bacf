import { expect } from 'chai'
import { type Head, type ReadAnswer, readAnswer } from '../../support/llm-body.js'

/** One habit of a real server. The body as it is on the wire; what reading it has to come to. */
interface Dialect {
  readonly habit: string
  readonly body: string
  readonly head?: Head
  readonly thinkTags?: 'off'
  readonly comes: Partial<ReadAnswer>
}

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`
const C = (delta: unknown, finish_reason?: unknown, more: object = {}): string =>
  data({ choices: [{ index: 0, delta, finish_reason, ...more }] })
const half = C({ content: 'half' })
const END = C({}, 'stop')
const DONE = 'data: [DONE]\n\n'
const boom = { code: 'boom', message: 'secret' }
const failed = { text: 'half', code: 'llm_error' }

const ends: Dialect[] = [
  {
    habit: 'ends in [DONE]',
    body: C({ content: 'a' }) + END + DONE,
    comes: { text: 'a', finishReason: 'stop' },
  },
  { habit: '[DONE] without a reason', body: C({ content: 'a' }) + DONE, comes: { text: 'a' } },
  { habit: '[DONE] in blanks', body: `${C({ content: 'a' })}data:  [DONE] \n\n`, comes: { text: 'a' } },
  {
    habit: 'ends with the body',
    body: C({ content: 'a' }) + END,
    comes: { text: 'a', finishReason: 'stop' },
  },
  {
    habit: 'an empty reason with every chunk',
    body: C({ content: 'a' }, '') + C({ content: 'b' }, null) + C({ content: 'c' }, '') + DONE,
    comes: { text: 'abc' },
  },
  {
    habit: '"stop" with every chunk',
    body: C({ content: 'a' }, 'stop') + C({ content: 'b' }, 'stop') + C({ content: 'c' }, 'stop'),
    comes: { text: 'abc', finishReason: 'stop' },
  },
  {
    habit: 'usage after the reason',
    body: C({ content: 'a' }) + END + data({ choices: [], usage: { total_tokens: 7 } }) + DONE,
    comes: { text: 'a', finishReason: 'stop', tokens: 7 },
  },
  { habit: 'no end at all', body: half, comes: { text: 'half', code: 'llm_disconnected' } },
  {
    habit: 'empty reasons alone are no end',
    body: C({ content: 'half' }, ''),
    comes: { text: 'half', code: 'llm_disconnected' },
  },
  { habit: 'nothing at all', body: '', comes: { code: 'llm_disconnected' } },
  ...Object.entries({
    length: ['length', 'max_tokens', 'MAX_TOKENS'],
    stop: ['end_turn', 'eos', 'stop_sequence', 'STOP'],
    content_filter: ['content_filter', 'safety', 'SAFETY'],
    tool_calls: ['tool_calls', 'function_call'],
    refusal: ['refusal'],
    other: ['whatever'],
  }).flatMap(([finishReason, names]) =>
    names.map((name) => ({
      habit: `ends by ${name}`,
      body: C({ content: 'a' }) + C({}, name) + DONE,
      comes: { text: 'a', finishReason },
    })),
  ),
  {
    habit: 'a cut told once among stops',
    body: C({ content: 'a' }, 'length') + C({ content: 'b' }, 'stop'),
    comes: { text: 'ab', finishReason: 'length' },
  },
  {
    habit: 'filtered from the start',
    body: C({}, 'content_filter') + DONE,
    comes: { code: 'llm_content_filtered', rejected: true },
  },
]

const errors: Dialect[] = [
  ...['error', 'abort', 'network_error', 'insufficient_system_resource'].map((reason) => ({
    habit: `breaks by ${reason}`,
    body: half + C({}, reason) + DONE,
    comes: { ...failed, upstreamCode: reason },
  })),
  {
    habit: 'an error in the choice',
    body: half + C({}, 'error', { error: boom }) + DONE,
    comes: { ...failed, upstreamCode: 'boom' },
  },
  {
    habit: 'an error beside the choices',
    body: half + data({ choices: [], error: boom }) + DONE,
    comes: { ...failed, upstreamCode: 'boom' },
  },
  {
    habit: 'an error with a number',
    body: half + data({ error: { code: 500, message: 'x' } }) + DONE,
    comes: { ...failed, upstreamCode: '500' },
  },
  { habit: 'an error that is a text', body: half + data({ error: 'secret' }) + DONE, comes: failed },
  {
    habit: 'an error after the reason',
    body: half + END + data({ error: boom }) + DONE,
    comes: { ...failed, upstreamCode: 'boom' },
  },
  {
    habit: 'an event named error',
    body: `${half}event: error\n${data(boom)}${DONE}`,
    comes: { ...failed, upstreamCode: 'boom' },
  },
  ...['event: error\n\n', 'event:error\r\n\r\n', 'id: 7\nevent: error\nid: 8\n\n', 'event: error\r\r'].map(
    (bare) => ({
      habit: `an event named error and nothing else: ${JSON.stringify(bare)}`,
      body: half + bare + DONE,
      comes: failed,
    }),
  ),
  { habit: 'an event named error and nothing else, at the end', body: `${half}event: error`, comes: failed },
  {
    habit: 'the name of such an event in a text, and others like it',
    body: `${C({ content: 'event: error\n' })}event: errors\n${data({ choices: [{ index: 0, delta: { content: 'b' } }] })}${END}${DONE}`,
    comes: { text: 'event: error\nb', finishReason: 'stop' },
  },
  {
    habit: 'an event named error with a text',
    body: `${half}event: error\ndata: secret\n\n${DONE}`,
    comes: failed,
  },
  {
    habit: 'an event named error with an error',
    body: `${half}event: error\n${data({ error: boom })}${DONE}`,
    comes: { ...failed, upstreamCode: 'boom' },
  },
  {
    habit: 'a line error:',
    body: `${half}error: ${JSON.stringify(boom)}\n\n${DONE}`,
    comes: { ...failed, upstreamCode: 'boom' },
  },
  {
    habit: 'a line of bare JSON',
    body: `${half}${JSON.stringify({ error: boom })}\n\n${DONE}`,
    comes: { ...failed, upstreamCode: 'boom' },
  },
  {
    habit: 'object: error',
    body: half + data({ object: 'error', ...boom }) + DONE,
    comes: { ...failed, upstreamCode: 'boom' },
  },
  { habit: 'detail', body: half + data({ detail: 'secret' }) + DONE, comes: failed },
  { habit: 'message and code', body: half + data(boom) + DONE, comes: { ...failed, upstreamCode: 'boom' } },
  {
    habit: 'message and code, and null for choices',
    body: half + data({ choices: null, ...boom }) + DONE,
    comes: { ...failed, upstreamCode: 'boom' },
  },
  {
    habit: 'x_groq.error',
    body: half + data({ choices: [], x_groq: { error: boom } }) + DONE,
    comes: { ...failed, upstreamCode: 'boom' },
  },
  {
    habit: 'a filter told as an error',
    body: data({ error: { code: 'content_filter' } }) + DONE,
    comes: { code: 'llm_content_filtered', rejected: true, upstreamCode: 'content_filter' },
  },
  {
    habit: 'an error that is none',
    body: data({ choices: [], error: '' }) + data({ error: null }) + C({ content: 'a' }) + DONE,
    comes: { text: 'a' },
  },
]

const content: Dialect[] = [
  {
    habit: 'content in parts',
    body:
      C({
        content: [
          { type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] },
          { type: 'text', text: 'a' },
          { type: 'image_url' },
          { type: 'text', text: 'b' },
        ],
      }) + DONE,
    comes: { text: 'ab', thinking: 'hm' },
  },
  {
    habit: 'message in place of delta',
    body: data({ choices: [{ message: { content: 'a' } }] }) + DONE,
    comes: { text: 'a' },
  },
  ...['reasoning_content', 'reasoning', 'thinking'].map((field) => ({
    habit: field,
    body: C({ [field]: 'hm', content: null }) + C({ content: 'a' }) + DONE,
    comes: { text: 'a', thinking: 'hm' },
  })),
  {
    habit: 'the same reasoning under two names',
    body: C({ reasoning: 'hm', reasoning_content: 'hm' }) + C({ content: 'a' }) + DONE,
    comes: { text: 'a', thinking: 'hm' },
  },
  {
    habit: 'a refusal',
    body: C({ refusal: 'No.' }) + END + DONE,
    comes: { text: 'No.', finishReason: 'refusal' },
  },
  {
    habit: 'a think block',
    body: C({ content: '<think>hm</think>a' }) + DONE,
    comes: { text: 'a', thinking: 'hm' },
  },
  {
    habit: 'a think block over many chunks',
    body:
      ['\n', '<th', 'ink', '>h', 'm <', 'b> </th', 'ink>', '\n\n', 'a</think>']
        .map((piece) => C({ content: piece }))
        .join('') + DONE,
    comes: { text: '\n\na</think>', thinking: 'hm <b> ' },
  },
  {
    habit: 'a think block that is text',
    thinkTags: 'off',
    body: C({ content: '<think>hm</think>a' }) + DONE,
    comes: { text: '<think>hm</think>a' },
  },
  {
    habit: 'a tag that is none',
    body: C({ content: '<thi' }) + C({ content: 's>' }) + DONE,
    comes: { text: '<this>' },
  },
  { habit: 'ends in half a tag', body: C({ content: '<thi' }) + DONE, comes: { text: '<thi' } },
  {
    habit: 'a think block in mid-text',
    body: C({ content: 'a<think>b</think>' }) + DONE,
    comes: { text: 'a<think>b</think>' },
  },
  {
    habit: 'a surrogate pair over two chunks',
    body:
      'data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\ndata: {"choices":[{"delta":{"content":"\\ude00b"}}]}\n\n' +
      DONE,
    comes: { text: 'a😀b' },
  },
  {
    habit: 'half a surrogate pair',
    body: `data: {"choices":[{"delta":{"content":"\\ude00a\\ud83d"}}]}\n\n${C({ content: 'b\ud83d' })}${DONE}`,
    comes: { text: '\ufffda\ufffdb\ufffd' },
  },
  {
    habit: 'a second choice',
    body:
      data({ choices: [{ index: 1, delta: { content: 'x' }, finish_reason: 'length' }] }) +
      data({
        choices: [
          { index: 1, delta: { content: 'x' } },
          { index: 0, delta: { content: 'a' } },
        ],
      }) +
      END +
      DONE,
    comes: { text: 'a', finishReason: 'stop' },
  },
  {
    habit: 'keep-alives as data',
    body:
      Array.from({ length: 5 }, () => 'data:\n\ndata: : keepalive\n\ndata: ping\n\ndata: null\n\n').join('') +
      C({ content: 'a' }) +
      DONE,
    comes: { text: 'a' },
  },
  {
    habit: 'one line end between chunks',
    body: `${C({ content: 'a' }).trimEnd()}\n${C({ content: 'b' }).trimEnd()}\n${DONE}`,
    comes: { text: 'ab' },
  },
  {
    habit: 'CRLF and a byte order mark',
    body: `\ufeff${(C({ content: 'é' }) + END + DONE).replaceAll('\n', '\r\n')}`,
    comes: { text: 'é', finishReason: 'stop' },
  },
]

const whole = {
  object: 'chat.completion',
  choices: [{ index: 0, message: { role: 'assistant', content: 'a' }, finish_reason: 'stop' }],
  usage: { total_tokens: 3 },
}
const html = '<!doctype html><title>x</title>'
const heads: Dialect[] = [
  ...['', 'text/plain', 'application/octet-stream', 'application/json, text/event-stream'].map(
    (contentType) => ({
      habit: `SSE as "${contentType}"`,
      head: { contentType },
      body: `\n${C({ content: 'a' })}${DONE}`,
      comes: { text: 'a' },
    }),
  ),
  ...[': hi\n\n', 'event: x\n', 'id: 1\n'].map((first) => ({
    habit: `SSE that begins ${JSON.stringify(first)}`,
    head: { contentType: 'text/plain' },
    body: `${first}${C({ content: 'a' })}${DONE}`,
    comes: { text: 'a' },
  })),
  ...['application/json', '', 'text/event-stream'].map((contentType) => ({
    habit: `a whole completion as "${contentType}"`,
    head: { contentType },
    body: JSON.stringify(whole, null, 2),
    comes: { text: 'a', finishReason: 'stop', tokens: 3 },
  })),
  {
    habit: 'an error with 200',
    head: { contentType: 'application/json' },
    body: JSON.stringify({ error: { code: 'insufficient_quota' } }),
    comes: { code: 'llm_error', upstreamCode: 'insufficient_quota' },
  },
  {
    habit: 'JSON that is no completion',
    head: { contentType: 'application/json' },
    body: '{"status":"ok"}',
    comes: { code: 'llm_protocol_error' },
  },
  {
    habit: 'lines of JSON that break off',
    head: { contentType: 'application/x-ndjson' },
    body: '{"choices":[{"delta":{"content":"a"}}]}\n{"choices":[{"delta":{"content":"b"}}]}\n',
    comes: { text: 'ab', code: 'llm_disconnected' },
  },
  {
    habit: 'lines of JSON',
    head: { contentType: 'application/x-ndjson' },
    body:
      '\ufeff{"choices":[{"delta":{"content":"a\u00e4"}}]}\r\n\n{"choices":[{"delta":{"content":"b"}}]}\n' +
      '{"choices":[{"delta":{},"finish_reason":"stop"}]}\n{"choices":[],"usage":{"total_tokens":7}}',
    comes: { text: 'aäb', finishReason: 'stop', tokens: 7 },
  },
  {
    habit: 'lines of JSON that end in [DONE]',
    head: { contentType: 'application/json' },
    body: '{"choices":[{"delta":{"content":"a"}}]}\n[DONE]\n',
    comes: { text: 'a' },
  },
  {
    habit: 'a whole completion over several lines',
    head: { contentType: 'application/json' },
    body: JSON.stringify({ choices: [{ message: { content: 'a' } }] }, null, 2),
    comes: { text: 'a' },
  },
  ...['text/html', 'text/event-stream', ''].map((contentType) => ({
    habit: `HTML as "${contentType}"`,
    head: { contentType },
    body: html,
    comes: { code: 'llm_protocol_error' },
  })),
  {
    habit: 'plain text',
    head: { contentType: 'text/plain' },
    body: 'upstream busy',
    comes: { code: 'llm_protocol_error' },
  },
]

const everyByte = (bytes: Buffer): Buffer[] => Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))

for (const [subject, dialects] of Object.entries({ ends, errors, content, heads })) {
  describe(`dialects of chat completions: ${subject}`, () => {
    for (const { habit, body, head, thinkTags, comes } of dialects) {
      const options = thinkTags === undefined ? {} : { thinkTags }
      const expected = { text: '', thinking: '', ...comes }
      it(habit, async () => {
        const bytes = Buffer.from(body)
        expect(await readAnswer(bytes.length === 0 ? [] : [bytes], head, options), 'whole').to.deep.equal(
          expected,
        )
        expect(await readAnswer(everyByte(bytes), head, options), 'byte by byte').to.deep.equal(expected)
        for (let at = 1; at < bytes.length; at += 1) {
          const cut = await readAnswer([bytes.subarray(0, at), bytes.subarray(at)], head, options)
          expect(cut, `cut at ${at}`).to.deep.equal(expected)
        }
      })
    }
  })
}

describe('an answer whose connection breaks', () => {
  const broken = (...bodies: string[]) => readAnswer([...bodies.map((body) => Buffer.from(body)), undefined])

  it('is complete where its end was told', async () => {
    expect(await broken(half, END))
      .to.include({ text: 'half', finishReason: 'stop' })
      .and.not.have.property('code')
  })

  it('is not where text went on after the reason', async () => {
    const comes = await broken(C({ content: 'a' }, 'stop'), C({ content: 'b' }, 'stop'))
    expect(comes).to.include({ text: 'ab', code: 'llm_disconnected' })
  })
})
