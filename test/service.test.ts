import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { loadConfig } from '../src/config.js'
import { silentLogger } from '../src/core/logger.js'
import { errorBodySchema } from '../src/protocol/api.js'
import { createService, type Service } from '../src/service.js'
import { rawClient } from './support/raw-client.js'
import { rejection } from './support/rejection.js'

describe('the service', () => {
  const open: Service[] = []

  afterEach(async () => {
    await Promise.all(open.splice(0).map((service) => service.stop()))
  })

  function serviceWith(env: Record<string, string>) {
    const least = { LLM_BASE_URL: 'http://llm.test', JWT_SECRET: 's'.repeat(32), CHAT_DATABASE: ':memory:' }
    const service = createService(loadConfig({ ...least, PORT: '0', ...env }), silentLogger)
    open.push(service)
    return service
  }

  async function startFault(env: Record<string, string>): Promise<string> {
    return (await rejection(serviceWith(env).start())).message
  }

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
        const { url } = await serviceWith({}).start()
        const client = await rawClient(Number(new URL(url).port))
        client.socket.write(request)
        const answer = await client.waitForClose()
        expect(answer).to.match(new RegExp(`^HTTP/1.1 ${status} `))
        const body: unknown = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))
        expect(errorBodySchema.parse(body).error.code).to.equal('bad_request')
      })
  })
})
