import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { expect } from 'chai'
import { systemClock } from '../../src/core/clock.js'
import { createNotifier, type Notifier } from '../../src/notifications/notifier.js'
import { send } from '../../src/notifications/sender.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { useNock } from '../support/nock.js'
import { rejection } from '../support/rejection.js'
import { sampleTransition } from '../support/transitions.js'
import { SOON_MS, until } from '../support/until.js'

describe('the request of a notification', () => {
  const nock = useNock()

  it('is a POST of JSON to the whole address', async () => {
    let body: unknown
    const scope = nock('https://hooks.test:8443', {
      reqheaders: {
        'content-type': 'application/json; charset=utf-8',
        'x-chat-signature': /^t=\d+,v1=[0-9a-f]{64}$/,
        'user-agent': 'chat-cutover',
        authorization: `Basic ${Buffer.from('me:pass').toString('base64')}`,
      },
    })
      .post('/services/T/B?x=1', (received) => {
        body = received
        return true
      })
      .reply(204)
    const notifier = createNotifier({
      url: 'https://me:pass@hooks.test:8443/services/T/B?x=1',
      format: 'json',
      secret: 'secret',
      clock: systemClock,
      logger: capturingLogger().logger,
      replica: 'a',
    })
    notifier.notify(sampleTransition())
    await notifier.close()
    expect(scope.isDone()).to.equal(true)
    expect(body).to.include({ service: 'chat-cutover', revision: 7 })
    expect(notifier.givenUp).to.equal(0)
  })

  it('gives back status, patience and the beginning of the answer', async () => {
    nock('http://hooks.test').post('/').reply(429, 'slow down', { 'Retry-After': '7' })
    const { signal } = new AbortController()
    expect(await send({ url: 'http://hooks.test/', headers: {}, body: '{}', signal })).to.deep.equal({
      status: 429,
      retryAfter: '7',
      body: 'slow down',
    })
  })
})

describe('a notification over the wire', () => {
  let server: Server | undefined
  let notifier: Notifier | undefined
  let url: string
  let lines: Record<string, unknown>[]

  const serve = async (listener: RequestListener): Promise<void> => {
    server = createServer(listener)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/hook`
  }
  const open = (deadlineMs: number): Notifier => {
    const capturing = capturingLogger()
    lines = capturing.lines
    const { logger } = capturing
    const options = { url, format: 'feishu', clock: systemClock, logger, replica: 'a' } as const
    notifier = createNotifier({ ...options, deadlineMs, closeMs: 300, random: () => 0 })
    return notifier
  }
  const sending = (signal = new AbortController().signal) => send({ url, headers: {}, body: '{}', signal })

  afterEach(async () => {
    await notifier?.close()
    notifier = undefined
    server?.closeAllConnections()
    server?.close()
    server = undefined
  })

  it('is tried again when the server hangs', async () => {
    let requests = 0
    await serve((_request, response) => {
      requests += 1
      if (requests > 1) response.end('{"code":0}')
    })
    open(100).notify(sampleTransition())
    await until('the second attempt', () => requests === 2)
    await notifier?.close()
    expect(notifier?.givenUp).to.equal(0)
  })

  it('is tried again when the server closes the connection', async () => {
    let requests = 0
    await serve((request, response) => {
      requests += 1
      if (requests > 1) response.end()
      else request.socket.destroy()
    })
    open(5_000).notify(sampleTransition())
    await until('the second attempt', () => requests === 2)
    await notifier?.close()
    expect(notifier?.givenUp).to.equal(0)
  })

  it('leaves nothing open when a hanging server outlasts the end', async () => {
    let gone = false
    await serve((request) => {
      request.socket.once('close', () => {
        gone = true
      })
    })
    open(60_000).notify(sampleTransition())
    const startedAt = performance.now()
    await notifier?.close()
    expect(performance.now() - startedAt).to.be.within(250, SOON_MS)
    await until('the connection to close', () => gone)
    expect(lines[0]).to.include({ why: 'closed', attempts: 1 })
  })

  it('names the code of a refusal in the answer', async () => {
    await serve((_request, response) => response.end('{"code":19021,"msg":"sign match fail or timestamp"}'))
    open(5_000).notify(sampleTransition())
    await until('the end', () => notifier?.givenUp === 1)
    expect(lines[0]).to.include({ why: 'code 19021', attempts: 1 })
    expect(JSON.stringify(lines)).to.not.contain('/hook')
  })

  it('names the fault of a connection', async () => {
    await serve(() => undefined)
    server?.close()
    open(5_000).notify(sampleTransition())
    await notifier?.close()
    expect(lines[0]).to.include({ why: 'ECONNREFUSED' })
  })

  it('follows nobody elsewhere', async () => {
    let requests = 0
    await serve((_request, response) => {
      requests += 1
      response.writeHead(307, { location: url }).end()
    })
    expect((await sending()).status).to.equal(307)
    expect(requests).to.equal(1)
  })

  it('takes the beginning of an answer without an end', async () => {
    await serve((_request, response) => {
      const more = (): void => {
        if (response.destroyed) return
        if (response.write('x'.repeat(1_000))) setImmediate(more)
        else response.once('drain', more)
      }
      more()
    })
    const { status, body } = await sending()
    expect(status).to.equal(200)
    expect(body.length).to.be.within(4_096, 200_000)
  })

  it('is delivered once its status is known, even if the answer breaks off or hangs', async () => {
    await serve((request, response) => {
      response.writeHead(200).write('half')
      setImmediate(() => request.socket.destroy())
    })
    expect(await sending()).to.include({ status: 200 })
    server?.close()
    await serve((_request, response) => response.writeHead(202).write('half'))
    const controller = new AbortController()
    const answer = sending(controller.signal)
    if (server !== undefined) await once(server, 'request')
    // The head lies in the client's socket now; some turns of the event loop bring it in.
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    controller.abort(new Error('deadline'))
    expect(await answer).to.deep.equal({ status: 202, body: 'half' })
  })

  it('ends at once when it is cut off before', async () => {
    await serve(() => undefined)
    expect((await rejection(sending(AbortSignal.abort(new Error('cut'))))).message).to.equal('cut')
    const controller = new AbortController()
    const answer = rejection(sending(controller.signal))
    if (server !== undefined) await once(server, 'request')
    controller.abort(new Error('cut'))
    expect((await answer).message).to.equal('cut')
  })
})
