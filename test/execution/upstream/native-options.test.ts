import http, { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { createHttpClient } from '../../../src/execution/upstream/http-client.js'

/** got names three dozen, most of them undefined, and each stream pays for them: an update of got must not bring them back unseen. */
describe('the options that Node gets for a request to an upstream', () => {
  const { request } = http
  let server: Server
  let given: string[][]

  beforeEach(async () => {
    server = createServer((incoming, response) => void incoming.resume().once('end', () => response.end()))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    given = []
    http.request = ((...args: Parameters<typeof request>) => {
      given.push(Object.keys(args[1]).sort())
      return request(...args)
    }) as typeof request
  })
  afterEach(async () => {
    http.request = request
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  for (const outward of [false, true])
    it(`are those alone that are set, ${outward ? 'outward' : 'inward'}`, async () => {
      const client = createHttpClient(systemClock, { outward })
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
      const { signal } = new AbortController()
      const asked = { url, headers: {}, signal, connectMs: 5_000, headersMs: 5_000 }
      try {
        for (const one of [{ ...asked, body: '{}' }, asked]) (await client.post(one)).release()
      } finally {
        client.close()
      }
      const ours = ['agent', 'headers', 'method', 'setHost']
      expect(given).to.deep.equal([ours, ours])
    })
})
