import { expect } from 'chai'
import { MAX_OPERATOR_STREAMS } from '../../../src/http/operator/operator-events.js'
import {
  flagsEventSchema,
  metricsEventSchema,
  RUNTIME_EVENTS,
  transitionEventSchema,
} from '../../../src/protocol/fallback.js'
import { errorOf } from '../../support/answers.js'
import { parseEvents } from '../../support/chat-client.js'
import { bearer, type Edge, type EdgeOptions, startEdge } from '../../support/edge.js'
import { NOTHING, QUIET, sampleTransition } from '../../support/fallback-fakes.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'
import { chunksOf, httpText, type RawClient, rawClient } from '../../support/raw-client.js'
import { until } from '../../support/until.js'

const PATH = '/api/v1/runtime/events'

/** One operator at an edge whose time the test moves. */
async function watching(options: EdgeOptions = {}) {
  const clock = manualClock()
  const edge = await startEdge({ clock, ...options })
  return { clock, edge, reader: await watch(edge, clock) }
}

async function watch(edge: Edge, clock: ManualClock, language = 'en', seconds = 3600): Promise<RawClient> {
  const reader = await rawClient(edge.port)
  const headers = {
    Authorization: await bearer({ role: 'admin', exp: clock.wall() / 1000 + seconds }),
    'Accept-Language': language,
  }
  reader.socket.write(httpText('GET', PATH, headers))
  await reader.waitFor('event: metrics')
  return reader
}

const eventsOf = (reader: RawClient) => {
  const events = parseEvents(chunksOf(reader.received()).join(''))
  for (const { event, data } of events) checked(event, data)
  return events
}

function checked(event: string, data: unknown): void {
  expect(RUNTIME_EVENTS).to.include(event)
  if (event === 'transition') transitionEventSchema.parse(data)
  else if (event === 'flags') flagsEventSchema.parse(data)
  else if (event === 'metrics') metricsEventSchema.parse(data)
  else expect(data).to.equal(null)
}

const namesOf = (reader: RawClient) => eventsOf(reader).map(({ event, id }) => `${id ?? '-'} ${event}`)

/** Resolves once `count` events came; what came is checked against the schemas. */
async function waitForEvents(reader: RawClient, count: number) {
  await until(`${count} events`, () => chunksOf(reader.received()).join('').split('\ndata:').length > count)
  return eventsOf(reader)
}

const nothingIsLeft = (edge: Edge, clock: ManualClock) =>
  until('everything to be free', () => {
    return edge.fallback.listeners === 0 && edge.flagListeners.size === 0 && clock.pending() === 0
  })

const running = (reader: RawClient, edge: Edge, clock: ManualClock) => async () => {
  reader.socket.destroy()
  await nothingIsLeft(edge, clock)
  await edge.close()
}

describe('the events of operators', () => {
  it('come as a stream of the same kind as a chat, what is now first, then what happens, in order', async () => {
    const { clock, edge, reader } = await watching()
    const head = reader.received().slice(0, reader.received().indexOf('\r\n\r\n')).split('\r\n')
    expect(head[0]).to.equal('HTTP/1.1 200 OK')
    expect(head).to.include.members([
      'Content-Type: text/event-stream; charset=utf-8',
      'Cache-Control: no-cache, no-transform',
      'X-Accel-Buffering: no',
      'Transfer-Encoding: chunked',
    ])
    expect(reader.received()).not.to.include(': ok')

    edge.fallback.emit({ kind: 'transition', transition: sampleTransition() })
    for (const listener of edge.flagListeners) listener(['chat-execution-mode'])
    edge.windows.held.set('runtime_orchestrator', { ...NOTHING, total: 1, success: 1 })
    edge.fallback.now = { ...QUIET, isolated: true }
    edge.fallback.emit({ kind: 'tick', changed: true })
    const events = await waitForEvents(reader, 4)
    expect(namesOf(reader)).to.deep.equal(['1 metrics', '2 transition', '3 flags', '4 metrics'])
    expect(events[1]?.data).to.deep.include({
      at: '2026-01-01T12:00:00.000Z',
      kind: 'trip',
      reason: 'Error rate too high: 55.00% (threshold: 50.00%)',
      evidence: { total: 20 },
    })
    expect(events[2]?.data).to.deep.equal({ at: '2026-01-01T00:00:00.000Z', flags: ['chat-execution-mode'] })
    const { direct, runtime, status } = metricsEventSchema.parse(events[3]?.data)
    expect([direct.total, runtime.total, status.isolated]).to.deep.equal([0, 1, true])
    await running(reader, edge, clock)()
  })

  it('have metrics with each tick that changed anything, else every ten seconds', async () => {
    const { clock, edge, reader } = await watching()
    const tick = (changed = false) => edge.fallback.emit({ kind: 'tick', changed })
    tick(true)
    await waitForEvents(reader, 2)
    for (let n = 0; n < 5; n += 1) tick()
    edge.fallback.now = { ...QUIET, probe: { ...QUIET.probe, at: 1 } }
    tick()
    edge.windows.held.set('direct_llm', { ...NOTHING, aborted: 1 })
    tick()
    const { direct } = metricsEventSchema.parse((await waitForEvents(reader, 3))[2]?.data)
    expect(direct.aborted).to.equal(1)
    clock.advance(9_999)
    tick()
    clock.advance(1)
    await waitForEvents(reader, 4)
    clock.advance(5_000)
    await waitForEvents(reader, 5)
    clock.advance(5_000)
    await waitForEvents(reader, 6)
    expect(namesOf(reader)).to.deep.equal([
      '1 metrics',
      '2 metrics',
      '3 metrics',
      '4 metrics',
      '- heartbeat',
      '5 metrics',
    ])
    await running(reader, edge, clock)()
  })

  it('have a heartbeat without an id every 15 s', async () => {
    const { clock, edge, reader } = await watching({ timing: { metricsMs: 3_600_000 } })
    clock.advance(14_999)
    clock.advance(1)
    await reader.waitFor('heartbeat')
    clock.advance(15_000)
    await waitForEvents(reader, 3)
    expect(namesOf(reader)).to.deep.equal(['1 metrics', '- heartbeat', '- heartbeat'])
    expect(chunksOf(reader.received()).at(-1)).to.equal('event: heartbeat\ndata: null\n\n')
    await running(reader, edge, clock)()
  })

  it('reach each reader in its language, with ids of its own', async () => {
    const { clock, edge, reader } = await watching()
    edge.fallback.emit({ kind: 'tick', changed: true })
    await waitForEvents(reader, 2)
    const timersOfOne = clock.pending()
    const other = await watch(edge, clock, 'zh-CN')
    expect(edge.fallback.listeners).to.equal(1)
    edge.fallback.emit({ kind: 'transition', transition: sampleTransition() })
    const [seen, seenByOther] = [await waitForEvents(reader, 3), await waitForEvents(other, 2)]
    expect(seen.at(-1)).to.deep.include({ id: 3 })
    expect(transitionEventSchema.parse(seen.at(-1)?.data).reason).to.match(/^Error rate too high/)
    expect(seenByOther.at(-1)).to.deep.include({ id: 2 })
    expect(transitionEventSchema.parse(seenByOther.at(-1)?.data).reason).to.match(/^错误率过高/)

    reader.socket.destroy()
    await until('one reader less', () => clock.pending() === timersOfOne)
    expect(edge.fallback.listeners).to.equal(1)
    await running(other, edge, clock)()
  })

  it('begin anew for those who come after everybody left', async () => {
    const { clock, edge, reader } = await watching()
    reader.socket.destroy()
    await nothingIsLeft(edge, clock)
    const next = await watch(edge, clock)
    edge.fallback.emit({ kind: 'transition', transition: sampleTransition() })
    await waitForEvents(next, 2)
    expect(namesOf(next)).to.deep.equal(['1 metrics', '2 transition'])
    await running(next, edge, clock)()
  })

  it('answer HEAD without opening a stream', async () => {
    const edge = await startEdge()
    const response = await fetch(edge.url + PATH, {
      method: 'HEAD',
      headers: { authorization: await bearer({ role: 'admin' }) },
    })
    expect([response.status, response.headers.get('content-type')]).to.deep.equal([
      200,
      'text/event-stream; charset=utf-8',
    ])
    expect(edge.fallback.listeners).to.equal(0)
    await edge.close()
  })
})

describe("the end of an operator's stream", () => {
  for (const [how, leave] of [
    ['closing', (reader: RawClient) => reader.socket.destroy()],
    ['half-closing', (reader: RawClient) => reader.socket.end()],
    ['resetting', (reader: RawClient) => reader.socket.resetAndDestroy()],
  ] as const)
    it(`frees everything when the reader leaves by ${how} its connection`, async () => {
      const { clock, edge, reader } = await watching()
      leave(reader)
      await nothingIsLeft(edge, clock)
      expect(edge.log.filter(({ level }) => Number(level) >= 40)).to.deep.equal([])
      await edge.close()
    })

  it('comes with the drain: whole, at once; nobody new is let in', async () => {
    const { clock, edge, reader } = await watching()
    edge.fallback.emit({ kind: 'transition', transition: sampleTransition() })
    edge.state = 'draining'
    const answer = await reader.waitFor('\r\n0\r\n\r\n')
    expect(answer).to.include('event: transition')
    await nothingIsLeft(edge, clock)
    for (const [state, seconds] of [
      ['starting', '1'],
      ['draining', '5'],
    ] as const) {
      edge.state = state
      const refused = await fetch(edge.url + PATH, {
        headers: { authorization: await bearer({ role: 'admin', exp: clock.wall() / 1000 + 60 }) },
      })
      expect([refused.status, refused.headers.get('retry-after')]).to.deep.equal([503, seconds])
      expect((await errorOf(refused)).code).to.equal(state)
    }
    reader.socket.destroy()
    await edge.close()
  })

  it('comes when the token expires', async () => {
    const clock = manualClock()
    const edge = await startEdge({ clock })
    const reader = await watch(edge, clock, 'en', 60)
    clock.advance(59_999)
    expect(edge.fallback.listeners).to.equal(1)
    clock.advance(1)
    await reader.waitFor('\r\n0\r\n\r\n')
    await nothingIsLeft(edge, clock)
    reader.socket.destroy()
    await edge.close()
  })

  it('is at once for the hundred and first: 503, until one of the others leaves', async () => {
    const { clock, edge, reader } = await watching()
    const others = await Promise.all(
      Array.from({ length: MAX_OPERATOR_STREAMS - 1 }, () => watch(edge, clock)),
    )
    const refused = await fetch(edge.url + PATH, {
      headers: { authorization: await bearer({ role: 'admin', exp: clock.wall() / 1000 + 60 }) },
    })
    expect([refused.status, refused.headers.get('retry-after')]).to.deep.equal([503, '10'])
    expect((await errorOf(refused)).code).to.equal('overloaded')
    expect(edge.log.filter(({ level }) => Number(level) >= 40)).to.deep.equal([])
    const timers = clock.pending()
    reader.socket.destroy()
    await until('a free place', () => clock.pending() < timers)
    const late = await watch(edge, clock)
    for (const other of others) other.socket.destroy()
    await running(late, edge, clock)()
  })
})

describe('an operator who does not read', () => {
  /** Says something of so many bytes. */
  const say = (edge: Edge, n: number, bytes: number) =>
    edge.fallback.emit({
      kind: 'transition',
      transition: sampleTransition({ revision: n, evidence: 'x'.repeat(bytes) }),
    })

  const serverSocket = async (edge: Edge, then: () => Promise<RawClient>) => {
    const accepted = new Promise<{ writableLength: number }>((resolve) =>
      edge.server.once('connection', resolve),
    )
    const reader = await then()
    return { reader, socket: await accepted }
  }

  /** Talks until bytes wait in the process. */
  async function fill(edge: Edge, socket: { readonly writableLength: number }): Promise<number> {
    let revision = 0
    await until('bytes to wait', async () => {
      if (socket.writableLength > 0) return true
      revision += 1
      say(edge, revision, 65_536)
      await new Promise((resolve) => setImmediate(resolve))
      return false
    })
    return revision
  }

  it('is spared all metrics but the newest, and gets everything else, once it reads on', async () => {
    const clock = manualClock()
    const edge = await startEdge({ clock })
    const { reader, socket } = await serverSocket(edge, () => watch(edge, clock))
    reader.socket.pause()
    let revision = await fill(edge, socket)
    for (let n = 1; n <= 50; n += 1) {
      edge.windows.held.set('direct_llm', { ...NOTHING, total: n, success: n })
      edge.fallback.emit({ kind: 'tick', changed: true })
    }
    revision += 1
    say(edge, revision, 10)
    for (const listener of edge.flagListeners) listener([])
    reader.socket.resume()
    const events = await waitForEvents(reader, revision + 3)
    expect(events.map(({ id }) => id)).to.deep.equal(events.map((_event, at) => at + 1))
    const revisions = events.flatMap(({ event, data }) =>
      event === 'transition' ? [transitionEventSchema.parse(data).revision] : [],
    )
    expect(revisions).to.deep.equal(Array.from({ length: revision }, (_, at) => at + 1))
    expect(events.slice(-2).map(({ event }) => event)).to.deep.equal(['flags', 'metrics'])
    expect(metricsEventSchema.parse(events.at(-1)?.data).direct.total).to.equal(50)
    await running(reader, edge, clock)()
  })

  it('is cut off when it takes nothing for the time allowed', async () => {
    const edge = await startEdge({ timing: { slowReaderMs: 180 } })
    const clock = manualClock(Date.now())
    const { reader, socket } = await serverSocket(edge, () => watch(edge, clock))
    reader.socket.pause()
    await fill(edge, socket)
    await until('it to be cut off', () => edge.fallback.listeners === 0)
    expect(edge.flagListeners.size).to.equal(0)
    reader.socket.destroy()
    await edge.close()
  })

  it('is cut off at once when too much waits for it', async () => {
    const clock = manualClock()
    const edge = await startEdge({ clock })
    const { reader, socket } = await serverSocket(edge, () => watch(edge, clock))
    reader.socket.pause()
    let revision = await fill(edge, socket)
    for (let n = 0; n < 20; n += 1) {
      revision += 1
      say(edge, revision, 65_536)
    }
    expect(socket.writableLength).to.be.below(2_000_000)
    await nothingIsLeft(edge, clock)
    reader.socket.destroy()
    await edge.close()
  })
})
