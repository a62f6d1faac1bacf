import { once } from 'node:events'
import { Agent, createServer, get } from 'node:http'
import { connect, type Socket } from 'node:net'
import { expect } from 'chai'
import Koa from 'koa'
import { systemClock } from '../../../src/core/clock.js'
import { openSseChannel, type SseChannel } from '../../../src/http/stream/sse-channel.js'
import { closeServer, listen } from '../../../src/listening.js'

interface Told {
  onReaderLost?: () => void
  onRelief?: () => void
}

/** A server that answers each request with a channel, which `use` gets. */
async function withServer<T>(
  use: (channel: SseChannel, path: string, socket: Socket) => void,
  run: (url: string) => Promise<T>,
  told: Told = {},
): Promise<T> {
  const app = new Koa()
  app.silent = true
  app.use((ctx) => {
    const channel = openSseChannel(ctx, {
      clock: systemClock,
      heartbeatMs: 60_000,
      slowReaderMs: 60_000,
      headers: {},
      onReaderLost: told.onReaderLost ?? (() => undefined),
      onRelief: told.onRelief ?? (() => undefined),
    })
    use(channel, ctx.path, ctx.req.socket)
  })
  const server = createServer(app.callback())
  const url = await listen(server, { host: '127.0.0.1', port: 0 })
  try {
    return await run(url)
  } finally {
    await closeServer(server)
  }
}

/** All that comes on one connection for a request with this head, whose channel writes `text` and ends. */
const answerTo = (head: string, text = 'data: one\n\n'): Promise<string> =>
  withServer(
    (channel) => {
      channel.write(text)
      channel.end({ event: 'done', data: '{}' })
    },
    (url) => rawAnswer(url, `${head}\r\n\r\n`),
  )

/** What a client got from a channel, and what `use` returned. */
async function withChannel<T>(
  use: (channel: SseChannel) => T,
): Promise<{ text: string; used: T | undefined }> {
  let used: T | undefined
  const text = await withServer(
    (channel) => {
      used = use(channel)
      channel.end({ event: 'done', data: '{}' })
    },
    async (url) => (await fetch(url)).text(),
  )
  return { text, used }
}

/** All that comes on one connection for these bytes, until the server closes it. */
async function rawAnswer(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    text += chunk
  })
  socket.write(bytes)
  await once(socket, 'close')
  return text
}

const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4)

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

  it('frames each piece as one HTTP chunk of as many bytes as it has', async () => {
    const answer = await answerTo('GET / HTTP/1.1\r\nHost: x\r\nConnection: close', 'data: é“”\n\n')
    expect(bodyOf(answer)).to.equal('10\r\ndata: é“”\n\n\r\n16\r\nevent: done\ndata: {}\n\n\r\n0\r\n\r\n')
  })

  it('goes on after a write of nothing', async () => {
    const { text, used } = await withChannel((channel) => channel.write('') && channel.write('data: one\n\n'))
    expect(used).to.equal(true)
    expect(text).to.equal('data: one\n\nevent: done\ndata: {}\n\n')
  })

  it('leaves nothing on a connection that is kept for many streams', async () => {
    const sockets = new Set<Socket>()
    const listeners: number[] = []
    const events = ['drain', 'timeout', 'error', 'close'] as const
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    await withServer(
      (channel, _, socket) => {
        sockets.add(socket)
        listeners.push(events.reduce((all, event) => all + socket.listenerCount(event), 0))
        channel.write('data: one\n\n')
        channel.end({ event: 'done', data: '{}' })
      },
      async (url) => {
        for (let stream = 0; stream < 50; stream += 1) {
          const [response] = await once(get(url, { agent }), 'response')
          response.resume()
          await once(response, 'end')
        }
        agent.destroy()
      },
    )
    expect(sockets.size).to.equal(1)
    expect(new Set(listeners).size, listeners.join()).to.equal(1)
  })

  for (const leave of ['is closed', 'is reset', 'sends no more'] as const)
    it(`tells once that its reader is lost, and takes nothing more, where the connection ${leave}`, async () => {
      const told = { lost: 0, relieved: 0 }
      let opened: SseChannel | undefined
      let connection: Socket | undefined
      await withServer(
        (channel, _, socket) => {
          opened = channel
          connection = socket
          channel.write('data: one\n\n')
        },
        async (url) => {
          const { hostname, port } = new URL(url)
          const reader = connect(Number(port), hostname)
          reader.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
          await once(reader, 'data')
          reader.resume().on('error', () => undefined)
          if (leave === 'is closed') reader.destroy()
          else if (leave === 'is reset') reader.resetAndDestroy()
          else reader.end()
          // It is written to all the while: it may be closed or half closed, and not known to be.
          const writing = setInterval(() => opened?.write('data: more\n\n'), 0)
          await opened?.finished
          clearInterval(writing)
          expect(opened?.write('data: late\n\n')).to.equal(true)
        },
        {
          onReaderLost: () => {
            told.lost += 1
          },
          onRelief: () => {
            told.relieved += 1
          },
        },
      )
      expect(opened?.open).to.equal(false)
      expect(told.lost).to.equal(1)
      expect(told.relieved).to.be.at.least(1)
      expect(connection?.listenerCount('drain')).to.be.at.most(1)
    })

  it('writes no frames for HTTP/1.0', async () => {
    const answer = await answerTo('GET / HTTP/1.0')
    expect(bodyOf(answer)).to.equal('data: one\n\nevent: done\ndata: {}\n\n')
  })

  it('writes no body for HEAD', async () => {
    const answer = await answerTo('HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close')
    expect(bodyOf(answer)).to.equal('')
  })

  it('keeps the answers of pipelined requests apart, and writes nothing after an end', async () => {
    let first: SseChannel | undefined
    const answer = await withServer(
      (channel, path) => {
        channel.write(`data: ${path}\n\n`)
        if (path === '/first') first = channel
        else {
          first?.end({ event: 'done', data: '1' })
          channel.end({ event: 'done', data: '2' })
          first?.write('data: late\n\n')
        }
      },
      (url) =>
        rawAnswer(
          url,
          'GET /first HTTP/1.1\r\nHost: x\r\n\r\nGET /second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
        ),
    )
    const events = answer.split(/\r\n/).filter((line) => /^(data|event)/.test(line))
    expect(events).to.deep.equal([
      'data: /first\n\n',
      'event: done\ndata: 1\n\n',
      'data: /second\n\n',
      'event: done\ndata: 2\n\n',
    ])
  })

  it('is blocked while bytes wait for the reader, and tells when it has taken them', async () => {
    let relieved: (told: { waiting: number; blocked: boolean }) => void = () => undefined
    const relief = new Promise<{ waiting: number; blocked: boolean }>((resolve) => {
      relieved = resolve
    })
    let opened: SseChannel | undefined
    const piece = `data: ${'x'.repeat(1_000_000)}\n\n`
    await withServer(
      (channel) => {
        opened = channel
        let pieces = 0
        while (channel.write(piece) && pieces < 100) pieces += 1
      },
      async (url) => {
        const { hostname, port } = new URL(url)
        const socket = connect(Number(port), hostname)
        socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
        await once(socket, 'readable')
        const held = { blocked: opened?.blocked, waits: (opened?.waiting ?? 0) > 0 }
        socket.resume()
        const after = await relief
        socket.destroy()
        expect({ held, after }).to.deep.equal({
          held: { blocked: true, waits: true },
          after: { waiting: 0, blocked: false },
        })
      },
      {
        onRelief: () => {
          if (opened?.open) relieved({ waiting: opened.waiting, blocked: opened.blocked })
        },
      },
    )
  })
})
