import { copyFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { SignJWT } from 'jose'
import { loadConfig } from '../../src/config.js'
import { silentLogger } from '../../src/core/logger.js'
import { createService, type Service } from '../../src/service.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { until } from '../support/until.js'

const SECRET = 's'.repeat(32)

/** An LLM whose answers take ten tokens. */
function llm(): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: {"choices":[{"delta":{"content":"Hello"}}]}\n\n')
    response.write('data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n')
    response.end('data: {"choices":[],"usage":{"total_tokens":10}}\n\ndata: [DONE]\n\n')
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

describe('the limits of a running service', () => {
  const directory = temporaryDirectory()
  const open: Service[] = []
  let upstream: Server
  beforeEach(async () => {
    upstream = await llm()
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map((service) => service.stop()))
    upstream.close()
    upstream.closeAllConnections()
  })

  async function start(): Promise<string> {
    const { port } = upstream.address() as AddressInfo
    const config = loadConfig({
      PORT: '0',
      LLM_BASE_URL: `http://127.0.0.1:${port}/v1`,
      JWT_SECRET: SECRET,
      CHAT_DATABASE: directory.path('chat.db'),
      CHAT_FLAGS_FILE: directory.path('chat.flagd.json'),
      CHAT_FALLBACK_FLAGS_FILE: directory.path('auto-fallback.flagd.json'),
      CHAT_LAMEDUCK_MS: '0',
    })
    const service = await createService(config, silentLogger)
    open.push(service)
    return (await service.start()).url
  }

  const headers = async () => {
    const token = new SignJWT({ sub: 'user-1', org_id: 'acme', role: 'admin' }).setProtectedHeader({
      alg: 'HS256',
    })
    return {
      authorization: `Bearer ${await token.setExpirationTime('1h').sign(Buffer.from(SECRET))}`,
      'content-type': 'application/json',
    }
  }

  const turn = async (url: string) => {
    const body = JSON.stringify({ agentId: 'a', message: 'Hi' })
    const response = await fetch(`${url}/api/v1/chat/start`, {
      method: 'POST',
      headers: await headers(),
      body,
    })
    await response.text()
    return response.status
  }

  it('follow an edit of the flag without a restart, and the tokens of the day outlive one', async () => {
    for (const file of ['chat.flagd.json', 'auto-fallback.flagd.json'])
      copyFileSync(`flags/${file}`, directory.path(file))
    const url = await start()
    expect(await turn(url)).to.equal(200)
    const edited = await fetch(`${url}/api/v1/runtime/flags`, {
      method: 'PATCH',
      headers: { ...(await headers()), 'if-match': '*' },
      body: JSON.stringify({ limits: { tokensPerDayPerOrg: 15 } }),
    })
    expect(await edited.json()).to.have.nested.property('data.inForce', true)
    expect(await turn(url)).to.equal(200)
    await until('the tokens to be counted', async () => (await turn(url)) === 429)
    await Promise.all(open.splice(0).map((service) => service.stop()))
    expect(await turn(await start())).to.equal(429)
    const exposition = await (await fetch(`${await start()}/metrics`)).text()
    expect(exposition).to.match(/^chat_overload_level [0-4]$/m)
    expect(exposition).to.match(/^chat_refused_total\{reason="org_tokens"\} 0$/m)
  })
})
