import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { createMemorySessionStore } from '../../../src/sessions/memory-session-store.js'
import { bearer, type Edge, type EdgeOptions } from '../../support/edge.js'
import { rawStart } from '../../support/raw-client.js'
import { eventsOf, headerOf, rawResume, storyOf } from '../../support/resuming.js'
import { toldBackend } from '../../support/told-backend.js'

/** How a test starts what stands between a client and the service. */
export interface ProxyRig {
  /** One that shares Redis and the given parts with the others. */
  replica(options: EdgeOptions): Promise<Edge>
  proxy(replicas: readonly Edge[]): Promise<{ readonly port: number }>
}

/** A turn on one of two replicas: its client leaves, and four readers go on with it, two at each replica. */
export async function expectStreamsThrough({ replica, proxy }: ProxyRig): Promise<void> {
  const script = toldBackend()
  const options = {
    sessions: createMemorySessionStore({ clock: systemClock }),
    backends: { direct_llm: script.backend },
  }
  const replicas = [await replica(options), await replica(options)]
  const { port } = await proxy(replicas)
  const authorization = await bearer()
  const client = await rawStart(port, authorization)
  await client.waitFor('\r\n\r\n')
  const streamId = headerOf(client, 'X-Chat-Stream-Id')
  await script.tell('a')
  // The turn goes on: what arrives now was not held back until its end.
  await client.waitFor('"a"')
  await script.tell('b')
  await client.waitFor('"b"')
  client.socket.destroy()

  const readers = []
  for (const _ of [1, 2, 3, 4]) {
    const reader = await rawResume({ port }, streamId, { Authorization: authorization, 'Last-Event-ID': '1' })
    await reader.waitFor('"b"')
    readers.push(reader)
  }
  await script.tell('c')
  for (const reader of readers) await reader.waitFor('"c"')
  await script.tell()
  for (const reader of readers) {
    await reader.waitFor('\r\n0\r\n\r\n')
    const { ids, text, last } = storyOf(eventsOf(reader.received()))
    expect({ ids, text, last }).to.deep.equal({ ids: [2, 3, 4], text: 'bc', last: 'done' })
    reader.socket.destroy()
  }
  // Each open stream counts, so the four were spread over both.
  for (const { requests } of replicas) expect(requests).to.include('200 GET /api/v1/chat/streams/:streamId')
}
