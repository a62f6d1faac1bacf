import type { Socket } from 'node:net'
import { expect } from 'chai'
import { bearer, DEFAULT_FLAGS, type Edge, type EdgeOptions, startEdge } from '../../support/edge.js'
import { manualClock } from '../../support/manual-clock.js'
import { chunksOf, httpText, type RawClient, rawClient, rawStart } from '../../support/raw-client.js'
import { aborted, answering, hanging, scripted, text } from '../../support/scripted-backend.js'
import { SOON_MS, until } from '../../support/until.js'

const PIECE = 'x'.repeat(8_192)

/** Sends 8 KiB pieces for ever and counts them. */
function pouring() {
  const seen = { pieces: 0, abortedAt: Number.NaN }
  const backend = scripted('direct_llm', async function* (_turn, call) {
    call.onConnected()
    call.onHeaders()
    void aborted(call.signal).then(() => {
      seen.abortedAt = performance.now()
    })
    while (!call.signal.aborted) {
      seen.pieces += 1
      yield [text(PIECE)]
      await new Promise((resolve) => setImmediate(resolve))
    }
  })
  return { seen, backend }
}

/** The server's end of every connection. */
function socketsOf(edge: Edge): Socket[] {
  const sockets: Socket[] = []
  edge.server.on('connection', (socket) => sockets.push(socket))
  return sockets
}

/** Resolves when bytes wait for the reader and the upstream has not moved for a while. */
async function isHeld(pieces: () => number, [socket]: readonly Socket[]): Promise<void> {
  let last = pieces()
  let since = performance.now()
  await until('the upstream to be held', () => {
    if (pieces() !== last || (socket?.writableLength ?? 0) === 0) {
      last = pieces()
      since = performance.now()
    }
    return performance.now() - since > 150
  })
}

/** A turn that pours, and a reader of it that takes nothing any more: the upstream is held. */
async function blockedReader(timing: EdgeOptions['timing'] = {}) {
  const { seen, backend } = pouring()
  const edge = await startEdge({ backends: { direct_llm: backend }, timing })
  const sockets = socketsOf(edge)
  const client = await rawStart(edge.port, await bearer())
  await client.waitFor('\r\n\r\n')
  client.socket.pause()
  await isHeld(() => seen.pieces, sockets)
  return { edge, client, sockets, seen, backend }
}

/** Takes about 512 KiB and stops again. */
async function sip(client: RawClient): Promise<void> {
  const target = client.socket.bytesRead + 524_288
  client.socket.resume()
  await until('a sip', () => client.socket.bytesRead >= target || client.closed())
  client.socket.pause()
}

describe('the event stream, byte by byte', () => {
  it('is what the oldest clients expect: LF alone, ids from 1, one terminal event, headers of a stream', async () => {
    const clock = manualClock(Date.UTC(2026, 10, 22, 1, 2, 3, 4))
    const edge = await startEdge({
      clock,
      backends: { direct_llm: answering('direct_llm', '你\r\n:好', '"') },
    })
    const client = await rawStart(edge.port, await bearer({ exp: clock.wall() / 1000 + 60 }))
    const answer = await client.waitFor('\r\n0\r\n\r\n')
    const head = answer.slice(0, answer.indexOf('\r\n\r\n')).split('\r\n')
    expect(head[0]).to.equal('HTTP/1.1 200 OK')
    expect(head).to.include.members([
      'Content-Type: text/event-stream; charset=utf-8',
      'Cache-Control: no-cache, no-transform',
      'X-Accel-Buffering: no',
      'Transfer-Encoding: chunked',
    ])
    const header = (name: string): string =>
      head.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? ''
    const streamId = header('X-Chat-Stream-Id')
    const sessionId = header('X-Chat-Session-Id')
    expect(streamId).to.match(/^[\da-f-]{36}$/)
    expect(sessionId).to.match(/^[\da-f-]{36}$/)
    const prefix = streamId.slice(0, 8)
    expect(chunksOf(answer)).to.deep.equal([
      `event: message\nid: 1\ndata: {"id":"${prefix}-1","type":"text","data":{"content":"你\\r\\n:好"},"timestamp":"2026-11-22T01:02:03.004Z"}\n\n`,
      `event: message\nid: 2\ndata: {"id":"${prefix}-2","type":"text","data":{"content":"\\""},"timestamp":"2026-11-22T01:02:03.004Z"}\n\n`,
      `event: done\nid: 3\ndata: {"sessionId":"${sessionId}","messageId":"${streamId}","usage":{"tokens":7,"latencyMs":0},"executionMode":"direct_llm","decision":{"mode":"direct_llm","reason":"code_default","shadow":false},"attempts":1}\n\n`,
    ])
    client.socket.destroy()
    await edge.close()
  })

  it('sends its headers before there is anything to say', async () => {
    const edge = await startEdge({ backends: { direct_llm: hanging('direct_llm') } })
    const client = await rawStart(edge.port, await bearer())
    expect(await client.waitFor('\r\n\r\n')).to.include('X-Chat-Session-Id')
    client.socket.destroy()
    await edge.close()
  })

  it('keeps the events of one read together and whole', async () => {
    const backend = scripted('direct_llm', async function* () {
      yield [text('a'), text('b'), text('c')]
    })
    const edge = await startEdge({ backends: { direct_llm: backend } })
    const client = await rawStart(edge.port, await bearer())
    const chunks = chunksOf(await client.waitFor('\r\n0\r\n\r\n'))
    expect(chunks[0]?.match(/event: message/g)).to.have.length(3)
    for (const chunk of chunks) expect(chunk.endsWith('\n\n')).to.equal(true)
    client.socket.destroy()
    await edge.close()
  })

  it('has a heartbeat without an id every 15 s, answer or none, until it ends', async () => {
    const clock = manualClock()
    const edge = await startEdge({ clock, backends: { direct_llm: hanging('direct_llm', 'a') } })
    const client = await rawStart(edge.port, await bearer({ exp: clock.wall() / 1000 + 600 }))
    await client.waitFor('"a"')
    clock.advance(14_999)
    clock.advance(1)
    await client.waitFor('heartbeat')
    clock.advance(30_000)
    await until('three heartbeats', () => client.received().split('heartbeat').length === 4)
    // Node 26 sends what is written at one instant in one chunk.
    const heartbeats = chunksOf(client.received()).slice(1).join('')
    expect(heartbeats).to.equal('event: heartbeat\ndata: null\n\n'.repeat(3))
    client.socket.destroy()
    await until('the turn to end', () => edge.turns.count === 0)
    expect(clock.pending()).to.equal(0)
    await edge.close()
  })

  it('leaves a connection usable for the next request', async () => {
    const edge = await startEdge()
    const client = await rawStart(edge.port, await bearer())
    await client.waitFor('\r\n0\r\n\r\n')
    client.socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    expect(await client.waitForClose()).to.include('"live"')
    await edge.close()
  })
})

describe('a connection', () => {
  it('is closed after the stream when the client asked for that', async () => {
    const edge = await startEdge()
    const client = await rawClient(edge.port)
    const headers = {
      Authorization: await bearer(),
      'Content-Type': 'application/json',
      Connection: 'close',
    }
    client.socket.write(
      httpText('POST', '/api/v1/chat/start', headers, JSON.stringify({ agentId: 'a', message: 'Hi' })),
    )
    expect(await client.waitForClose(2_000)).to.include('event: done')
    await edge.close()
  })
})

describe('a slow reader', () => {
  it('cannot hold up a stop: the turn ends at once, the reader gets its end when it reads on', async () => {
    const { edge, client, backend } = await blockedReader()
    edge.turns.abort(backend.turns[0]?.messageId ?? '', 'stopped')
    await until('the turn to end', () => edge.log.some(({ outcome }) => outcome === 'stopped'))
    client.socket.resume()
    expect(await client.waitFor('\r\n0\r\n\r\n')).to.include('"stopped":true')
    client.socket.destroy()
    await edge.close()
  })

  it('holds the upstream and costs a bounded buffer, then gets everything', async () => {
    const { edge, client, sockets, seen } = await blockedReader()
    const heldAt = seen.pieces
    expect(sockets[0]?.writableLength).to.be.within(1, 200_000)
    client.socket.resume()
    await until('the upstream to go on', () => seen.pieces > heldAt + 100)
    expect(edge.turns.count).to.equal(1)
    client.socket.destroy()
    await edge.close()
  })

  it('gets no heartbeat while it is blocked', async () => {
    const { seen, backend } = pouring()
    const edge = await startEdge({ backends: { direct_llm: backend }, timing: { heartbeatMs: 10 } })
    const sockets = socketsOf(edge)
    const client = await rawStart(edge.port, await bearer())
    await client.waitFor('heartbeat')
    client.socket.pause()
    await isHeld(() => seen.pieces, sockets)
    const waiting = sockets[0]?.writableLength
    await isHeld(() => seen.pieces, sockets)
    expect(sockets[0]?.writableLength).to.equal(waiting)
    client.socket.destroy()
    await edge.close()
  })

  it('is cut off when it takes nothing for the time allowed, its partial answer kept', async () => {
    const { seen, backend } = pouring()
    const edge = await startEdge({ backends: { direct_llm: backend }, timing: { slowReaderMs: 300 } })
    const client = await rawStart(edge.port, await bearer())
    await client.waitFor('\r\n\r\n')
    client.socket.pause()
    await until('the reader to be cut off', () => edge.outcomes.length === 1)
    expect(edge.outcomes[0]).to.include({ result: 'aborted', code: 'client_too_slow' })
    expect(seen.abortedAt).to.be.greaterThan(0)
    await until('the turn to end', () => edge.turns.count === 0)
    expect(edge.openStreams()).to.equal(0)
    expect(edge.log.at(-1)).to.include({ msg: 'turn ended', outcome: 'aborted', code: 'client_too_slow' })
    client.socket.resume()
    expect(await client.waitForClose()).to.not.include('event: done')
    await edge.close()
  })

  it('is left alone while it takes a little now and then', async () => {
    const { edge, client, sockets, seen } = await blockedReader({ slowReaderMs: 700 })
    const startedAt = performance.now()
    while (performance.now() - startedAt < 1_600) {
      await sip(client)
      // The sockets are real, and so is the time in which a reader is too slow.
      await isHeld(() => seen.pieces, sockets)
    }
    expect(edge.outcomes).to.deep.equal([])
    expect(client.closed()).to.equal(false)
    client.socket.destroy()
    await edge.close()
  })

  it('is cut off too when it does not take the end of its answer', async () => {
    const backend = scripted('direct_llm', async function* () {
      yield [text('x'.repeat(16_000_000))]
    })
    const edge = await startEdge({ backends: { direct_llm: backend }, timing: { slowReaderMs: 300 } })
    const client = await rawStart(edge.port, await bearer())
    client.socket.pause()
    await until('the turn to begin', () => edge.turns.count === 1)
    await until('the place to be free', () => edge.turns.count === 0)
    client.socket.destroy()
    await edge.close()
  })
})

describe('a reader that leaves', () => {
  const ways: [how: string, leave: (socket: Socket) => void][] = [
    ['closing its connection', (socket) => socket.destroy()],
    ['half-closing it', (socket) => socket.end()],
    ['resetting it', (socket) => socket.resetAndDestroy()],
  ]
  for (const [how, leave] of ways)
    it(`by ${how} frees upstream, timers and place without waiting for any timer`, async () => {
      const clock = manualClock()
      const backend = hanging('direct_llm', 'a')
      const edge = await startEdge({ clock, backends: { direct_llm: backend } })
      const authorization = await bearer({ exp: clock.wall() / 1000 + 600 })
      const client = await rawStart(edge.port, authorization)
      const answer = await client.waitFor('"a"')
      leave(client.socket)
      await until('the turn to end', () => edge.turns.count === 0)
      expect(edge.outcomes).to.have.length(1)
      expect(edge.outcomes[0]).to.include({ result: 'aborted', code: 'client_gone' })
      expect(edge.openStreams()).to.equal(0)
      expect(clock.pending()).to.equal(0)
      expect(edge.log.filter(({ level }) => Number(level) >= 40)).to.deep.equal([])
      const sessionId = /X-Chat-Session-Id: (\S+)/.exec(answer)?.[1] ?? ''
      const session = await edge.sessions.read(sessionId, { orgId: 'org-1', userId: 'user-1' })
      expect(session?.messages[1]).to.include({ content: 'a', status: 'aborted' })
      await edge.close()
    })

  it('after a long wait for a runtime that hangs has abandoned it, in metrics and evidence', async () => {
    const clock = manualClock()
    const backend = scripted('runtime_orchestrator', async function* (_turn, call) {
      call.onConnected()
      call.onHeaders()
      yield []
      await aborted(call.signal)
    })
    const edge = await startEdge({
      clock,
      flags: { mode: { value: 'runtime_orchestrator', reason: 'default' } },
      backends: { runtime_orchestrator: backend },
    })
    const authorization = await bearer({ exp: clock.wall() / 1000 + 600 })
    const leaves = async (afterMs: number) => {
      const { turns } = backend
      const before = turns.length
      const client = await rawStart(edge.port, authorization)
      await until('the turn to begin', () => turns.length > before)
      clock.advance(afterMs)
      client.socket.destroy()
      await until('the turn to end', () => edge.turns.count === 0)
    }
    await leaves(4_000)
    await leaves(1_000)
    const seen = edge.fallback.outcomes.map(({ result, abandoned }) => [result, abandoned])
    expect(seen).to.deep.equal([
      ['aborted', 'first_content'],
      ['aborted', undefined],
    ])
    await edge.close()
  })

  it('while it was blocked is noticed too', async () => {
    const { edge, client, seen } = await blockedReader()
    const leftAt = performance.now()
    client.socket.resetAndDestroy()
    await until('the turn to end', () => edge.turns.count === 0)
    expect(seen.abortedAt - leftAt).to.be.lessThan(SOON_MS)
    await edge.close()
  })

  it('before its stream is open leaves nothing behind', async () => {
    let goOn: () => void = () => undefined
    const backend = hanging('direct_llm', 'a')
    const edge = await startEdge({
      backends: { direct_llm: backend },
      flagsFor: () =>
        new Promise((resolve) => {
          goOn = () => resolve(DEFAULT_FLAGS)
        }),
    })
    const sockets = socketsOf(edge)
    const client = await rawStart(edge.port, await bearer())
    await until('the turn to begin', () => edge.turns.count === 1)
    client.socket.resetAndDestroy()
    await until('the server to notice', () => sockets[0]?.destroyed === true)
    goOn()
    await until('the turn to end', () => edge.turns.count === 0)
    expect(backend.turns).to.have.length.at.most(1)
    expect(edge.openStreams()).to.equal(0)
    await edge.close()
  })
})
