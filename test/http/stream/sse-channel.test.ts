import { createServer } from 'node:http'
import { expect } from 'chai'
import Koa from 'koa'
import { systemClock } from '../../../src/core/clock.js'
import { openSseChannel, type SseChannel } from '../../../src/http/stream/sse-channel.js'
import { closeServer, listen } from '../../../src/listening.js'

/** What a client got from a channel, and what `use` returned. */
async function withChannel<T>(
  use: (channel: SseChannel) => T,
): Promise<{ text: string; used: T | undefined }> {
  let used: T | undefined
  const app = new Koa()
  app.use((ctx) => {
    const channel = openSseChannel(ctx, {
      clock: systemClock,
      heartbeatMs: 60_000,
      slowReaderMs: 60_000,
      headers: {},
      onReaderLost: () => undefined,
      onRelief: () => undefined,
    })
    used = use(channel)
    channel.end({ event: 'done', data: '{}' })
  })
  const server = createServer(app.callback())
  const url = await listen(server, { host: '127.0.0.1', port: 0 })
  try {
    const response = await fetch(url)
    return { text: await response.text(), used }
  } finally {
    await closeServer(server)
  }
}

describe('a channel to a reader', () => {
  it('has handed an event to the system when its write returns', async () => {
    const { text, used } = await withChannel((channel) => {
      const waitingAfterHead = channel.waiting
      channel.write('data: one\n\n')
      channel.add({ data: 'two' })
      channel.flush()
      return { waitingAfterHead, waiting: channel.waiting }
    })
    expect(used).to.deep.equal({ waitingAfterHead: 0, waiting: 0 })
    expect(text).to.equal('data: one\n\ndata: two\n\nevent: done\ndata: {}\n\n')
  })

  it('writes nothing where nothing was added', async () => {
    const { text, used } = await withChannel((channel) => channel.flush())
    expect(used).to.equal(true)
    expect(text).to.equal('event: done\ndata: {}\n\n')
  })
})
