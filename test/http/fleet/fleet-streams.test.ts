import { randomUUID } from 'node:crypto'
import type { Server } from 'node:http'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { type Clock, systemClock } from '../../../src/core/clock.js'
import { openSqliteKeys } from '../../../src/idempotency/sqlite-keys.js'
import { createMemorySessionStore } from '../../../src/sessions/memory-session-store.js'
import type { SessionStore } from '../../../src/sessions/session-store.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { postTurn, readTurn } from '../../support/chat-client.js'
import { bearer, type EdgeOptions } from '../../support/edge.js'
import { openReplica, type Replica } from '../../support/fleet.js'
import { type RawClient, rawStart } from '../../support/raw-client.js'
import { startRedis, type TestRedis } from '../../support/redis.js'
import { eventsOf, headerOf, rawResume, storyOf } from '../../support/resuming.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { toldBackend } from '../../support/told-backend.js'
import { until } from '../../support/until.js'

describe('streams of several replicas', () => {
  let redis: TestRedis
  before(async function () {
    redis = await startRedis(this)
  })
  after(() => redis?.stop())

  const directory = temporaryDirectory()
  const replicas: Replica[] = []
  let sessions: SessionStore
  beforeEach(() => {
    sessions = createMemorySessionStore({ clock: systemClock })
  })
  afterEach(async () => {
    for (const { close } of replicas.splice(0)) await close()
  })

  async function replica(options: EdgeOptions = {}) {
    const started = await openReplica(redis.url, { sessions, ...options })
    replicas.push(started)
    return started
  }

  /** A turn that runs on the first of two replicas, and a reader of the second. */
  async function twoReplicas(options: EdgeOptions = {}) {
    const script = toldBackend()
    const first = await replica({ ...options, backends: { direct_llm: script.backend } })
    const second = await replica(options)
    const authorization = await bearer()
    const client = await rawStart(first.edge.port, authorization)
    await client.waitFor('\r\n\r\n')
    const streamId = headerOf(client, 'X-Chat-Stream-Id')
    const resume = (
      after: number | string,
      headers: Record<string, string> = { Authorization: authorization },
      query = '',
    ) => rawResume(second.edge, streamId, { ...headers, 'Last-Event-ID': String(after) }, query)
    return { ...script, first, second, client, streamId, resume, authorization }
  }
  const ended = (client: RawClient) => client.waitFor('\r\n0\r\n\r\n')
  const seenBy = (client: RawClient) => storyOf(eventsOf(client.received()))

  it('go on elsewhere: what was missed, also from the middle of a batch, and what comes', async () => {
    const { client, tell, resume } = await twoReplicas()
    await tell('a|b|c')
    await client.waitFor('"c"')
    client.socket.destroy()
    const reader = await resume(2)
    await reader.waitFor('"c"')
    await tell('d')
    await reader.waitFor('"d"')
    await tell('e|f')
    await reader.waitFor('"f"')
    await tell()
    await ended(reader)
    expect(seenBy(reader)).to.deep.equal({ ids: [3, 4, 5, 6, 7], text: 'cdef', last: 'done' })
    const over = await resume(7)
    expect(await over.waitFor('\r\n\r\n')).to.match(/^HTTP\/1\.1 204 /)
    for (const one of [reader, over]) one.socket.destroy()
  })

  it('are not for other users, and 404 where no replica has them', async () => {
    const { tell, client, resume, second } = await twoReplicas()
    await tell('a')
    await client.waitFor('"a"')
    await until('the copy', async () => {
      const one = await resume(0)
      const answer = await one.waitFor('\r\n\r\n')
      one.socket.destroy()
      return answer.startsWith('HTTP/1.1 200')
    })
    const other = await resume(0, { Authorization: await bearer({ sub: 'user-2' }) })
    expect(await other.waitFor('\r\n\r\n')).to.match(/^HTTP\/1\.1 404 /)
    const unknown = await rawResume(second.edge, randomUUID(), { Authorization: await bearer() })
    expect(await unknown.waitFor('\r\n\r\n')).to.match(/^HTTP\/1\.1 404 /)
    await tell()
    await ended(client)
    for (const one of [other, unknown, client]) one.socket.destroy()
  })

  it('are opened elsewhere by the token of the first response, and by no other', async () => {
    const { tell, client, resume } = await twoReplicas()
    const token = headerOf(client, 'X-Chat-Stream-Token')
    await tell('a')
    await client.waitFor('"a"')
    const right = await resume(0, {}, `?token=${token}`)
    await right.waitFor('"a"')
    expect(headerOf(right, 'X-Chat-Stream-Token')).to.equal(token)
    // Another first character always means other bytes; the last one has bits that mean nothing.
    const wrong = await resume(0, {}, `?token=${token.startsWith('A') ? 'B' : 'A'}${token.slice(1)}`)
    expect(await wrong.waitFor('\r\n\r\n')).to.match(/^HTTP\/1\.1 401 /)
    await tell()
    await ended(right)
    for (const one of [right, wrong, client]) one.socket.destroy()
  })

  it('are held by a reader elsewhere, and given up by their grace once it is gone', async () => {
    const grace = heldTimers(54_321)
    const { client, tell, resume, seen, first } = await twoReplicas({
      reconnectGraceMs: 54_321,
      clock: grace.clock,
    })
    await tell('a')
    await client.waitFor('"a"')
    const reader = await resume(0)
    await reader.waitFor('"a"')
    client.socket.destroy()
    await until('its own reader gone', async () => (await connectionsOf(first.edge.server)) === 0)
    await until('no grace', () => grace.held.size === 0)
    await tell('b')
    await reader.waitFor('"b"')
    expect([grace.held.size, seen.aborted]).to.deep.equal([0, false])
    reader.socket.destroy()
    await until('the grace', () => grace.held.size === 1)
    expect(seen.aborted).to.equal(false)
    for (const end of grace.held) end()
    await until('the turn is given up', () => seen.aborted)
  })

  it('stop on any replica stops the turn at once', async () => {
    const { client, tell, second, authorization } = await twoReplicas({ timing: { stopLookMs: 600_000 } })
    await tell('a')
    await client.waitFor('"a"')
    const sessionId = headerOf(client, 'X-Chat-Session-Id')
    const answer = await fetch(`${second.edge.url}/api/v1/chat/sessions/${sessionId}/stop`, {
      method: 'POST',
      headers: { Authorization: authorization },
    })
    expect(await answer.json()).to.have.nested.property('data.stopped', true)
    await ended(client)
    expect(eventsOf(client.received()).at(-1)?.data).to.include({ stopped: true })
  })

  it('are erased everywhere with their session', async () => {
    const { client, tell, first, second, streamId, authorization } = await twoReplicas()
    await tell('a')
    await tell()
    await ended(client)
    await until('the copy', async () => (await second.fleet.find(streamId))?.isOver === true)
    const sessionId = headerOf(client, 'X-Chat-Session-Id')
    const answer = await fetch(`${second.edge.url}/api/v1/chat/sessions/${sessionId}`, {
      method: 'DELETE',
      headers: { Authorization: authorization },
    })
    expect(answer.status).to.be.within(200, 204)
    for (const { edge } of [first, second])
      await until('no stream', async () => {
        const one = await rawResume(edge, streamId, { Authorization: authorization })
        const head = await one.waitFor('\r\n\r\n')
        one.socket.destroy()
        return head.startsWith('HTTP/1.1 404')
      })
  })

  it('are 410 for who asks for more than their copy keeps, and the newest events are there', async () => {
    const { tell, client, resume, second, streamId } = await twoReplicas()
    const pieces = 45
    for (let at = 1; at <= pieces; at += 1) {
      await tell('x'.repeat(32_768))
      await until('the copy', async () => (await second.fleet.find(streamId))?.lastId === at)
    }
    const tooOld = await resume(1)
    expect(await tooOld.waitFor('\r\n\r\n')).to.match(/^HTTP\/1\.1 410 /)
    const newest = await resume(pieces - 1)
    await newest.waitFor('x"')
    expect(storyOf(eventsOf(newest.received())).ids).to.deep.equal([pieces])
    await tell()
    await ended(newest)
    for (const one of [tooOld, newest, client]) one.socket.destroy()
  })

  it('are read by who sends the same message with its Idempotency-Key to another replica, and no second turn runs', async () => {
    const path = directory.path('keys.db')
    const keysOf = (nonce: string) =>
      openSqliteKeys(path, { clock: systemClock, logger: capturingLogger().logger, nonce })
    const [script, unused] = [toldBackend(), toldBackend()]
    let started = 0
    const counted = { ...unused.backend, execute: () => (started += 1) } as never
    const first = await replica({ backends: { direct_llm: script.backend }, idempotency: keysOf('a') })
    const second = await replica({ backends: { direct_llm: counted }, idempotency: keysOf('b') })
    const send = async ({ edge }: typeof first) =>
      postTurn(
        edge.url,
        await bearer(),
        'start',
        { agentId: 'assistant', message: 'Hi' },
        { 'idempotency-key': 'k' },
      )
    const answer = await send(first)
    await script.tell('a')
    await script.tell('b')
    const streamId = answer.headers.get('x-chat-stream-id') ?? ''
    await until('the copy', async () => ((await second.fleet.find(streamId))?.lastId ?? 0) >= 2)
    const again = await send(second)
    expect([again.status, again.headers.get('x-chat-stream-id')]).to.deep.equal([200, streamId])
    const [seen, seenAgain] = [readTurn(answer), readTurn(again)]
    await script.tell('c')
    await script.tell()
    expect((await seenAgain).text).to.equal('abc')
    expect((await seenAgain).terminal?.data).to.deep.equal((await seen).terminal?.data)
    expect(started).to.equal(0)
  })

  it('end with `interrupted` where the replica that wrote them was killed', async () => {
    const { client, tell, resume, first, second } = await twoReplicas()
    await tell('a')
    await client.waitFor('"a"')
    const reader = await resume(0)
    await reader.waitFor('"a"')
    const remote = await second.fleet.find(headerOf(client, 'X-Chat-Stream-Id'))
    const alive = `${second.link.prefix}:{${remote?.replica}}:alive`
    expect(await second.link.call(alive, 'PTTL', alive)).to.be.within(1, 15_000)
    // As after a kill: no sign of life any more, and nothing of the stream.
    await first.fleet.close()
    await first.link.close()
    await second.link.call(alive, 'DEL', alive)
    await ended(reader)
    const last = eventsOf(reader.received()).at(-1)
    expect(last).to.include({ event: 'error', id: 2 })
    expect(last?.data).to.include({ code: 'interrupted', recoverable: true })
    reader.socket.destroy()
    client.socket.destroy()
  })
})

describe('streams while Redis is away', () => {
  let redis: TestRedis
  before(async function () {
    redis = await startRedis(this, { own: true })
  })
  after(() => redis?.stop())
  let close: (() => Promise<void>) | undefined
  afterEach(() => close?.())

  async function began() {
    const script = toldBackend()
    const rig = await openReplica(redis.url, { backends: { direct_llm: script.backend } })
    close = rig.close
    const client = await rawStart(rig.edge.port, await bearer())
    await client.waitFor('\r\n\r\n')
    const find = () => rig.fleet.find(headerOf(client, 'X-Chat-Stream-Id'))
    return { ...rig, ...script, client, find }
  }

  it('go on without it, and are copied whole once it is back, empty', async () => {
    const { client, tell, find, link } = await began()
    await tell('a')
    await until('the copy', async () => (await find())?.lastId === 1)
    await redis.process?.kill()
    await until('Redis down', () => !link.isUp)
    await tell('b')
    await client.waitFor('"b"')
    await redis.process?.restart()
    await until('Redis', () => link.isUp)
    await tell('c')
    await tell()
    await client.waitFor('\r\n0\r\n\r\n')
    await until('the copy', async () => (await find())?.isOver === true)
    const remote = await find()
    expect(remote?.lastId).to.equal(4)
    expect(remote?.canRead(0)).to.equal(true)
    client.socket.destroy()
  })

  it('are not held up by a Redis that hangs', async () => {
    const { client, tell, find } = await began()
    await tell('a')
    await until('the copy', async () => (await find())?.lastId === 1)
    redis.process?.hang()
    await tell('b')
    await client.waitFor('"b"')
    await tell()
    // Its end comes although nothing was copied.
    await client.waitFor('\r\n0\r\n\r\n')
    redis.process?.resume()
    await until('the copy', async () => (await find().catch(() => undefined))?.isOver === true)
    client.socket.destroy()
  })

  it('answers 503 for a stream that is not here, not 404, and warns what to do', async () => {
    const { edge, link, client, tell } = await began()
    await redis.process?.kill()
    await until('Redis down', () => !link.isUp)
    const one = await rawResume(edge, randomUUID(), { Authorization: await bearer() })
    const head = await one.waitFor('\r\n\r\n')
    expect(head).to.match(/^HTTP\/1\.1 503 /)
    expect(headerOf(one, 'Retry-After')).to.equal('2')
    const [line] = edge.log.filter(({ code }) => code === 'store_unavailable')
    expect(line).to.include({ level: 40, method: 'GET' })
    expect(line?.action).to.include('CHAT_REDIS_URL').and.to.include('redis_unreachable')
    one.socket.destroy()
    await tell()
    client.socket.destroy()
    await redis.process?.restart()
  })
})

/** The system's clock, but a timer of `ms` waits until the test calls it. */
function heldTimers(ms: number) {
  const held = new Set<() => void>()
  const clock: Clock = {
    ...systemClock,
    schedule(delayMs, callback) {
      if (delayMs !== ms) return systemClock.schedule(delayMs, callback)
      held.add(callback)
      return { cancel: () => held.delete(callback) }
    },
  }
  return { clock, held }
}

const connectionsOf = (server: Server): Promise<number> => promisify(server.getConnections.bind(server))()
