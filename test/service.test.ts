import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { loadConfig } from '../src/config.js'
import { systemClock } from '../src/core/clock.js'
import { silentLogger } from '../src/core/logger.js'
import type { Surroundings } from '../src/parts/surroundings.js'
import { createParts } from '../src/parts.js'
import { errorBodySchema } from '../src/protocol/api.js'
import { createService, type Service } from '../src/service.js'
import { capturingLogger } from './support/capturing-logger.js'
import { freePort } from './support/free-port.js'
import { manualClock } from './support/manual-clock.js'
import { rawClient } from './support/raw-client.js'
import { rejection } from './support/rejection.js'
import { SOON_MS, until } from './support/until.js'

describe('the service', () => {
  const open: Service[] = []

  afterEach(async () => {
    await Promise.all(open.splice(0).map((service) => service.stop()))
  })

  async function serviceWith(env: Record<string, string>) {
    const least = {
      LLM_BASE_URL: 'http://llm.test',
      JWT_SECRET: 's'.repeat(32),
      CHAT_DATABASE: ':memory:',
      CHAT_LAMEDUCK_MS: '0',
      CHAT_READY_WAIT_MS: '0',
    }
    const service = await createService(loadConfig({ ...least, PORT: '0', ...env }), silentLogger)
    open.push(service)
    return service
  }

  async function startFault(env: Record<string, string>): Promise<string> {
    return (await rejection((await serviceWith(env)).start())).message
  }

  it('watches itself closely as long as a deadline is pending', async () => {
    const clock = manualClock()
    let around: Surroundings | undefined
    const config = loadConfig({
      LLM_BASE_URL: 'http://llm.test',
      JWT_SECRET: 's'.repeat(32),
      CHAT_DATABASE: ':memory:',
    })
    open.push(
      await createService(config, silentLogger, clock, (given) => {
        around = given
        return createParts(given)
      }),
    )
    const { pulse, deadlines } = around ?? expect.fail('no parts were made')
    const forget = pulse.listen({ beat: () => undefined })
    clock.advance(5_000)
    expect(pulse.isAwake).to.equal(false)
    const deadline = deadlines.schedule(60_000, () => undefined)
    expect(pulse.isAwake).to.equal(true)
    clock.advance(30_000)
    expect(pulse.isAwake).to.equal(true)
    deadline.cancel()
    clock.advance(2_500)
    expect(pulse.isAwake).to.equal(false)
    forget()
  })

  describe('a start that cannot listen', () => {
    it('names the port that is taken', async () => {
      const other = createServer().listen(0, '127.0.0.1')
      await once(other, 'listening')
      const { port } = other.address() as AddressInfo
      expect(await startFault({ PORT: String(port) })).to.match(
        new RegExp(`^PORT=${port} on 127.0.0.1 is taken`),
      )
      other.close()
      await once(other, 'close')
    })

    it('names the host that is not of this machine', async () => {
      expect(await startFault({ HOST: '203.0.113.1' })).to.match(/^HOST=203.0.113.1 is no address/)
    })
  })

  describe('a start without signing keys', () => {
    it('is not ready and takes no turn until it has them, also when its time is over', async () => {
      let isUp = false
      const keyServer = createServer((_req, res) => {
        res.statusCode = isUp ? 200 : 500
        res.end('{"keys":[]}')
      }).listen(0, '127.0.0.1')
      await once(keyServer, 'listening')
      const keys = keyServer.address() as AddressInfo
      const port = await freePort()
      const service = await serviceWith({
        PORT: String(port),
        JWT_SECRET: '',
        JWKS_URL: `http://127.0.0.1:${keys.port}/keys`,
        CHAT_READY_WAIT_MS: '1',
      })
      const started = service.start()
      const asked = () =>
        fetch(`http://127.0.0.1:${port}/health/ready`, { headers: { 'Accept-Language': 'en' } })
      const ready = () =>
        asked().then(
          ({ status }) => status,
          () => 0,
        )
      await until('the port', async () => (await ready()) === 503)
      await until('its reason', async () =>
        (await (await asked()).text()).includes('"missing: the signing keys (JWKS_URL)"]'),
      )
      isUp = true
      await started
      expect(await ready()).to.equal(200)
      keyServer.close()
      keyServer.closeAllConnections()
    })
  })

  describe('a request that is no HTTP', () => {
    for (const [name, request, status] of [
      ['nonsense', 'nonsense\r\n\r\n', 400],
      [
        'a header that is too large',
        `GET / HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(20_000)}\r\n\r\n`,
        431,
      ],
    ] as const)
      it(`is answered in the envelope: ${name}`, async () => {
        const { url } = await (await serviceWith({})).start()
        const client = await rawClient(Number(new URL(url).port))
        client.socket.write(request)
        const answer = await client.waitForClose()
        expect(answer).to.match(new RegExp(`^HTTP/1.1 ${status} `))
        const body: unknown = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))
        expect(errorBodySchema.parse(body).error.code).to.equal('bad_request')
      })
  })

  describe('a stop', () => {
    const config = () =>
      loadConfig({
        LLM_BASE_URL: 'http://llm.test',
        JWT_SECRET: 's'.repeat(32),
        CHAT_DATABASE: ':memory:',
        PORT: '0',
        CHAT_LAMEDUCK_MS: '0',
        CHAT_READY_WAIT_MS: '0',
        CHAT_DRAIN_MS: '0',
      })

    /** A service of which one part's end goes wrong, and the ends that came. */
    async function faulty(wrong: string, how: () => Promise<void>) {
      const ended: string[] = []
      const make = async (around: Surroundings) => {
        const parts = await createParts(around)
        const ends = {
          flags: [parts.flags, 'close'],
          fallback: [parts.fallback, 'stop'],
          'recovery shadows': [parts.recoveryShadows, 'stop'],
          shadows: [parts.shadows, 'stop'],
          direct_llm: [parts.backends.direct_llm, 'close'],
          journal: [parts.journal, 'close'],
          sessions: [parts.sessions, 'close'],
        } as const
        for (const [name, [part, end]] of Object.entries(ends)) {
          const original: unknown = Reflect.get(part, end)
          if (typeof original !== 'function') throw new Error(`${name} has no end`)
          Reflect.set(part, end, (...given: unknown[]) => {
            ended.push(name)
            return name === wrong ? how() : original.apply(part, given)
          })
        }
        return parts
      }
      return { ended, service: await createService(config(), silentLogger, systemClock, make) }
    }

    const ALL = ['direct_llm', 'fallback', 'flags', 'journal', 'recovery shadows', 'sessions', 'shadows']
    const faults: Record<string, () => Promise<void>> = {
      'not ended in time': () => new Promise(() => undefined),
      broken: () => Promise.reject(new Error('broken')),
      thrown: () => {
        throw new Error('thrown')
      },
    }
    for (const [text, how] of Object.entries(faults))
      for (const part of text === 'thrown' ? ALL : ['fallback', 'flags', 'journal', 'sessions'])
        it(`ends every other part where ${part} is ${text}, and names it`, async () => {
          const { service, ended } = await faulty(part, how)
          await service.start()
          const startedAt = performance.now()
          const { message } = await rejection(service.stop())
          expect(message).to.equal(`${part}: ${text}`)
          expect(performance.now() - startedAt).to.be.below(SOON_MS)
          expect([...ended].sort()).to.deep.equal(ALL)
        })

    it('during a start keeps it from listening', async () => {
      const { service } = await faulty('none', async () => undefined)
      const started = service.start()
      const failed = rejection(started)
      await service.stop()
      expect((await failed).message).to.equal('stopped before it had started')
    })

    it('after the port was taken frees it, and the rest is not started', async () => {
      let url = ''
      const lines = capturingLogger()
      let isStarted = false
      const service = await createService(config(), lines.logger, systemClock, async (around) => {
        const parts = await createParts(around)
        const start = parts.flags.start.bind(parts.flags)
        parts.flags.start = async () => {
          stopped = service.stop()
          await start()
        }
        parts.fallback.start = async () => {
          isStarted = true
        }
        return parts
      })
      let stopped: Promise<void> | undefined
      const { message } = await rejection(
        service.start().then((found) => {
          url = found.url
        }),
      )
      expect(message).to.equal('stopped before it had started')
      await stopped
      expect([url, isStarted]).to.deep.equal(['', false])
    })
  })
})
