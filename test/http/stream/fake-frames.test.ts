import { expect } from 'chai'
import { createParser } from 'eventsource-parser'
import fc from 'fast-check'
import { RuntimeTranslator } from '../../../src/execution/runtime/runtime-translator.js'
import { codePoint } from '../../support/code-point.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'
import { sampleTransition } from '../../support/fallback-fakes.js'
import { postCompletion } from '../../support/openai.js'
import { chunksOf, httpText, rawClient } from '../../support/raw-client.js'
import { scripted } from '../../support/scripted-backend.js'

/** What ends a line or a frame for some reader, or looks like a frame of its own. */
const evil = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '\r',
        '\n',
        '\r\n',
        '\n\n',
        '\0',
        '\u0085',
        '\u2028',
        '\u2029',
        '\v',
        '\f',
        '\u001c',
        '\ufeff',
      ),
      fc.constantFrom(
        'data: [DONE]',
        'event: done',
        'id: 99',
        'data: {}',
        ': ',
        'retry: 1',
        '"',
        '\\',
        '\\u2028',
        '\\n',
      ),
      fc.string({ unit: codePoint, maxLength: 3 }),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''))
const value = fc.oneof(evil, fc.dictionary(evil, evil, { maxKeys: 2 }), fc.array(evil, { maxLength: 2 }))

/** One frame of a runtime, each field of which is as bad as it can be. */
const frame = fc
  .record({
    event: fc.constantFrom(
      ...['text_chunk', 'thinking', 'plan_created', 'plan_step_start', 'plan_step_failed', 'tool_call_start'],
      ...['tool_call_complete', 'skill_call_start', 'mcp_call_complete', 'file_created'],
    ),
    data: fc.record({
      content: evil,
      stage: evil,
      steps: fc.array(fc.record({ id: evil, title: evil }), { maxLength: 2 }),
      step_id: evil,
      title: evil,
      tool: evil,
      params: value,
      tool_name: evil,
      skill_id: evil,
      skill_name: evil,
      server_id: evil,
      arguments: value,
      result: value,
      error: value,
      filename: evil,
      mime_type: evil,
      url: evil.map((text) => `/${text}`),
    }),
  })
  .map((all) => JSON.stringify(all))

interface Seen {
  readonly event: string | undefined
  readonly id: string | undefined
  readonly data: string
}

/** As the standard reads a stream: CR, LF and CRLF end a line. */
function byStandard(body: string): Seen[] {
  const seen: Seen[] = []
  const parser = createParser({ onEvent: ({ event, id, data }) => seen.push({ event, id, data }) })
  parser.feed(body)
  return seen
}

/** As clients read it that take more for a line's end; Python's `splitlines` is the widest. */
function byLines(body: string, lineEnd: RegExp): Seen[] {
  const seen: Seen[] = []
  let fields = new Map<string, string>()
  for (const line of body.split(lineEnd)) {
    if (line === '') {
      const data = fields.get('data')
      if (data !== undefined) seen.push({ event: fields.get('event'), id: fields.get('id'), data })
      fields = new Map()
      continue
    }
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''))
  }
  return seen
}

const WIDEST = ['\r\n', '[\n\v\f\r', '\u001c-\u001e\u0085\u2028\u2029]']
const READERS = [/\n/, /\r\n|[\n\r]/, new RegExp(`${WIDEST[0]}|${WIDEST[1]}${WIDEST[2]}`)]

/** Every kind of reader sees the same events; each of them one line of JSON. */
function sameForAll(body: string): Seen[] {
  const seen = byStandard(body)
  for (const lineEnd of READERS) expect(byLines(body, lineEnd), String(lineEnd)).to.deep.equal(seen)
  return seen
}

describe('an event stream', () => {
  let edge: Edge
  let frames: readonly string[] = []
  before(async () => {
    const runtime = scripted('runtime_orchestrator', async function* (_turn, call) {
      call.onConnected()
      call.onHeaders()
      const translator = new RuntimeTranslator({ baseUrl: 'http://runtime', origins: [] }, [])
      for (const one of frames) yield translator.translate([one]) ?? []
    })
    edge = await startEdge({
      flags: { mode: { value: 'runtime_orchestrator', reason: 'default' } },
      backends: { runtime_orchestrator: runtime },
    })
  })
  after(() => edge.close())

  const bodyOf = async (path: 'chat' | 'openai', all: readonly string[]): Promise<string> => {
    frames = all
    if (path === 'openai') return (await postCompletion(edge.url, await bearer(), { stream: true })).text()
    const response = await fetch(`${edge.url}/api/v1/chat/start`, {
      method: 'POST',
      headers: { authorization: await bearer(), 'content-type': 'application/json' },
      body: JSON.stringify({ agentId: 'assistant', message: 'Hi' }),
    })
    return response.text()
  }

  it('has the same events for every reader, whatever a runtime puts into its fields', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 6 }), async (all) => {
        const seen = sameForAll(await bodyOf('chat', all))
        expect(seen.map(({ id }) => id)).to.deep.equal(seen.map((_, n) => String(n + 1)))
        expect(seen.slice(0, -1).every(({ event }) => event === 'message')).to.equal(true)
        expect(seen.at(-1)?.event).to.be.oneOf(['done', 'error'])
        for (const { data } of seen) expect(JSON.parse(data)).to.be.an('object')
      }),
      { numRuns: 60 },
    )
  })

  it('has them for the clients of OpenAI too', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 6 }), async (all) => {
        const seen = sameForAll(await bodyOf('openai', all))
        const done = seen.filter(({ data }) => data === '[DONE]')
        expect(done.length).to.be.at.most(1)
        expect(seen.every(({ event }) => event === undefined)).to.equal(true)
        for (const { data } of seen) if (data !== '[DONE]') expect(JSON.parse(data)).to.be.an('object')
      }),
      { numRuns: 60 },
    )
  })

  it('has them for operators, whose transitions carry the words of others', async () => {
    const reader = await rawClient(edge.port)
    const headers = { Authorization: await bearer({ role: 'admin' }) }
    reader.socket.write(httpText('GET', '/api/v1/runtime/events', headers))
    await reader.waitFor('event: metrics')
    const reason = 'a\u2028data: x\u2029\u0085event: flags\r\n\r\nevent: flags'
    edge.fallback.emit({
      kind: 'transition',
      transition: { ...sampleTransition(), actor: 'manual', cause: 'manual', reason },
    })
    await reader.waitFor('event: transition')
    const seen = sameForAll(chunksOf(reader.received()).join(''))
    expect(seen.map(({ event }) => event)).to.deep.equal(['metrics', 'transition'])
    expect(JSON.parse(seen[1]?.data ?? '')).to.include({ reason })
    reader.socket.destroy()
  })
})
