import { createRequire } from 'node:module'
import { expect } from 'chai'
import { createChatClient } from '../../src/client/index.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  temporaryFlags,
} from '../support/processes.js'
import { rawStart } from '../support/raw-client.js'
import { type Event, eventsOf, headerOf, rawResume, storyOf } from '../support/resuming.js'

/** `fetch` whose answers break after so many bytes each, in order; the others are whole. */
function breaking(...cuts: readonly number[]) {
  const calls: string[] = []
  const cutting = async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const cut = cuts[calls.length]
    calls.push(`${init?.method ?? 'GET'} ${new URL(String(url)).pathname.replace(/[\da-f-]{36}/, ':id')}`)
    const response = await fetch(url, init)
    if (cut === undefined || response.body === null) return response
    let left = cut
    const broken = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        controller.enqueue(chunk.subarray(0, left))
        left -= chunk.length
        if (left <= 0) controller.error(new TypeError('terminated'))
      },
    })
    const { status, headers } = response
    return new Response(response.body.pipeThrough(broken), { status, headers })
  }
  return { calls, fetch: cutting }
}

/** The part of the library that is used. It is written for pages: it looks for `window` and `document`. */
const library: {
  readonly fetchEventSource: (url: string, options: object) => Promise<void>
} = createRequire(import.meta.url)('@microsoft/fetch-event-source')

describe('a running service whose streams break', function () {
  this.timeout(60_000)
  const flags = temporaryFlags()
  let llm: RunningProcess
  let runtime: RunningProcess
  let service: RunningProcess
  let whole = ''

  before(async () => {
    ;[llm, runtime] = await Promise.all([startSimulator('llm'), startSimulator('runtime')])
    service = await startServiceProcess({
      llmUrl: llm.url,
      runtimeUrl: runtime.url,
      flags,
      env: { CHAT_RECONNECT_GRACE_MS: '10000' },
    })
    whole = await answerOf(fetch)
    Object.assign(globalThis, { window: globalThis, document: new EventTarget() })
  })
  after(async () => {
    Reflect.deleteProperty(globalThis, 'window')
    Reflect.deleteProperty(globalThis, 'document')
    await Promise.all([service?.end(), llm?.end(), runtime?.end()])
    flags.remove()
  })

  const calls = async (): Promise<number> =>
    ((await (await fetch(`${llm.url}/_requests`)).json()) as unknown[]).length

  async function answerOf(given: typeof fetch, options: { idempotent?: boolean } = {}): Promise<string> {
    const client = createChatClient({
      baseUrl: service.url,
      token: (await bearer()).replace('Bearer ', ''),
      retryDelayMs: 1,
      fetch: given as never,
      ...options,
    })
    const answer = await client.start({ agentId: 'assistant', message: 'Hello' }).answer()
    if (!answer.ok) throw new Error(JSON.stringify(answer.error))
    return answer.data.text
  }

  it('lets the client library go on, as often as its connections break', async () => {
    const before = await calls()
    const { fetch: broken, calls: made } = breaking(150, 400, 10, 250)
    expect(await answerOf(broken)).to.equal(whole)
    expect(made).to.deep.equal(['POST /api/v1/chat/start', ...Array(4).fill('GET /api/v1/chat/streams/:id')])
    expect(await calls()).to.equal(before + 1)
  })

  it('runs one turn where the answer to the message itself is lost', async () => {
    const before = await calls()
    let lost = 0
    const losing: typeof fetch = async (url, init) => {
      const response = await fetch(url, init)
      lost += 1
      if (lost > 2) return response
      await response.body?.cancel()
      throw new TypeError('fetch failed')
    }
    expect(await answerOf(losing, { idempotent: true })).to.equal(whole)
    expect(lost).to.equal(3)
    expect(await calls()).to.equal(before + 1)
  })

  it('lets a raw client go on as curl does, from the middle of an event', async () => {
    const authorization = await bearer()
    const port = Number(new URL(service.url).port)
    const client = await rawStart(port, authorization, 'Hello')
    await client.waitFor('id: 2')
    client.socket.destroy()
    // Whatever came beyond was lost with the connection: the turn may have ended meanwhile.
    const seen: Event[] = eventsOf(client.received()).slice(0, 2)
    const reader = await rawResume({ port }, headerOf(client, 'X-Chat-Stream-Id'), {
      Authorization: authorization,
      'Last-Event-ID': String(seen.at(-1)?.id ?? 0),
    })
    await reader.waitFor('\r\n0\r\n\r\n')
    const { ids, text, last } = storyOf([...seen, ...eventsOf(reader.received())])
    expect(ids).to.deep.equal(ids.map((_, at) => at + 1))
    expect({ text, last }).to.deep.equal({ text: whole, last: 'done' })
    reader.socket.destroy()
  })

  it('lets @microsoft/fetch-event-source go on, told of the last event it has handed on', async () => {
    const authorization = await bearer()
    const begun = await fetch(`${service.url}/api/v1/chat/start`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ agentId: 'assistant', message: 'Hello' }),
    })
    await begun.body?.cancel()
    const streamId = begun.headers.get('x-chat-stream-id')
    const { fetch: broken, calls: made } = breaking(150, 400, 10, 250)
    const seen: Event[] = []
    const control = new AbortController()
    await library.fetchEventSource(`${service.url}/api/v1/chat/streams/${streamId}`, {
      headers: { authorization },
      openWhenHidden: true,
      // It takes an id for read as soon as it has that line, also where the event is cut off after it.
      fetch: (url: string, init: RequestInit) =>
        broken(url, { ...init, headers: { authorization, 'last-event-id': String(seen.at(-1)?.id ?? 0) } }),
      signal: control.signal,
      onmessage: (message: { id: string; event: string; data: string }) => {
        seen.push({
          event: message.event,
          data: JSON.parse(message.data),
          ...(message.id === '' ? {} : { id: Number(message.id) }),
        })
        // The library asks again when a connection breaks, also after the last event.
        if (message.event === 'done') control.abort()
      },
      onerror: () => 1,
    })
    const { ids, text, last } = storyOf(seen)
    expect(ids).to.deep.equal(ids.map((_, at) => at + 1))
    expect({ text, last }).to.deep.equal({ text: whole, last: 'done' })
    expect(made.length).to.be.greaterThan(2)
  })

  it('answers from the database after a restart', async () => {
    const authorization = await bearer()
    const send = () =>
      fetch(`${service.url}/api/v1/chat/start`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json', 'idempotency-key': 'restart' },
        body: JSON.stringify({ agentId: 'assistant', message: 'Hello' }),
      })
    const first = await send()
    await first.text()
    const before = await calls()
    await service.end()
    service = await startServiceProcess({ llmUrl: llm.url, runtimeUrl: runtime.url, flags })
    const again = await send()
    expect(again.headers.get('x-chat-stream-id')).to.equal(first.headers.get('x-chat-stream-id'))
    const body = await again.text()
    expect(body.match(/^event: .*/gm)).to.deep.equal(['event: message', 'event: done'])
    expect(body).to.include(JSON.stringify(whole).slice(1, -1))
    expect(await calls()).to.equal(before)
  })
})
