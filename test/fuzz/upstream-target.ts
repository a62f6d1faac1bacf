import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { createParser } from 'eventsource-parser'
import fc from 'fast-check'
import { z } from 'zod'
import { silentLogger } from '../../src/core/logger.js'
import type { ChatBackend } from '../../src/execution/backend.js'
import { executeTurn } from '../../src/execution/execute-turn.js'
import type { Outcome } from '../../src/execution/outcome.js'
import { RuntimeExecution } from '../../src/execution/runtime/runtime-execution.js'
import type { TurnResult } from '../../src/execution/turn-result.js'
import type { HttpClient } from '../../src/execution/upstream/http-client.js'
import { UpstreamResponse } from '../../src/execution/upstream/upstream-response.js'
import { messageJson } from '../../src/http/stream/message-json.js'
import { type MessageBody, messageBodySchema } from '../../src/protocol/events.js'
import { answering } from '../support/llm-body.js'
import { manualClock } from '../support/manual-clock.js'
import { sampleLimits, sampleTurn } from '../support/sample-turn.js'
import { scripted } from '../support/scripted-backend.js'
import { type FuzzTarget, fuzzTarget, mangled, mutated, oddText } from './target.js'

/** Bytes of an upstream, from the first read to the event that a client gets. */

const inputSchema = z.strictObject({
  /** base64 */
  wire: z.string(),
  /** where the network cuts it, each modulo its length */
  cuts: z.array(z.number()),
  ending: z.enum(['end', 'break']),
  contentType: z.string(),
  gzip: z.boolean(),
  /** whether the reader takes the nth batch only later */
  holds: z.array(z.boolean()),
})
type Input = z.infer<typeof inputSchema>

const LLM_FRAMES: readonly unknown[] = [
  {
    id: 'c',
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta: { role: 'assistant', content: 'a' }, finish_reason: null }],
  },
  { choices: [{ index: 0, delta: { content: '<think>b</think>c' } }] },
  { choices: [{ index: 0, delta: { reasoning_content: 'b', content: null } }] },
  {
    choices: [
      {
        delta: {
          content: [
            { type: 'text', text: 'a' },
            { type: 'thinking', thinking: 'b' },
          ],
        },
      },
    ],
  },
  {
    choices: [{ delta: {}, finish_reason: 'stop' }],
    usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
  },
  {
    choices: [
      {
        message: {
          content: 'a',
          refusal: 'r',
          tool_calls: [{ id: 't', function: { name: 'n', arguments: '{}' } }],
        },
        finish_reason: 'tool_calls',
      },
    ],
  },
  { error: { message: 'm', code: 'boom', type: 't', param: 'p' } },
  { object: 'error', message: 'm', code: 400 },
  { detail: [{ loc: ['body'], msg: 'm', type: 't' }] },
]
const RUNTIME_FRAMES: readonly unknown[] = [
  { event: 'text_chunk', data: { content: 'a' }, timestamp: '2026-01-01T00:00:00' },
  { event: 'thinking', data: { content: 'a', stage: 's' } },
  {
    event: 'plan_created',
    data: { steps: [{ id: '1', title: 't', status: 'pending', tool: 'x' }], current_step: 0 },
  },
  { event: 'plan_step_start', data: { step_id: '1', title: 't', tool: 'x' } },
  { event: 'plan_step_failed', data: { step_id: '1', error: 'e' } },
  { event: 'tool_call_start', data: { tool_name: 't', arguments: { a: 1 } } },
  {
    event: 'tool_call_complete',
    data: { tool_name: 't', result: { b: ['c'] }, success: true, duration_ms: 5 },
  },
  { event: 'skill_call_complete', data: { skill_id: 's', skill_name: 'n', result: 'r', error: null } },
  { event: 'mcp_call_start', data: { server: 'm', tool_name: 't', arguments: 'x' } },
  {
    event: 'file_created',
    data: { filename: 'f.md', url: '/api/v1/files/f', mime_type: 'text/plain', size: 3 },
  },
  { event: 'execution_complete', data: { final_response: 'a' } },
  { event: 'execution_error', data: { error: 'e', error_code: 'x', status_code: 500, trace_id: 'y' } },
  { event: 'ping' },
]

const NOISE = [
  ': comment\n\n',
  'data:\n\n',
  'data: [DONE]\n\n',
  'event: error\n',
  'event: done\ndata: {}\n\n',
  'id: 1\nretry: 5\n\n',
  'data: ping\n\n',
  '\ufeff',
  '\n\n\n',
  'data: {"choices":[{"delta":{"content":"a\n\n',
  'data: {"event": "text_chunk", "data": {"content": NaN}}\n\n',
  `data: ${'['.repeat(3000)}\n\n`,
  `data: ${'{"a":'.repeat(3000)}\n\n`,
  'data: {"__proto__": {"choices": []}, "choices": []}\n\n',
  '<html>',
  '{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}\n',
] as const

const pieces = (frames: readonly unknown[]): fc.Arbitrary<Buffer> =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: mutated(fc.constantFrom(...frames)).map((frame) =>
        Buffer.from(`data: ${JSON.stringify(frame)}\n\n`),
      ),
    },
    {
      weight: 2,
      arbitrary: mangled(fc.constantFrom(...frames).map((frame) => `data: ${JSON.stringify(frame)}\n\n`)).map(
        (text) => Buffer.from(text),
      ),
    },
    { weight: 2, arbitrary: fc.constantFrom(...NOISE).map((text) => Buffer.from(text)) },
    { weight: 1, arbitrary: oddText.map((text) => Buffer.from(`data: ${text}\n\n`)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) },
  )

const lineEnds = fc.constantFrom('\n', '\n', '\r\n', '\r')

const inputsOf = (frames: readonly unknown[], types: readonly string[]): fc.Arbitrary<Input> =>
  fc.record({
    wire: fc.tuple(fc.array(pieces(frames), { maxLength: 10 }), lineEnds).map(([all, end]) => {
      const wire = Buffer.concat(all)
      if (end === '\n') return wire.toString('base64')
      return Buffer.from(wire.toString('latin1').replaceAll('\n', end), 'latin1').toString('base64')
    }),
    cuts: fc.array(fc.nat(5000), { maxLength: 12 }),
    ending: fc.constantFrom('end' as const, 'end' as const, 'break' as const),
    contentType: fc.constantFrom(...types),
    gzip: fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
    holds: fc.array(fc.boolean(), { maxLength: 6 }),
  })

function readsOf(wire: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (wire.length + 1)).sort((a, b) => a - b), wire.length]
  return places
    .slice(1)
    .map((to, at) => wire.subarray(places[at], to))
    .filter((read) => read.length > 0)
}

interface Seen {
  readonly text: string
  readonly thinking: string
  /** as JSON, all that is neither text nor thinking */
  readonly others: readonly string[]
  readonly end: string
}

/** ms of real time after which a turn counts as one that never ends */
const NEVER_MS = 5000

async function turnOf(backend: ChatBackend, holds: readonly boolean[]): Promise<Seen> {
  const none = (mode: 'direct_llm' | 'runtime_orchestrator') => scripted(mode, async function* () {})
  const outcomes: Outcome[] = []
  const events: MessageBody[] = []
  const ends: TurnResult[] = []
  let never: NodeJS.Timeout | undefined
  await new Promise<void>((resolve, reject) => {
    never = setTimeout(() => reject(new Error('the turn has no end')), NEVER_MS)
    let batches = 0
    const execution = executeTurn(
      sampleTurn(),
      backend.mode,
      {
        direct_llm: backend.mode === 'direct_llm' ? backend : none('direct_llm'),
        runtime_orchestrator:
          backend.mode === 'runtime_orchestrator' ? backend : none('runtime_orchestrator'),
      },
      sampleLimits,
      {
        clock: manualClock(),
        logger: silentLogger,
        signal: new AbortController().signal,
        record: (outcome) => void outcomes.push(outcome),
        after: (task) => void task.catch(reject),
      },
      {
        batch(batch) {
          if (ends.length > 0) reject(new Error('events after the end'))
          events.push(...batch)
          const isHeld = holds[batches % Math.max(1, holds.length)] === true
          batches += 1
          if (isHeld) setImmediate(() => execution.resume())
          return !isHeld
        },
        end(result) {
          ends.push(result)
          // What comes after the end, if anything does, comes soon.
          setImmediate(resolve)
        },
      },
    )
  }).finally(() => clearTimeout(never))
  expect(ends, 'ends of the turn').to.have.length(1)
  for (const outcome of outcomes)
    expect(JSON.stringify(outcome), 'a stray error').not.to.include('internal_error')
  for (const event of events) expectOneFrame(event)
  return seenOf(events, ends[0])
}

function seenOf(events: readonly MessageBody[], end: TurnResult | undefined): Seen {
  const joined = (type: 'text' | 'thinking'): string =>
    events.map((event) => (event.type === type ? event.data.content : '')).join('')
  return {
    text: joined('text'),
    thinking: joined('thinking'),
    others: events
      .filter(({ type }) => type !== 'text' && type !== 'thinking')
      .map((event) => JSON.stringify(event)),
    end: end === undefined ? '' : `${end.kind} ${'code' in end ? end.code : ''}`,
  }
}

/** Of all readers: Python's `splitlines` knows most of them. */
const LINE_ENDS = [
  '\r',
  '\n',
  '\v',
  '\f',
  '\u001c',
  '\u001d',
  '\u001e',
  '\u0085',
  '\u2028',
  '\u2029',
] as const

/** An event is one frame to any reader, and says what the schema allows. */
function expectOneFrame(event: MessageBody): void {
  messageBodySchema.parse(event)
  const json = messageJson(event, 'id', '2026-01-01T00:00:00.000Z')
  for (const end of LINE_ENDS) expect(json.includes(end), `a line end ${JSON.stringify(end)}`).to.equal(false)
  const frames: string[] = []
  const parser = createParser({ onEvent: ({ data }) => void frames.push(data) })
  parser.feed(`id: 1\nevent: message\ndata: ${json}\n\n`)
  expect(frames).to.have.length(1)
  const { type, data }: { type: unknown; data: unknown } = JSON.parse(frames[0] ?? '')
  expect({ type, data }).to.deep.equal(JSON.parse(JSON.stringify(event)))
}

/** The same bytes cut otherwise say the same. */
async function check(input: Input, backend: (reads: (Buffer | undefined)[], input: Input) => ChatBackend) {
  const plain = Buffer.from(input.wire, 'base64')
  const wire = input.gzip ? gzipSync(plain) : plain
  const readsBy = (cuts: readonly number[]): (Buffer | undefined)[] => [
    ...readsOf(wire, cuts),
    ...(input.ending === 'break' ? [undefined] : []),
  ]
  const cut = await turnOf(backend(readsBy(input.cuts), input), input.holds)
  const whole = await turnOf(backend(readsBy([]), input), [])
  expect(cut).to.deep.equal(whole)
}

/** The runtime whose answer is these reads; undefined breaks the connection. */
function runtimeAnswering(reads: readonly (Buffer | undefined)[], contentType: string): ChatBackend {
  const client: HttpClient = {
    async post({ url, onConnected }) {
      onConnected?.()
      const message = new IncomingMessage(new Socket())
      message.statusCode = 200
      if (url.endsWith('/cancel')) message.push(null)
      else {
        message.headers['content-type'] = contentType
        void feed(message, reads)
      }
      return new UpstreamResponse(message, manualClock(), () => undefined)
    },
    close: () => undefined,
  }
  const context = {
    url: 'http://runtime.test',
    files: { baseUrl: 'http://runtime.test', origins: [] },
    clock: manualClock(),
    client,
    logger: silentLogger,
    onTrouble: () => undefined,
    onRequestSent: () => undefined,
    onHead: () => undefined,
    onFileDropped: () => undefined,
  }
  return {
    mode: 'runtime_orchestrator',
    execute(turn, call, sink) {
      const execution = new RuntimeExecution(context, turn, call, sink)
      execution.start()
      return execution
    },
  }
}

async function feed(message: IncomingMessage, reads: readonly (Buffer | undefined)[]): Promise<void> {
  for (const read of reads) {
    if (read === undefined) {
      message.destroy(new Error('reset'))
      return
    }
    message.push(read)
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  message.push(null)
}

export const llmTarget: FuzzTarget = fuzzTarget({
  name: 'llm-bytes',
  inputs: inputsOf(LLM_FRAMES, [
    'text/event-stream',
    'text/event-stream; charset=utf-8',
    '',
    'application/json',
    'text/plain',
    'application/x-ndjson',
  ]),
  schema: inputSchema,
  check: (input) =>
    check(input, (reads, { contentType, gzip }) =>
      answering(reads, { contentType, contentEncoding: gzip ? 'gzip' : '' }),
    ),
})

export const runtimeTarget: FuzzTarget = fuzzTarget({
  name: 'runtime-bytes',
  inputs: inputsOf(RUNTIME_FRAMES, ['text/event-stream']).map((input) => ({ ...input, gzip: false })),
  schema: inputSchema,
  check: (input) => check(input, (reads, { contentType }) => runtimeAnswering(reads, contentType)),
})
