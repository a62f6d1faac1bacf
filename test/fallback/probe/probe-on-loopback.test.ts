import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { silentLogger } from '../../../src/core/logger.js'
import {
  createHealthProbe,
  type HealthProbe,
  type ProbeResult,
  type ProbeSettings,
} from '../../../src/fallback/probe/probe.js'
import { startRuntimeSimulator } from '../../../src/simulator/runtime.js'
import { bundled } from '../../support/bundled.js'
import { freePort } from '../../support/free-port.js'
import { SOON_MS, until } from '../../support/until.js'

const SETTINGS: ProbeSettings = { intervalMs: 20_000, timeoutMs: 1000, failures: 2 }
const JSON_TYPE = { 'content-type': 'application/json' }

describe('the health probe on loopback', () => {
  let server: Server | TcpServer | undefined
  /** connections accepted, and those open now */
  let accepted: number
  let open: number
  let probe: HealthProbe | undefined
  let results: ProbeResult[]

  beforeEach(() => {
    results = []
    accepted = 0
    open = 0
  })
  afterEach(async () => {
    await probe?.stop()
    probe = undefined
    await closeServer()
  })

  async function closeServer(): Promise<void> {
    const closing = server
    server = undefined
    if (closing === undefined) return
    if ('closeAllConnections' in closing) closing.closeAllConnections()
    await new Promise((resolve) => closing.close(resolve))
  }

  async function listen(next: Server | TcpServer): Promise<string> {
    server = next
    next.on('connection', (socket) => {
      accepted += 1
      open += 1
      socket.on('error', () => {})
      socket.once('close', () => {
        open -= 1
      })
    })
    await new Promise<void>((resolve) => next.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(next.address() as AddressInfo).port}`
  }

  const serve = (answer: (response: ServerResponse) => void): Promise<string> =>
    listen(
      createServer((request, response) => {
        if (request.method === 'GET' && request.url === '/health') answer(response)
        else response.writeHead(404).end()
      }),
    )

  /** Answers every connection with these bytes, and then ends it. */
  const say = (bytes: string): Promise<string> =>
    listen(createTcpServer((socket) => void socket.resume().end(bytes)))

  function watch(url: string, settings: Partial<ProbeSettings> = {}): HealthProbe {
    probe = createHealthProbe({
      url,
      clock: systemClock,
      logger: silentLogger,
      settings: () => ({ ...SETTINGS, ...settings }),
      onResult: (result) => void results.push(result),
    })
    probe.start()
    return probe
  }

  async function probed(url: string, settings: Partial<ProbeSettings> = {}): Promise<object> {
    watch(url, settings)
    await until('the first result', () => results.length > 0)
    const { tookMs, ...first } = results[0] ?? { tookMs: 0 }
    expect(tookMs).to.be.within(0, SOON_MS)
    await probe?.stop()
    await until('the connection closed', () => open === 0)
    return first
  }

  const json = (body: unknown) => (response: ServerResponse) =>
    void response.writeHead(200, JSON_TYPE).end(JSON.stringify(body))

  describe('takes for good', () => {
    it('the simulated runtime', async () => {
      const runtime = await startRuntimeSimulator()
      expect(await probed(runtime.url)).to.deep.equal({ good: true })
      await runtime.close()
    })

    it('200 and healthy, whatever else it says', async () => {
      const url = await serve(json({ status: 'healthy', version: '1', checks: {} }))
      expect(await probed(url)).to.deep.equal({ good: true })
    })

    it('an answer in pieces, of chunks, within its deadline', async () => {
      const url = await serve((response) => {
        response.writeHead(200)
        response.write('{"status":')
        setTimeout(() => response.end('"healthy"}'), 30)
      })
      expect(await probed(url)).to.deep.equal({ good: true })
    })

    it('an answer that ends with its connection', async () => {
      const url = await say('HTTP/1.0 200 OK\r\n\r\n{"status":"healthy"}')
      expect(await probed(url)).to.deep.equal({ good: true })
    })
  })

  describe('takes for bad', () => {
    const answers: [string, (response: ServerResponse) => void, object][] = [
      ['200 and degraded', json({ status: 'degraded' }), { code: 'not_healthy', status: 200 }],
      ['200 and no object', json('healthy'), { code: 'not_healthy', status: 200 }],
      ['200 and null', json(null), { code: 'not_healthy', status: 200 }],
      ['200 and garbage', (response) => void response.end('<html>'), { code: 'not_json', status: 200 }],
      ['200 and nothing', (response) => void response.end(), { code: 'not_json', status: 200 }],
      ['204', (response) => void response.writeHead(204).end(), { code: 'http_status', status: 204 }],
      [
        '302 to something healthy',
        (response) => void response.writeHead(302, { location: '/health' }).end('{"status":"healthy"}'),
        { code: 'http_status', status: 302 },
      ],
      [
        '503 that says healthy',
        (response) => void response.writeHead(503, JSON_TYPE).end('{"status":"healthy"}'),
        { code: 'http_status', status: 503 },
      ],
      ['a reset', (response) => void response.socket?.resetAndDestroy(), { code: 'ECONNRESET' }],
      [
        'an answer cut short, though healthy so far',
        (response) => {
          response.writeHead(200, { 'content-length': 100 }).write('{"status":"healthy"}')
          setTimeout(() => response.socket?.end(), 10)
        },
        { code: 'disconnected', status: 200 },
      ],
      [
        'more than 64 KiB',
        (response) => void response.end(JSON.stringify({ status: 'healthy', filler: 'x'.repeat(65_536) })),
        { code: 'too_large', status: 200 },
      ],
    ]
    for (const [what, answer, expected] of answers) {
      it(what, async () => {
        expect(await probed(await serve(answer))).to.deep.equal({ good: false, ...expected })
      })
    }

    it('a connection that is reset inside the answer', async () => {
      const url = await serve((response) => {
        response.writeHead(200, { 'content-length': 100 }).write('{"status":"healthy"}')
        setTimeout(() => response.socket?.resetAndDestroy(), 10)
      })
      const { code, ...rest } = (await probed(url)) as { code?: string }
      expect(rest).to.include({ good: false })
      expect(code).to.be.oneOf(['ECONNRESET', 'disconnected'])
    })

    it('an answer without end, and reads no more of it than it must', async () => {
      let sent = 0
      const junk = ' '.repeat(16_384)
      const url = await serve((response) => {
        const fill = (): void => {
          do sent += junk.length
          while (!response.destroyed && response.write(junk))
        }
        response.on('drain', fill)
        fill()
      })
      expect(await probed(url)).to.deep.equal({ good: false, code: 'too_large', status: 200 })
      expect(sent).to.be.below(16 * 1024 * 1024)
    })

    it('something that is not HTTP', async () => {
      expect(await probed(await say('nonsense\r\n\r\n'))).to.deep.equal({ good: false, code: 'malformed' })
    })

    it('a connection that ends without an answer', async () => {
      expect(await probed(await say(''))).to.include({ good: false, code: 'ECONNRESET' })
    })

    it('an upgrade nobody asked for', async () => {
      const url = await say('HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n')
      expect(await probed(url)).to.include({ good: false })
    })

    it('a refused connection', async () => {
      const url = await serve(() => {})
      await closeServer()
      expect(await probed(url)).to.deep.equal({ good: false, code: 'ECONNREFUSED' })
    })

    const slow: [string, (response: ServerResponse) => void][] = [
      ['no head in time', () => {}],
      ['no end in time', (response) => void response.writeHead(200).write('{"status":"healthy"}')],
      [
        'an answer that drips',
        (response) => {
          response.writeHead(200)
          const timer = setInterval(() => response.write(' '), 5)
          response.once('close', () => clearInterval(timer))
        },
      ],
    ]
    for (const [what, answer] of slow) {
      it(what, async () => {
        const url = await serve(answer)
        expect(await probed(url, { timeoutMs: 60 })).to.deep.equal({ good: false, code: 'timeout' })
      })
    }
  })

  it('takes a connection of its own each time', async () => {
    const url = await serve(json({ status: 'healthy' }))
    watch(url, { intervalMs: 100 })
    await until('three results', () => results.length === 3)
    expect(accepted).to.equal(3)
  })

  it('knows soon of a runtime that died, and of its return', async () => {
    const runtime = await startRuntimeSimulator({ port: await freePort() })
    const running = watch(runtime.url, { intervalMs: 200 })
    await until('a good result', () => results.length > 0)
    await runtime.close()
    await until('a burst of failures', () => running.state().healthy === false)
    expect(running.state()).to.include({ goodForMs: 0 })
    const back = await startRuntimeSimulator({ port: runtime.port })
    await until('a good result', () => running.state().healthy === true)
    await back.close()
  })

  describe('of a process', () => {
    let child: ChildProcess
    afterEach(async () => {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    })

    it('that stands still: the kernel takes the connection, and nobody answers', async () => {
      child = spawn(process.execPath, [bundled('src/simulator/main.ts'), 'runtime', '--port', '0'])
      const [line] = await once(child.stdout ?? child, 'data')
      const { url } = JSON.parse(String(line)) as { url: string }
      const running = watch(url, { intervalMs: 100, timeoutMs: 300 })
      await until('a good result', () => running.state().healthy === true)
      child.kill('SIGSTOP')
      await until('a burst of failures', () => running.state().healthy === false)
      expect(results.at(-1)).to.include({ good: false, code: 'timeout' })
      child.kill('SIGCONT')
      await until('a good result', () => running.state().healthy === true)
    })
  })

  it('stopped in mid-answer frees its connection at once', async () => {
    const url = await serve((response) => void response.writeHead(200).write(' '))
    const running = watch(url)
    await until('the request', () => open === 1)
    await running.stop()
    await until('the connection closed', () => open === 0)
    expect(results).to.have.length(0)
  })
})
