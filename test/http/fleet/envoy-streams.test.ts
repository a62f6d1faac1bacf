import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { createMemorySessionStore } from '../../../src/sessions/memory-session-store.js'
import { bearer } from '../../support/edge.js'
import { requireEnvoy, startEnvoy } from '../../support/envoy.js'
import { startFleetEdge } from '../../support/fleet.js'
import { rawStart } from '../../support/raw-client.js'
import { startRedis, type TestRedis } from '../../support/redis.js'
import { eventsOf, headerOf, rawResume, storyOf } from '../../support/resuming.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { toldBackend } from '../../support/told-backend.js'

describe('streams through Envoy, in front of two replicas that share Redis', () => {
  const directory = temporaryDirectory()
  const closers: (() => Promise<void>)[] = []
  let redis: TestRedis

  before(async function () {
    requireEnvoy(this)
    redis = await startRedis(this)
  })
  after(() => redis?.stop())
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  })

  it('come event by event, and go on through the replica that does not run the turn', async function () {
    this.timeout(30_000)
    const script = toldBackend()
    const options = {
      sessions: createMemorySessionStore({ clock: systemClock }),
      backends: { direct_llm: script.backend },
    }
    const replicas = []
    for (const _ of [1, 2]) {
      const edge = await startFleetEdge(redis.url, options)
      closers.push(edge.close)
      replicas.push(edge)
    }
    const proxy = await startEnvoy(
      replicas.map(({ port }) => port),
      directory.path(),
    )
    closers.push(proxy.stop)
    const authorization = await bearer()
    const client = await rawStart(proxy.port, authorization)
    await client.waitFor('\r\n\r\n')
    const streamId = headerOf(client, 'X-Chat-Stream-Id')
    await script.tell('a')
    // The turn goes on: what arrives now was not held back until its end.
    await client.waitFor('"a"')
    await script.tell('b')
    await client.waitFor('"b"')
    client.socket.destroy()

    const headers = { Authorization: authorization, 'Last-Event-ID': '1' }
    const readers = []
    for (const _ of [1, 2, 3, 4]) {
      const reader = await rawResume(proxy, streamId, headers)
      await reader.waitFor('"b"')
      readers.push(reader)
    }
    await script.tell('c')
    for (const reader of readers) await reader.waitFor('"c"')
    await script.tell()
    for (const reader of readers) {
      await reader.waitFor('0\r\n\r\n')
      const { ids, text, last } = storyOf(eventsOf(reader.received()))
      expect({ ids, text, last }).to.deep.equal({ ids: [2, 3, 4], text: 'bc', last: 'done' })
      reader.socket.destroy()
    }
    // Each open stream counts, so the four were spread over both.
    for (const { requests } of replicas) expect(requests).to.include('200 GET /api/v1/chat/streams/:streamId')
  })
})
