import { expect } from 'chai'
import { type ChatClientOptions, type ChatEvent, createChatClient } from '../../src/client/index.js'
import { doneEvent, RESUMABLE, STREAM_HEADERS, type StandIn, standIn, textEvent } from './stand-in.js'

describe('a stream that breaks', () => {
  const opened: StandIn[] = []
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close()
  })

  async function service(handle: Parameters<typeof standIn>[0], options: Partial<ChatClientOptions> = {}) {
    const server = await standIn(handle)
    opened.push(server)
    const chat = createChatClient({ baseUrl: server.url, token: 't', retryDelayMs: 1, ...options })
    return { server, chat }
  }

  async function told(
    turn: AsyncIterable<ChatEvent>,
  ): Promise<{ kinds: string[]; text: string; last: ChatEvent | undefined }> {
    const kinds: string[] = []
    let text = ''
    let last: ChatEvent | undefined
    for await (const event of turn) {
      kinds.push(event.type)
      if (event.type === 'message' && event.message.type === 'text') text += event.message.data.content
      last = event
    }
    return { kinds, text, last }
  }
  const start = { agentId: 'a', message: 'Hi' }

  it('is resumed after its last event where the service offers it, and nothing comes twice', async () => {
    const { server, chat } = await service((_request, response, call) => {
      response.writeHead(200, RESUMABLE)
      if (call === 1) {
        response.write(textEvent(1, 'one '))
        response.write(textEvent(2, 'two '), () => response.destroy())
      } else if (call === 2) {
        // Repeats one, and breaks in the middle of the next.
        response.write(textEvent(2, 'two ') + textEvent(3, 'three ').slice(0, -9), () => response.destroy())
      } else response.end(textEvent(3, 'three ') + doneEvent(4))
    })
    const { kinds, text } = await told(chat.start(start))
    expect(text).to.equal('one two three ')
    expect(kinds).to.deep.equal(['open', 'message', 'message', 'retry', 'retry', 'message', 'done'])
    expect(server.calls).to.deep.equal([
      'POST /api/v1/chat/start',
      'GET /api/v1/chat/streams/stream-1 from 2',
      'GET /api/v1/chat/streams/stream-1 from 2',
    ])
  })

  it('is not resumed where the service does not offer it, and nothing is sent again', async () => {
    const { server, chat } = await service((_request, response) => {
      response.writeHead(200, STREAM_HEADERS)
      response.write(textEvent(1, 'one'), () => response.destroy())
    })
    const { kinds, last } = await told(chat.start(start))
    expect(kinds).to.deep.equal(['open', 'message', 'failed'])
    expect(last?.type === 'failed' && last.error).to.include({ kind: 'interrupted', reason: 'broke' })
    expect(server.calls).to.have.length(1)
  })

  it('tells how it was interrupted', async () => {
    const early = await service((_request, response) => {
      response.writeHead(200, STREAM_HEADERS)
      response.end(textEvent(1, 'one'))
    })
    const silent = await service(
      (_request, response) => {
        response.writeHead(200, STREAM_HEADERS)
        response.write(textEvent(1, 'one'))
      },
      { silenceMs: 30 },
    )
    const reasons = []
    for (const { chat } of [early, silent]) {
      const { last } = await told(chat.start(start))
      reasons.push(last?.type === 'failed' && last.error.kind === 'interrupted' && last.error.reason)
    }
    expect(reasons).to.deep.equal(['ended', 'silent'])
  })

  for (const status of [404, 410])
    it(`is told as interrupted where the service has given it up: ${status}`, async () => {
      const { chat } = await service((_request, response, call) => {
        if (call === 1) {
          response.writeHead(200, RESUMABLE)
          response.write(textEvent(1, 'one'), () => response.destroy())
        } else {
          response.writeHead(status, { 'content-type': 'application/json' })
          response.end(JSON.stringify({ success: false, error: { code: 'not_found', message: 'gone' } }))
        }
      })
      const { last } = await told(chat.start(start))
      expect(last?.type === 'failed' && last.error.kind).to.equal('interrupted')
    })

  it('counts as dead where nothing comes for too long', async () => {
    const { server, chat } = await service(
      (_request, response, call) => {
        response.writeHead(200, RESUMABLE)
        if (call === 1) response.write(textEvent(1, 'one '))
        else response.end(textEvent(2, 'two') + doneEvent(3))
      },
      { silenceMs: 50 },
    )
    const { kinds, text } = await told(chat.start(start))
    expect(kinds).to.deep.equal(['open', 'message', 'retry', 'message', 'done'])
    expect(text).to.equal('one two')
    expect(server.calls).to.have.length(2)
  })

  it('waits as long as the stream asks', async () => {
    const { chat } = await service((_request, response, call) => {
      response.writeHead(200, RESUMABLE)
      if (call === 1) response.write(`retry: 40\n${textEvent(1, 'one')}`, () => response.destroy())
      else response.end(doneEvent(2))
    })
    const waits: number[] = []
    for await (const event of chat.start(start)) if (event.type === 'retry') waits.push(event.afterMs)
    expect(waits).to.have.length(1)
    expect(waits[0]).to.be.within(20, 40)
  })

  it('of another page is gone on with', async () => {
    const { server, chat } = await service((_request, response) => {
      response.writeHead(200, RESUMABLE)
      response.end(textEvent(8, 'eight') + doneEvent(9))
    })
    const { kinds, text } = await told(chat.resume({ streamId: 'stream-1', lastEventId: 7 }))
    expect(kinds).to.deep.equal(['open', 'message', 'done'])
    expect(text).to.equal('eight')
    expect(server.calls).to.deep.equal(['GET /api/v1/chat/streams/stream-1 from 7'])
  })

  it('gives up after some tries without an event', async () => {
    const { server, chat } = await service((_request, response, call) => {
      response.writeHead(200, RESUMABLE)
      response.write(call === 1 ? textEvent(1, 'one') : ': nothing\n\n', () => response.destroy())
    })
    const { kinds } = await told(chat.start(start))
    expect(kinds).to.deep.equal(['open', 'message', 'retry', 'retry', 'retry', 'failed'])
    expect(server.calls).to.have.length(4)
  })
})

describe('a call without an answer', () => {
  const opened: StandIn[] = []
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close()
  })
  const start = { agentId: 'a', message: 'Hi' }

  it('is not sent again: the service may have got it', async () => {
    const server = await standIn((request) => void request.socket.destroy())
    opened.push(server)
    const chat = createChatClient({ baseUrl: server.url, token: 't', retryDelayMs: 1 })
    const answer = await chat.start(start).answer()
    expect(!answer.ok && answer.error.kind).to.equal('unreachable')
    expect(server.calls).to.have.length(1)
  })

  it('is sent again with its key where the service knows it by that', async () => {
    const keys: unknown[] = []
    const server = await standIn((request, response, call) => {
      keys.push(request.headers['idempotency-key'])
      if (call === 1) return void request.socket.destroy()
      response.writeHead(200, RESUMABLE)
      response.end(textEvent(1, 'one') + doneEvent(2))
    })
    opened.push(server)
    const chat = createChatClient({ baseUrl: server.url, token: 't', retryDelayMs: 1, idempotent: true })
    expect((await chat.start(start).answer()).ok).to.equal(true)
    expect(keys).to.have.length(2)
    expect(new Set(keys).size).to.equal(1)
  })

  it('is sent again as soon as an answer has shown that the service can', async () => {
    const server = await standIn((request, response, call) => {
      if (call === 2) return void request.socket.destroy()
      response.writeHead(200, RESUMABLE)
      response.end(textEvent(1, 'one') + doneEvent(2))
    })
    opened.push(server)
    const chat = createChatClient({ baseUrl: server.url, token: 't', retryDelayMs: 1 })
    expect((await chat.start(start).answer()).ok).to.equal(true)
    expect((await chat.start(start).answer()).ok).to.equal(true)
    expect(server.calls).to.have.length(3)
  })

  it('ends in time, and a function that gives no token does too', async () => {
    const server = await standIn(() => undefined)
    opened.push(server)
    const hung = createChatClient({ baseUrl: server.url, token: 't', headMs: 30 })
    const answer = await hung.start(start).answer()
    expect(!answer.ok && answer.error).to.include({ kind: 'unreachable', message: 'no answer in time' })
    const silent = createChatClient({
      baseUrl: server.url,
      token: () => new Promise(() => undefined),
      headMs: 30,
    })
    const none = await silent.session('s')
    expect(!none.ok && none.error.kind).to.equal('unreachable')
  })

  it('ends in time also where its body stops half way', async () => {
    const server = await standIn((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write('{"success": true')
    })
    opened.push(server)
    const chat = createChatClient({ baseUrl: server.url, token: 't', silenceMs: 30 })
    const stopped = await chat.stop('s')
    expect(!stopped.ok && stopped.error).to.include({ kind: 'unreachable', message: 'no answer in time' })
  })

  it('from a proxy is told as such', async () => {
    const server = await standIn((_request, response) => {
      response.writeHead(502, { 'content-type': 'text/html' })
      response.end('<h1>Bad gateway</h1>')
    })
    opened.push(server)
    const chat = createChatClient({ baseUrl: server.url, token: 't' })
    const answer = await chat.start(start).answer()
    expect(!answer.ok && answer.error).to.include({ kind: 'unexpected', status: 502 })
    expect(server.calls).to.have.length(1)
  })
})
