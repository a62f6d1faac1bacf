import type { Socket } from 'node:net'
import { expect } from 'chai'
import fc from 'fast-check'
import { postTurn } from '../../support/chat-client.js'
import { bearer, type Edge, type EdgeOptions, startEdge } from '../../support/edge.js'
import { manualClock } from '../../support/manual-clock.js'
import { type RawClient, rawStart } from '../../support/raw-client.js'
import { type Event, eventsOf, headerOf, rawResume, storyOf } from '../../support/resuming.js'
import { answering, hanging, scripted, text } from '../../support/scripted-backend.js'
import { toldBackend } from '../../support/told-backend.js'
import { until } from '../../support/until.js'

const GRACE = { reconnectGraceMs: 60_000 }

describe('a stream that is gone on with', () => {
  let edge: Edge | undefined
  afterEach(async () => {
    await edge?.close()
    edge = undefined
  })
  async function began(options: EdgeOptions = {}) {
    const script = toldBackend()
    const own = await startEdge({ ...GRACE, ...options, backends: { direct_llm: script.backend } })
    edge = own
    const open = new Set<number | undefined>()
    own.server.on('connection', (socket) => {
      const { remotePort } = socket
      open.add(remotePort)
      socket.once('close', () => open.delete(remotePort))
    })
    /** Cuts a reader's connection, and waits until the service has seen that. */
    const leave = async ({ socket }: RawClient): Promise<void> => {
      const { localPort } = socket
      socket.destroy()
      await until('the end of the connection', () => !open.has(localPort))
    }
    const authorization = await bearer({
      exp: Math.floor((options.clock?.wall() ?? Date.now()) / 1000) + 600,
    })
    const client = await rawStart(own.port, authorization)
    await client.waitFor('\r\n\r\n')
    const streamId = headerOf(client, 'X-Chat-Stream-Id')
    const token = headerOf(client, 'X-Chat-Stream-Token')
    const resume = (after: number | string, query = '') =>
      rawResume(own, streamId, { Authorization: authorization, 'Last-Event-ID': String(after) }, query)
    return { ...script, edge: own, leave, client, streamId, token, authorization, resume }
  }
  const ended = (client: RawClient) => client.waitFor('\r\n0\r\n\r\n')
  const seenBy = (client: RawClient) => storyOf(eventsOf(client.received()))

  it('brings what was missed and then what comes, also from the middle of a batch, to several readers', async () => {
    const { client, tell, resume } = await began()
    await tell('a|b|c')
    await client.waitFor('"c"')
    client.socket.destroy()
    await tell('d')
    const [first, second] = [await resume(2), await resume(0)]
    await Promise.all([first.waitFor('"d"'), second.waitFor('"d"')])
    await tell('e')
    await first.waitFor('"e"')
    await tell()
    await Promise.all([ended(first), ended(second)])
    expect(seenBy(first)).to.deep.equal({ ids: [3, 4, 5, 6], text: 'cde', last: 'done' })
    expect(seenBy(second)).to.deep.equal({ ids: [1, 2, 3, 4, 5, 6], text: 'abcde', last: 'done' })
    const late = await resume(5)
    await ended(late)
    expect(seenBy(late)).to.deep.equal({ ids: [6], text: '', last: 'done' })
    const over = await resume(6)
    expect(await over.waitFor('\r\n\r\n')).to.match(/^HTTP\/1\.1 204 /)
    for (const one of [first, second, late, over]) one.socket.destroy()
  })

  it('takes the place from the query too, and the header before it', async () => {
    const { tell, client, streamId, authorization, edge: own } = await began()
    await tell('a|b')
    await tell()
    await ended(client)
    const byQuery = await rawResume(own, streamId, { Authorization: authorization }, '?lastEventId=1')
    const byBoth = await rawResume(
      own,
      streamId,
      { Authorization: authorization, 'Last-Event-ID': '2' },
      '?lastEventId=1',
    )
    await Promise.all([ended(byQuery), ended(byBoth)])
    expect(seenBy(byQuery).ids).to.deep.equal([2, 3])
    expect(seenBy(byBoth).ids).to.deep.equal([3])
  })

  for (const place of ['-1', 'x', '4', '1e3', '9999999999999999999999'])
    it(`refuses a place that the stream does not have: ${place}`, async () => {
      const { tell, client, resume } = await began()
      await tell('a|b')
      await tell()
      await ended(client)
      expect(await (await resume(place)).waitFor('details')).to.match(/^HTTP\/1\.1 400 /)
    })

  it('opens by its token without an Authorization header, and no other stream does', async () => {
    const { tell, client, streamId, token, edge: own } = await began()
    await tell('a')
    const reader = await rawResume(own, streamId, {}, `?token=${token}`)
    await reader.waitFor('"a"')
    await tell()
    await ended(reader)
    expect(seenBy(reader)).to.deep.equal({ ids: [1, 2], text: 'a', last: 'done' })
    expect(headerOf(reader, 'X-Chat-Stream-Token')).to.equal(token)
    const answers = await Promise.all(
      [`?token=${token}x`, '?token=', `?token=${token.slice(1)}`, ''].map(async (query) =>
        (await (await rawResume(own, streamId, {}, query)).waitFor('\r\n\r\n')).slice(9, 12),
      ),
    )
    expect(answers).to.deep.equal(['401', '401', '401', '401'])
    const other = await rawResume(own, '00000000-0000-4000-8000-000000000000', {}, `?token=${token}`)
    expect(await other.waitFor('\r\n\r\n')).to.match(/^HTTP\/1\.1 401 /)
    client.socket.destroy()
  })

  it('is not there for another user, nor for another org', async () => {
    const { streamId, edge: own } = await began()
    for (const claims of [{ sub: 'user-2' }, { org_id: 'org-2' }, { sub: 'user-2', role: 'owner' }]) {
      const other = await rawResume(own, streamId, { Authorization: await bearer(claims) })
      expect(await other.waitFor('not_found')).to.match(/^HTTP\/1\.1 404 /)
    }
  })

  it('is 410 where its beginning is given up, and says where the answer is', async () => {
    const { tell, client, resume } = await began({ streamBytes: 400 })
    await tell('x'.repeat(150))
    await tell('y'.repeat(150))
    await client.waitFor('yyy')
    const answer = await (await resume(0)).waitFor('"gone"')
    expect(answer).to.match(/^HTTP\/1\.1 410 /)
    expect(answer).to.include('GET /chat/sessions/:sessionId')
  })

  it('ends shutting_down for every reader when a drain runs out', async () => {
    const { tell, client, resume, edge: own } = await began()
    await tell('a')
    const reader = await resume(0)
    await reader.waitFor('"a"')
    own.state = 'draining'
    const late = await resume(1)
    await late.waitFor('\r\n\r\n')
    await own.turns.drain(0)
    await Promise.all([client, reader, late].map(ended))
    for (const one of [client, reader, late]) {
      expect(one.received().match(/event: (done|error)/g)).to.deep.equal(['event: error'])
      expect(one.received()).to.include('shutting_down')
    }
  })

  it('has heartbeats without an id for every reader', async () => {
    const { resume } = await began({ timing: { heartbeatMs: 20 } })
    const reader = await resume(0)
    await reader.waitFor('event: heartbeat\ndata: null\n\n')
    reader.socket.destroy()
  })

  /** A turn with a reader that takes all and one that takes nothing any more, and waits for it. */
  async function withSleeper() {
    const rig = await began()
    const sockets: Socket[] = []
    rig.edge.server.on('connection', (socket) => sockets.push(socket))
    const sleeper = await rig.resume(0)
    await sleeper.waitFor('\r\n\r\n')
    sleeper.socket.pause()
    let count = 0
    const pour = async (pieces: number): Promise<void> => {
      for (let n = 0; n < pieces; n += 1) {
        count += 1
        await rig.tell('z'.repeat(8_000))
      }
    }
    for (let idle = 0; idle < 3; idle += sockets[0]?.writableNeedDrain ? 1 : 0) await pour(1)
    return { ...rig, sleeper, pour, ids: () => Array.from({ length: count + 1 }, (_, at) => at + 1) }
  }

  it('is not slowed down by a reader that takes nothing, which gets all of it later', async () => {
    const { client, sleeper, pour, tell, ids } = await withSleeper()
    await pour(60)
    await tell()
    await ended(client)
    expect(seenBy(client).ids).to.deep.equal(ids())
    sleeper.socket.resume()
    await ended(sleeper)
    expect(seenBy(sleeper).ids).to.deep.equal(ids())
  })

  it('cuts a reader off for which it is too fast, and tells it so when it comes again', async () => {
    const { client, sleeper, pour, tell, ids, resume } = await withSleeper()
    await pour(300)
    await tell()
    await ended(client)
    expect(seenBy(client).ids).to.deep.equal(ids())
    sleeper.socket.resume()
    await until('the connection to be cut', () => sleeper.closed())
    const last = eventsOf(sleeper.received()).at(-1)?.id ?? 0
    expect(last).to.be.greaterThan(0)
    expect(await (await resume(last)).waitFor('"gone"')).to.match(/^HTTP\/1\.1 410 /)
  })

  it('holds the upstream for a reader that is alone, takes nothing and is behind, and then goes on', async () => {
    const { client, sleeper, leave, pour, tell } = await withSleeper()
    await pour(60)
    await leave(client)
    // More than is kept for one who is behind: a piece that nobody asks for is not sent.
    await pour(300)
    sleeper.socket.resume()
    const end = ended(sleeper)
    let isOver = false
    void end.then(() => {
      isOver = true
    })
    while (!isOver && !sleeper.closed()) await tell()
    const { ids, last } = seenBy(sleeper)
    expect(last).to.equal('done')
    expect(ids).to.deep.equal(ids.map((_, at) => at + 1))
    expect(ids.length).to.be.greaterThan(60)
  })

  it('cancels a turn to which nobody came back, within the grace, and frees everything', async () => {
    const clock = manualClock(Date.now())
    const {
      client,
      tell,
      seen,
      resume,
      edge: own,
      leave,
      streamId,
      authorization,
    } = await began({
      clock,
      reconnectGraceMs: 10_000,
    })
    await tell('a')
    await client.waitFor('"a"')
    await leave(client)
    clock.advance(9_000)
    expect(seen.aborted).to.equal(false)
    const back = await resume(1)
    await back.waitFor('\r\n\r\n')
    clock.advance(20_000)
    expect(seen.aborted, 'with a reader').to.equal(false)
    await leave(back)
    clock.advance(10_000)
    await until('the turn to be cancelled', () => seen.aborted && own.turns.count === 0)
    expect(own.outcomes[0]).to.include({ result: 'aborted', code: 'client_gone' })
    expect(clock.pending()).to.equal(0)
    const late = await rawResume(own, streamId, { Authorization: authorization })
    expect(await late.waitFor('"gone"')).to.match(/^HTTP\/1\.1 410 /)
  })

  it('counts a user who left soon as gone, not as one who gave up a long wait', async () => {
    const clock = manualClock(Date.now())
    const { client, leave, edge: own } = await began({ clock, reconnectGraceMs: 10_000 })
    clock.advance(1_000)
    await leave(client)
    clock.advance(10_000)
    await until('the turn to be cancelled', () => own.turns.count === 0)
    expect(own.outcomes[0]).to.include({ result: 'aborted' })
    expect(own.outcomes[0]).to.not.have.property('abandoned')
  })

  it('gives way to the next message of its user, and no turn that is read does', async () => {
    const { client, tell, seen, leave, edge: own, authorization } = await began()
    await tell('a')
    await client.waitFor('"a"')
    const sessionId = headerOf(client, 'X-Chat-Session-Id')
    const next = () => postTurn(own.url, authorization, `sessions/${sessionId}`, { message: 'And?' })
    expect((await next()).status).to.equal(409)
    await leave(client)
    const response = await next()
    expect(response.status).to.equal(200)
    expect(seen.aborted).to.equal(true)
    await response.body?.cancel()
  })

  it('is erased with its conversation', async () => {
    const { client, tell, edge: own, authorization, streamId } = await began()
    await tell('a')
    await tell()
    await ended(client)
    const sessionId = headerOf(client, 'X-Chat-Session-Id')
    const erased = await fetch(`${own.url}/api/v1/chat/sessions/${sessionId}`, {
      method: 'DELETE',
      headers: { authorization },
    })
    expect(erased.status).to.equal(204)
    const late = await rawResume(own, streamId, { Authorization: authorization })
    expect(await late.waitFor('not_found')).to.match(/^HTTP\/1\.1 404 /)
  })

  it('finishes a turn that nobody reads where that is wanted', async () => {
    const { client, tell, edge: own, authorization, resume } = await began({ onDisconnect: 'finish' })
    await tell('a')
    await client.waitFor('"a"')
    const sessionId = headerOf(client, 'X-Chat-Session-Id')
    client.socket.destroy()
    await tell('b')
    await tell()
    await until('the turn to end', () => own.turns.count === 0)
    const view = await fetch(`${own.url}/api/v1/chat/sessions/${sessionId}`, { headers: { authorization } })
    expect(await view.text()).to.include('"content":"ab","status":"answered"')
    const reader = await resume(1)
    await ended(reader)
    expect(seenBy(reader)).to.deep.equal({ ids: [2, 3], text: 'b', last: 'done' })
  })

  it('is not offered where turns end with their reader', async () => {
    const own = await startEdge({ backends: { direct_llm: hanging('direct_llm', 'a') } })
    edge = own
    const client = await rawStart(own.port, await bearer())
    await client.waitFor('"a"')
    expect(client.received()).to.not.include('X-Chat-Stream-Token')
    client.socket.destroy()
    await until('the turn to end', () => own.turns.count === 0)
  })
})

describe('a stream cut at any byte, any number of times', function () {
  this.timeout(60_000)
  let edge: Edge
  let authorization: string
  const pieces = ['grüße ', '你好 🎈', 'x'.repeat(300), '"\n\n\\', 'end']
  before(async () => {
    const backend = scripted('direct_llm', async function* () {
      for (const piece of pieces) {
        yield [text(piece), text('|')]
        await new Promise((resolve) => setImmediate(resolve))
      }
    })
    edge = await startEdge({ ...GRACE, backends: { direct_llm: backend } })
    authorization = await bearer()
  })
  after(() => edge.close())

  /** Takes so many bytes of the answer, or all, and hangs up. */
  async function taken(client: RawClient, bytes: number): Promise<Event[]> {
    await until(
      'enough',
      () => client.socket.bytesRead >= bytes || client.received().endsWith('\r\n0\r\n\r\n'),
    )
    const received = Buffer.from(client.received()).subarray(0, bytes).toString()
    client.socket.destroy()
    const head = received.indexOf('\r\n\r\n')
    return head < 0 ? [] : eventsOf(received)
  }

  it('is seen whole and once', async () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 2_500 }), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(cuts, async (bytes) => {
        const first = await rawStart(edge.port, authorization)
        await first.waitFor('\r\n\r\n')
        const streamId = headerOf(first, 'X-Chat-Stream-Id')
        const headers = first.received().indexOf('\r\n\r\n') + 4
        const seen = await taken(first, headers + (bytes[0] ?? Number.POSITIVE_INFINITY))
        for (const cut of [...bytes.slice(1), Number.POSITIVE_INFINITY]) {
          if (seen.at(-1)?.event === 'done') break
          const last = String(seen.at(-1)?.id ?? 0)
          const next = await rawResume(edge, streamId, {
            Authorization: authorization,
            'Last-Event-ID': last,
          })
          await next.waitFor('\r\n\r\n')
          seen.push(...(await taken(next, next.received().indexOf('\r\n\r\n') + 4 + cut)))
        }
        const { ids, text: all, last } = storyOf(seen)
        expect(ids).to.deep.equal(Array.from({ length: 11 }, (_, at) => at + 1))
        expect(all).to.equal(pieces.map((piece) => `${piece}|`).join(''))
        expect(last).to.equal('done')
      }),
      { numRuns: 60 },
    )
  })
})

describe('an answer without a reader that comes back', () => {
  it('is what it was before, where a turn ends with its reader', async () => {
    const edge = await startEdge({ backends: { direct_llm: answering('direct_llm', 'a') } })
    const client = await rawStart(edge.port, await bearer())
    await client.waitFor('\r\n0\r\n\r\n')
    expect(storyOf(eventsOf(client.received()))).to.deep.equal({ ids: [1, 2], text: 'a', last: 'done' })
    client.socket.destroy()
    await edge.close()
  })
})
