import { expect } from 'chai'
import fc from 'fast-check'
import { silentLogger } from '../../../src/core/logger.js'
import type { BackendEvent, ChatBackend } from '../../../src/execution/backend.js'
import { terminalEvent } from '../../../src/http/chat/terminal-event.js'
import type { MessageBody } from '../../../src/protocol/events.js'
import { answering } from '../../support/llm-body.js'
import { manualClock } from '../../support/manual-clock.js'
import { pulledTurn } from '../../support/pulled.js'
import { sampleLimits, sampleTurn } from '../../support/sample-turn.js'
import { scripted } from '../../support/scripted-backend.js'

/** One chunk as some server sends it, and what it is of the answer. */
interface Piece {
  readonly wire: string
  readonly text?: string
  readonly thinking?: string
  readonly fails?: true
}

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`
const chunk = (delta: unknown, finish?: string | null): string =>
  data({ choices: [{ index: 0, delta, ...(finish === undefined ? {} : { finish_reason: finish }) }] })
const failing = (wire: string): Piece => ({ wire, fails: true })

// Text that is no beginning of a tag, whole surrogate pairs, not seldom white space.
const words = fc.oneof(
  fc.constantFrom(' ', '\n\n', 'a', 'é', '你好', '🦊', ' b ', '</think>', '\u2028', '[DONE]', 'data: x'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }).filter((text) => !/\p{Surrogate}/u.test(text)),
)
const finish = fc.constantFrom(undefined, null, '', 'stop')

const textPiece: fc.Arbitrary<Piece> = fc
  .tuple(words, finish, fc.constantFrom('delta', 'message', 'parts', 'refusal', 'second', 'lines'))
  .map(([text, reason, form]) => ({ text, wire: textWire(text, reason, form) }))

function textWire(text: string, reason: string | null | undefined, form: string): string {
  if (form === 'message') return data({ choices: [{ message: { content: text }, finish_reason: reason }] })
  if (form === 'parts') return chunk({ content: [{ type: 'image_url' }, { type: 'text', text }] }, reason)
  if (form === 'refusal') return chunk({ refusal: text }, reason)
  if (form === 'lines') return `${chunk({}).trimEnd()}\n${chunk({ content: text }, reason)}`
  const own = { index: 0, delta: { content: text }, finish_reason: reason }
  if (form === 'second') return data({ choices: [{ index: 1, delta: { content: 'x' } }, own] })
  return data({ choices: [own] })
}

const splitPair: fc.Arbitrary<Piece> = fc.constant({
  text: 'a🦊',
  wire: `data: {"choices":[{"delta":{"content":"a\\ud83e"}}]}\n\n${'data: {"choices":[{"delta":{"content":"\\udd8a"}}]}\n\n'}`,
})

const thinkingPiece: fc.Arbitrary<Piece> = fc
  .tuple(words, fc.constantFrom('reasoning_content', 'reasoning', 'thinking'))
  .map(([thinking, field]) => ({ thinking, wire: chunk({ [field]: thinking, content: null }) }))

const nothing: fc.Arbitrary<Piece> = fc
  .constantFrom(
    ': comment\n\n',
    'data:\n\n',
    'data: : keepalive\n\n',
    'data: ping\n\n',
    'data: null\n\n',
    'id: 1\nretry: 5\n\n',
    chunk({ role: 'assistant', content: '' }),
    data({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 } }),
    data({ choices: [{ index: 1, delta: { content: 'x' }, finish_reason: 'length' }] }),
    data({ choices: [], error: '' }),
    data({ choices: [], error: null }),
    'data: {garbage\n\n',
  )
  .map((wire) => ({ wire }))

const boom = { code: 'boom', message: 'x' }
const failure: fc.Arbitrary<Piece> = fc
  .constantFrom(
    data({ error: boom }),
    data({ error: 'x' }),
    data({ choices: [], error: boom }),
    data({ choices: [{ delta: {}, error: boom }] }),
    data({ choices: [], x_groq: { error: boom } }),
    data({ object: 'error', ...boom }),
    data({ detail: 'x' }),
    data(boom),
    `event: error\n${data(boom)}`,
    'event: error\ndata: x\n\n',
    `error: ${JSON.stringify(boom)}\n\n`,
    chunk({}, 'error'),
    chunk({}, 'abort'),
    chunk({}, 'network_error'),
  )
  .map(failing)

// `<think>` counts at the very start alone.
const thinkBlock: fc.Arbitrary<Piece> = fc.tuple(words, fc.nat()).map(([thinking, at]) => {
  const block = `<think>${thinking.replaceAll('</think>', '')}</think>`
  const place = at % (block.length + 1)
  return {
    thinking: thinking.replaceAll('</think>', ''),
    wire: chunk({ content: block.slice(0, place) }) + chunk({ content: block.slice(place) }),
  }
})

const ending = fc.constantFrom(
  'data: [DONE]\n\n',
  'data:  [DONE] \n\n',
  chunk({}, 'stop'),
  'break',
  'nothing',
)

const answers = fc.record({
  opening: fc.option(thinkBlock, { nil: undefined }),
  pieces: fc.array(
    fc.oneof(
      { weight: 6, arbitrary: textPiece },
      { weight: 1, arbitrary: splitPair },
      { weight: 2, arbitrary: thinkingPiece },
      { weight: 2, arbitrary: nothing },
      { weight: 1, arbitrary: failure },
    ),
    { maxLength: 12 },
  ),
  ending,
  cuts: fc.array(fc.nat(), { maxLength: 20 }),
  encoding: fc.constantFrom('lf', 'crlf'),
})

/** What a client sees: every message, and the one event that ends the stream. */
async function seenBy(reads: readonly (Buffer | undefined)[]) {
  const clock = manualClock()
  const answer = answering(reads)
  const direct_llm: ChatBackend = {
    mode: 'direct_llm',
    execute(turn, call, sink) {
      call.onConnected()
      call.onHeaders()
      return answer.execute(turn, call, sink)
    },
  }
  const none = scripted('runtime_orchestrator', async function* (): AsyncGenerator<BackendEvent[]> {})
  const turn = pulledTurn(
    sampleTurn(),
    'direct_llm',
    { direct_llm, runtime_orchestrator: none },
    sampleLimits,
    {
      clock,
      logger: silentLogger,
      signal: new AbortController().signal,
      record() {},
      after() {},
    },
  )
  const events: MessageBody[] = []
  for (;;) {
    const step = await turn.next()
    if (step.done !== true) {
      events.push(...step.value)
      continue
    }
    const decision = { mode: 'direct_llm', reason: 'code_default', shadow: false } as const
    const facts = { sessionId: 's', messageId: 'm', decision, language: 'en', latencyMs: 1 } as const
    return { events, terminal: terminalEvent(step.value, 'kept', facts) }
  }
}

describe('any sequence of chunks in the dialects of the world', () => {
  it('shows the visible content, all of it, and one end; never a done after a failure', async () => {
    await fc.assert(
      fc.asyncProperty(answers, async ({ opening, pieces, ending: end, cuts, encoding }) => {
        const all = opening === undefined ? pieces : [opening, ...pieces]
        const failsAt = all.findIndex((piece) => piece.fails === true)
        const read = failsAt === -1 ? all : all.slice(0, failsAt)
        const text = read.map((piece) => piece.text ?? '').join('')
        const thinking = read.map((piece) => piece.thinking ?? '').join('')

        const { events, terminal } = await seenBy(
          readsOf(all.map(({ wire }) => wire).join(''), end, encoding === 'crlf', cuts),
        )
        const joined = (type: 'text' | 'thinking'): string =>
          events.map((event) => (event.type === type ? event.data.content : '')).join('')
        expect(joined('text')).to.equal(text)
        expect(joined('thinking')).to.equal(thinking)
        expect(terminal).not.to.equal(undefined)
        if (failsAt !== -1) expect(terminal?.event).to.equal('error')
        const finished = end.includes('DONE') || end.includes('"stop"')
        if (failsAt === -1 && finished) {
          expect(terminal?.event).to.equal(/[^\s\u00ad\u200b-\u200f\u2060]/.test(text) ? 'done' : 'error')
        }
        if (terminal?.event === 'done') expect(text.trim()).not.to.equal('')
      }),
      { numRuns: 2000 },
    )
  })
})

function readsOf(
  wire: string,
  end: string,
  crlf: boolean,
  cuts: readonly number[],
): readonly (Buffer | undefined)[] {
  const body = end === 'break' || end === 'nothing' ? wire : wire + end
  const bytes = Buffer.from(crlf ? body.replaceAll('\n', '\r\n') : body)
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  const reads: (Buffer | undefined)[] = places
    .slice(1)
    .map((to, at) => bytes.subarray(places[at], to))
    .filter((read) => read.length > 0)
  if (end === 'break') reads.push(undefined)
  return reads
}
