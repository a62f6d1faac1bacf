import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { createHttpServer, SERVER_TIMING } from '../../../src/http/edge/http-server.js'
import { rawClient } from '../../support/raw-client.js'

describe('a request that comes slowly', () => {
  const soon = { headersMs: 50, requestMs: 50, checkMs: 20 }

  for (const [what, text] of [
    ['its headers', 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: '],
    ['nothing at all', ''],
    ['its body', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1'],
  ] as const)
    it(`is answered with 408 and cut off: ${what}`, async () => {
      let seen = 0
      const server = createHttpServer(() => {
        seen += 1
      }, soon)
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const client = await rawClient((server.address() as AddressInfo).port)
      client.socket.write(text)
      const answer = await client.waitForClose().finally(() => {
        server.close()
        server.closeAllConnections()
      })
      expect(answer).to.match(/^HTTP\/1\.1 408 /)
      expect(answer).to.contain('"bad_request"')
      expect(seen).to.equal(what === 'its body' ? 1 : 0)
    })

  it('has the times that the documents tell', () => {
    expect(SERVER_TIMING).to.include({ headersMs: 60_000, requestMs: 300_000 })
  })
})
